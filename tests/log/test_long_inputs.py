"""A message stays short, however long what it names is: keys have kilobytes, and what people paste has any length."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import auditctl as package
from auditctl.errors import ConfigurationError
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.recorded import Recorded, label, record

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client

LONG = "x" * 9000
FILTERS = ("since", "until", "target", "id", "user", "action", "column", "ip", "xact", "context", "after")
COMMANDS = (
    ("log", "--limit", LONG), ("show", LONG), ("history", LONG, "1"), ("history", "billing.customer", LONG),
    ("history", "billing.customer", f"[{LONG}"), ("enable", LONG), ("enable", f"public.{LONG[:500]}"),
    ("enable", "billing.customer", "--mask", LONG), ("enable", "billing.customer", "--key", LONG),
    ("enable", "billing.customer", "--lock-timeout", LONG), ("disable", LONG), ("grant", "reader", LONG),
    ("hold", "add", LONG, "--reason", "x"), ("hold", "add", "billing.customer", "--id", LONG, "--reason", "x"),
    ("hold", "release", LONG, "--reason", "x"), ("record", LONG, "1", "x"), ("record", "a.b", LONG, LONG),
    ("record", "a.b", "1", "x", "--ip", LONG), ("record", "a.b", "1", "x", "--data", LONG), ("stats", "--by", LONG),
    ("export", "--committed-since", LONG), ("export", "--output", f"/nowhere/{LONG}"), ("apply", LONG), (LONG,),
    ("import-log", LONG), ("doctor", f"--{LONG}"),
)  # fmt: skip


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create schema billing; create table billing.customer (id int primary key, name text)")
        label(conn, "billing.customer")
        record(conn, Recorded(target_id="k" * 900))


db_template = begin_with(prepare)


def test_messages_about_long_arguments_are_short(auditctl: RunAuditctl) -> None:
    filters = [("log", f"--{name}", LONG) for name in FILTERS]
    shown = {" ".join(words)[:60]: auditctl(*words) for words in (*COMMANDS, *filters)}
    assert {name: len(done.err) for name, done in shown.items() if len(done.err) > 3200} == {}
    assert {
        name: done.err for name, done in shown.items() if done.code == 1 and "File name too long" not in done.err
    } == {}


def test_hint_at_a_long_key_is_short(auditctl: RunAuditctl) -> None:
    done = auditctl("history", "billing.customer", f"{'k' * 900} ")
    assert f"hint: Did you mean the key '{'k' * 100}\N{HORIZONTAL ELLIPSIS}' (900 characters)?\n" in done.err


def test_error_pages_about_long_parameters_are_short(reader: Client) -> None:
    for name in FILTERS[:-1]:
        page = reader.get(
            "/", params={name: LONG, "target": "billing.customer", **({"target": LONG} if name == "target" else {})}
        )
        alert = re.search(r'role="alert">(.*?)</(?:p|div|section)>', page.text, re.DOTALL)
        assert alert is None or len(alert[1]) < 1000, name


def test_every_line_of_an_error_is_bounded() -> None:
    error = ConfigurationError(["a" * 5000, "short", "b" * 5000], hint="c" * 5000)
    assert [len(line) < 2000 for line in str(error).split("\n")] == [True] * 3
    assert len(error.hint) < 2000


def test_messages_quote_texts_by_one_function() -> None:
    folder = Path(next(iter(package.__path__)))
    found = [file.name for file in sorted(folder.rglob("*.py")) if "!r}" in file.read_text("utf-8")]
    assert sorted(found) == ["operations.py", "render.py", "text.py"]  # the first writes Python
