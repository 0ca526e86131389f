"""On a terminal nothing recorded arrives as it is; in a pipe or file it is exact."""

from __future__ import annotations

import ast
import json
import os
import re
import threading
import tomllib
import tty
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

import auditctl as package
from auditctl.cli.main import main
from auditctl.display import harmless_json, harmless_lines, harmless_toml
from tests.fixtures.command import _streams
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import apply
from tests.support.recorded import documents, switch_lookups_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

EVIL = "\x1b]0;x\x07\x1b[2J\u009b31m\x7f\u202e\u2066\u200b\ufeff\U000e0041\x08é日"
"""What moves a cursor, renames a window, hides or reverses text; and two letters."""

NAME = re.sub(r"[][]", "", EVIL)
"""The same as a name of a table, where brackets would make a glob."""

SEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)
OWN = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[hl]|2K|1A)|\r")
"""What the tool itself sends: colors, and the cursor of its progress."""

COMMANDS = (
    ("log",), ("log", "--format", "csv"), ("log", "--format", "csv", "--raw"), ("log", "--format", "json"),
    ("log", "--format", "jsonl"), ("show", "{event}"), ("show", "{event}", "--format", "csv"),
    ("show", "{event}", "--format", "json"), ("history", "{table}", "7"),
    ("history", "{table}", "7", "--format", "jsonl"), ("export",), ("export", "--raw"), ("export", "--format", "jsonl"),
    ("config",),
    ("tables",), ("tables", "--format", "json"), ("events",), ("events", "--format", "json"), ("hold", "list"),
    ("hold", "list", "--format", "json"), ("stats",), ("stats", "--format", "json"), ("doctor",),
    ("doctor", "--format", "json"), ("plan", "{file}"), ("plan", "--sql", "{file}"), ("check", "{file}"),
    ("maintain", "--dry-run"), ("log", "--target", EVIL), ("log", "--column", EVIL), ("log", EVIL),
    ("history", "x", EVIL),
    ("enable", EVIL), ("disable", EVIL), ("grant", "reader", EVIL), ("--debug", "log", "--since", EVIL),
    ("record", EVIL, "1", "x"), ("config", EVIL),
)  # fmt: skip
"""Every command that prints what is recorded, stored, or given."""


def toml(text: str) -> str:
    """A text in TOML."""
    return '"' + "".join(f"\\U{ord(character):08x}" for character in text) + '"'


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        for name in (f"t{NAME}", f"n{NAME}"):
            conn.execute(f'create table "{name}" (id int primary key, body text)')
        apply(
            dsn,
            f"[[table]]\nname = {toml('public.t' + NAME)}\nlabel = {toml(EVIL)}\n"
            f'[[event]]\nname = "x.y"\nlabel = {toml(EVIL + "2")}',
        )
        conn.execute("select auditctl.set_context(%s, null, %s, null, false)", [EVIL, json.dumps({EVIL: EVIL})])
        conn.execute(f'insert into "t{NAME}" values (7, %s)', [EVIL])
        conn.execute("select auditctl.record_event('x.y', %s, %s)", [EVIL, EVIL])
        conn.execute("select auditctl.place_hold('x.*', %s, %s)", [EVIL, EVIL])


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database in which every text is hostile."""
    with prepared(server, template, prepare) as name:
        yield name


@pytest.fixture
def on_terminal(db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command whose standard output and error are a terminal; returns what arrived there."""
    monkeypatch.setenv("AUDITCTL_DSN", db)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        leader, follower = os.openpty()
        tty.setraw(follower)
        arrived: list[bytes] = []

        def read() -> None:
            while data := _read(leader):
                arrived.append(data)

        thread = threading.Thread(target=read)
        thread.start()
        with (
            Path(os.devnull).open("rb") as given,
            os.fdopen(follower, "wb", buffering=0) as terminal,
            _streams([given, terminal, terminal]),
            pytest.raises(SystemExit),
        ):
            main(list(words))
        thread.join()
        os.close(leader)
        return b"".join(arrived).decode()

    return run


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""


def test_terminal_gets_nothing_recorded_as_it_is(
    conn: psycopg.Connection, on_terminal: Callable[..., str], tmp_path: Path
) -> None:
    row = conn.execute("select max(event_id) from auditctl.event where target like 'public.%'").fetchone()
    assert row is not None
    (tmp_path / "rules.toml").write_text(
        f'[[table]]\nname = {json.dumps("public.n" + "*")}\nlabel = "x"\n[[table]]\nname = "public.*"\n'
    )
    names = {"event": str(row[0]), "table": f"public.t{EVIL}", "file": "rules.toml"}
    for words in COMMANDS:
        shown = on_terminal(*(word.format(**names) for word in words))
        assert shown, words
        assert SEEN.search(OWN.sub("", shown).replace("\n", "")) is None, (words, shown)


def test_json_and_toml_on_a_terminal_mean_the_same(
    conn: psycopg.Connection, on_terminal: Callable[..., str], auditctl: RunAuditctl
) -> None:
    switch_lookups_off(conn)
    exact = auditctl("log", "--format", "jsonl", check=0).out
    assert "\u202e" in exact
    shown = on_terminal("--quiet", "log", "--format", "jsonl")
    assert documents(shown) == documents(exact)
    assert json.loads(on_terminal("--quiet", "log", "--format", "json")) == documents(exact)
    config = auditctl("config", check=0).out
    assert "\u202e" in config
    assert tomllib.loads(on_terminal("config")) == tomllib.loads(config)


def test_pipe_and_file_get_the_bytes_of_the_log(auditctl: RunAuditctl, tmp_path: Path) -> None:
    assert EVIL in auditctl("log", "--format", "csv", "--raw", check=0).out
    assert EVIL in auditctl("export", "--raw", check=0).out
    auditctl("export", "--raw", "--output", tmp_path / "log.csv", check=0)
    assert EVIL in (tmp_path / "log.csv").read_text()


def test_codes_of_a_terminal_can_be_read_back() -> None:
    assert json.loads(harmless_json(json.dumps(EVIL, ensure_ascii=False))) == EVIL
    text = json.dumps(EVIL, ensure_ascii=False).replace("\x7f", "\\u007f")
    assert tomllib.loads(harmless_toml(f"x = {text}\n")) == {"x": EVIL}
    assert harmless_lines("a\nb\r\x9b") == "a\nb\\r\\x9b"
    assert harmless_lines("plain é日\n") == "plain é日\n"


PRINTS = ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write")


def test_one_module_prints() -> None:
    folder = Path(package.__file__).parent
    found = {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in PRINTS
    }
    # Ctrl-C may come before that module is loaded.
    assert found == {"cli/printing.py", "__main__.py"}
