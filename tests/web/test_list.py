"""Columns and days in the address of the log: what each shows, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from auditctl.log.columns import COLUMNS
from auditctl.log.formats import EXPORTS
from auditctl.web.render.event_columns import TITLES, USUAL
from tests.support.recorded import START, Recorded, minutes, record
from tests.web.parsing import alerts, link, listed, numbers

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client

MANY = Recorded(old='{"note": "</td><b>"}', new='{"note": 12.50}', context='{"reason": "ticket 4711"}')
LONG = Recorded(at=minutes(-1), actor=None, kind="system", ip=None, old=None, new=json.dumps({"note": "y" * 3000}))


def text_of(value: object) -> str:
    """What a page shows of a value that the command printed as JSON."""
    if value is None:
        return ""
    return json.dumps(value).replace("12.5", "12.50") if isinstance(value, dict) else str(value)


def test_every_column_has_a_title_and_shows_what_the_command_prints(
    reader: Client, auditctl: RunAuditctl, conn: psycopg.Connection
) -> None:
    assert tuple(TITLES) == COLUMNS
    record(conn, MANY, LONG)
    order = COLUMNS[::-1]
    names = [name for name in order if name not in ("created_on", "user", "details")]
    printed = json.loads(auditctl("log", "--target", "customer", "--format", "json", check=0).out)
    shown = listed(reader.get("/", params={"target": "customer", "columns": ",".join(order)}).text)
    assert [[title for title in row if title in TITLES.values()] for row in shown] == [
        [TITLES[one] for one in order]
    ] * 2
    for row, event in zip(shown, printed, strict=True):
        assert [row[TITLES[name]] for name in names] == [text_of(event[name])[:1000] for name in names]
    assert len(shown[1]["New values"]) == 1000
    history = listed(reader.get("/history?target=customer&id=7&columns=user,new_values").text)
    assert [list(row) for row in history] == [["event_id", "User", "New values"]] * 2


def test_ticked_boxes_become_one_list_in_the_address_and_the_usual_ones_none(reader: Client) -> None:
    for names, expected in ((("user", "details"), ["user,details"]), (USUAL, None)):
        answer = reader.get("/", params={"columns": list(names), "user": "alice", "limit": "25"})
        assert answer.status_code == 303
        address = urlsplit(answer.headers["location"])
        query = parse_qs(address.query)
        assert (query["user"], query["limit"], query.get("columns")) == (["alice"], ["25"], expected)
    text = reader.get("/?columns=user,details").text
    assert "columns=user%2Cdetails" in str(link(text, "next") or text)


@pytest.mark.parametrize(
    "path", ["/", "/history?target=auditctl.store&id=1", "/export.csv", "/export.jsonl", "/overview"]
)
def test_columns_that_are_none_are_refused(reader: Client, path: str) -> None:
    joint = "&" if "?" in path else "?"
    for names, said in (("name", "is not a column"), ("user,user", "the column user is named twice")):
        answer = reader.get(f"{path}{joint}columns={names}")
        assert (answer.status_code, said in answer.text) == (400, True)


def test_page_exports_the_columns_that_the_command_exports(
    reader: Client, auditctl: RunAuditctl, conn: psycopg.Connection
) -> None:
    record(conn, MANY)
    text = reader.get("/?columns=user,new_values").text
    for row in EXPORTS:
        answer = reader.get(f"/export.{row.name}?target=customer&columns=user,new_values")
        assert (f'formaction="/export.{row.name}"' in text) == row.has_columns
        if not row.has_columns:
            assert (answer.status_code, alerts(answer.text) or "takes no columns" in answer.text) == (400, True)
            continue
        options = ("--target", "customer", "--columns", "user,new_values", "--format", row.name)
        assert answer.content == auditctl("export", *options, check=0).out.encode()


def test_day_leads_to_its_newest_event_and_older_ones_by_the_clock_of_the_address(
    reader: Client, conn: psycopg.Connection
) -> None:
    start = START.replace(hour=22, minute=30, microsecond=0)
    late, early = record(conn, Recorded(at=start.replace(hour=23)), Recorded(at=start))
    for zone, day, found in (
        ("UTC", "2026-03-01", [late, early]), ("UTC", "2026-02-28", []), ("Europe/Berlin", "2026-03-01", [early]),
        ("Europe/Berlin", "2026-03-02", [late, early]), ("America/New_York", "2026-03-01", [late, early]),
    ):  # fmt: skip
        answer = reader.get("/", params={"target": "customer", "day": day, "tz": zone, "before": "x", "live": "1"})
        assert answer.status_code == 303
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        assert sorted(query) == sorted({"target", "after", "tz"})
        text = reader.get(answer.headers["location"]).text
        assert numbers(text) == found, (zone, day)
        assert link(text, "prev") is not None
        assert late in [*numbers(text), *numbers(reader.get(str(link(text, "prev"))).text)]
    for day in ("tomorrow", "2026-02-30", "9999-12-31", "2026-03-01T00:00"):
        assert reader.get("/", params={"day": day}).status_code == 400
