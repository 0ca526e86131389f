"""The page shows what `auditctl log` prints, and refuses what it refuses."""

from __future__ import annotations

import itertools
import json
import random
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from auditctl import clock
from auditctl.display import format_user, harmless
from auditctl.log.filters import FILTERS
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.filter_cases import RANDOM, random_events
from tests.support.recorded import Recorded, label, minutes, record, switch_lookups_off
from tests.web.parsing import alerts, listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client

pytestmark = pytest.mark.slow

ODD = [
    Recorded(actor="System", target_id="=1+1"),
    Recorded(actor="(System)", target_id="<b>&amp;\"'"),
    Recorded(actor="@web", kind="application", target_id="two\nlines\tand \x1b[31m \u202e"),
    Recorded(actor="dba", kind="database", target_id=None, action="READ", old=None, new=None),
    Recorded(actor="名 <script>alert(1)</script>", new='{"note": "</td></tr>"}', old='{"note": "\\u202e"}'),
    Recorded(actor=None, kind="system", action="TRUNCATE", target_id=None, old=None, new=None),
    Recorded(ip="2001:db8::/64", target="crm.note", action="EVENT", context='{"summary": "sent <b>"}', old=None),
]

REFUSED: list[dict[str, list[str]]] = [
    {"since": ["tomorrow"]},
    {"since": ["2026-03-02"], "until": ["2026-03-01"]},
    {"since": ["24h", "48h"]},
    {"target": ["no.such.table"]},
    {"target": ["crm.note", "nor*this"]},
    {"ip": ["10.0.0.1", "10.0.0.2"]},
    {"kind": ["person"]},
    {"became": ["no_such_column=1"]},
    {"action": ["destroy"]},
    {"column": ["no_such_column"]},
    {"ip": ["10.0.0"]},
    {"xact": ["-1"]},
    {"xact": ["\u0663"]},
    {"context": ["no pair"]},
    {"user": ["<script>alert(1)</script>"], "xact": ["<b>"]},
    {"after": ["nonsense"]},
]


def prepare(dsn: str) -> None:
    made = random_events(random.Random(11))
    with connect(dsn) as conn:
        record(conn, *made, *(Recorded(**{**fields(event), "at": minutes(index)}) for index, event in enumerate(ODD)))
        label(conn, "billing.customer", "Customer <b>")
        switch_lookups_off(conn)


db_template = begin_with(prepare)


@pytest.fixture
def log(db: str) -> None:
    """A log with users, tables, keys, actions, addresses, columns and contexts of all kinds."""


def fields(event: Recorded) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__slots__}


def chosen(count: int) -> list[dict[str, list[str]]]:
    """So many combinations of filters, after one of each alone and none at all."""
    source = random.Random(5)
    names = [row.name for row in FILTERS]
    sets = [set[str](), *({name} for name in names), *(set(source.sample(names, 2)) for _ in range(count))]
    return [{name: RANDOM[name](source)[0] for name in sorted(some)} for some in sets]


def as_options(texts: dict[str, list[str]]) -> list[str]:
    return [f"--{name}={text}" for name, values in texts.items() for text in values]


def shown(event: dict[str, Any]) -> dict[str, str]:
    """What a page shows of an event that the command printed as JSON."""
    return {
        "event_id": str(event["event_id"]),
        "created_on": event["created_on"],
        "Created on": clock.UTC.text(datetime.fromisoformat(event["created_on"])),
        "IP address": event["ip_address"] or "",
        "User": format_user(event["user"], event["actor_kind"]),
        "Target": harmless(event["target"]),
        "Target ID": harmless(event["target_id"] or ""),
        "Action": event["action"],
        "Details": " ".join(harmless(text) for text in (event["details"], event["reason"]) if text),
    }


def test_every_filter_shows_the_rows_that_the_command_prints(log: None, auditctl: RunAuditctl, reader: Client) -> None:
    found = 0
    for texts in chosen(30):
        printed = json.loads(auditctl("log", "--format", "json", "--limit", "500", *as_options(texts), check=0).out)
        answer = reader.get("/", params={"limit": ["500"], **texts})
        assert listed(answer.text) == [shown(event) for event in printed], texts
        found += bool(printed)
    assert found > 15


def test_what_the_command_refuses_the_page_refuses_in_the_same_words(
    log: None, auditctl: RunAuditctl, reader: Client
) -> None:
    for texts in REFUSED:
        said = auditctl("log", *as_options(texts), check=2).err.splitlines()
        message = [line.partition(": ")[2] for line in said if not line.startswith("hint: See:")]
        answer = reader.get("/", params=texts)
        assert answer.status_code == 400, texts
        assert "".join(alerts(answer.text)[0].split()) == "".join("".join(message).split())


SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda text: f" {text}",
    lambda text: f"{text}\u00a0",
    lambda text: f"{text}\n",
    lambda text: f"{text}%",
    lambda text: f'"{text}"',
    lambda text: text.upper(),
    lambda text: "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text),
)
"""How people misspell a value: with blanks, a line end, a wildcard of SQL, quotes, capitals, wide letters."""


def test_spelling_of_a_value_means_the_same_on_the_page_and_on_the_command_line(
    log: None, auditctl: RunAuditctl, reader: Client
) -> None:
    for name, spell in itertools.product([row.name for row in FILTERS], SPELLINGS):
        (text, *_), _ = RANDOM[name](random.Random(3))
        texts = {name: [spell(text)]}
        done = auditctl("log", "--format", "json", "--limit", "20", *as_options(texts))
        answer = reader.get("/", params={"limit": ["20"], **texts})
        assert (done.code, answer.status_code) in ((0, 200), (2, 400)), texts
        if done.code == 0:
            assert listed(answer.text) == [shown(event) for event in json.loads(done.out)], texts


def test_one_event_shows_what_the_command_prints(log: None, auditctl: RunAuditctl, reader: Client) -> None:
    for event in json.loads(auditctl("log", "--format", "json", "--limit", "40", check=0).out):
        answer = reader.get(f"/events/{event['event_id']}")
        assert listed(answer.text) == [shown(event)]


def test_a_history_shows_what_the_command_prints(log: None, auditctl: RunAuditctl, reader: Client) -> None:
    for target, key in (("billing.customer", "1"), ("crm.note", "2"), ("billing.invoice", "none")):
        printed = json.loads(auditctl("history", target, key, "--format", "json", check=0).out)
        answer = reader.get("/history", params={"target": target, "id": key})
        assert listed(answer.text) == [shown(event) for event in printed]
