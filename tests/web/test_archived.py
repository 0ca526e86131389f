"""The page of a log whose middle months are in files alone: what it shows does not change, or it says what it lacks."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from psycopg.sql import SQL, Identifier

from auditctl.web.request import AppState, Visit
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.archived import move_month
from tests.support.recorded import START, Recorded, label, record, switch_lookups_off
from tests.web.parsing import numbers, parsed
from tests.web.test_paging import last_address, walk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg
    from starlette.requests import Request

    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, ServePage

    ServeReader = Callable[[str | None], Client]

pytestmark = pytest.mark.slow

ODD = '{"note": "</td><b>\\"", "deep": {"a": [1.10, null]}, "secret": {"$masked": true}, "long": "' + "y" * 3000 + '"}'


def prepare(dsn: str) -> None:
    """An object whose key changes in March and in April, and which a truncate ends, with others in four months."""
    with connect(dsn) as conn:
        switch_lookups_off(conn)
        label(conn, "billing.customer", "Customer")
        for month in (3, 4, 5, 6):
            start = START.replace(month=month)
            moved = f'{{"previous_target_id": "{month - 3}", "reason": "ticket {month}"}}'
            record(
                conn,
                Recorded(at=start, target_id=str(month - 3), action="CREATE" if month == 3 else "UPDATE", new=ODD),
                Recorded(at=start + timedelta(hours=1), target_id=str(month - 2), context=moved if month < 5 else None),
                Recorded(at=start + timedelta(hours=1), target_id="other", actor=None, kind="system", ip=None),
                Recorded(at=start + timedelta(hours=2), target="billing.invoice"),
                Recorded(at=start + timedelta(hours=3), target="billing.customer", target_id=None, action="TRUNCATE"),
            )


db_template = begin_with(prepare)

PAGES = (
    "/?until=2026-07-01", "/?until=2026-07-01&target=Customer&id=1",
    "/?until=2026-07-01&user=(System)&columns=user,new_values&was=balance%3D10", "/history?target=Customer&id=2",
    "/history?target=Customer&id=0&order=desc", "/events/{5}", "/events/{6}", "/events/{13}",
    "/export.csv?until=2026-07-01", "/export.jsonl?until=2026-07-01&order=desc",
)  # fmt: skip
"""What is looked at; events by their place in the order of capture."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def numbered(conn: psycopg.Connection) -> list[int]:
    """The numbers of all events, in the order of capture."""
    query = "select event_id from auditctl.event where target like 'billing.%' order by occurred_at, event_id"
    return [number for (number,) in conn.execute(query)]


@pytest.fixture
def serve_reader(serve_page: ServePage, person: MakeLogin) -> ServeReader:
    """Serves the page with an archive to a reader of the log."""
    login = person("reader", roles=["auditctl_reader"])
    return lambda archive: serve_page(archive=archive).as_login(login)


def move(conn: psycopg.Connection, folder: Path) -> None:
    """Leave April and May to the archive."""
    for month in ("2026-04", "2026-05"):
        move_month(conn, folder, month)


def shown(client: Client, numbered: list[int]) -> list[str]:
    """The pages, without what differs each time and what they say of coverage, loaded at the same time."""

    def load(address: str) -> str:
        answer = client.get(address.format(*numbered))
        assert answer.status_code == 200
        text = re.sub(r'<input type="hidden" name="csrf"[^>]*>', "", answer.text)
        return re.sub(r'<details class="coverage".*?</details>', "", text, flags=re.S)

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(load, PAGES))


def test_what_pages_show_does_not_change_as_months_are_dropped(
    serve_reader: ServeReader, conn: psycopg.Connection, folder: Path, numbered: list[int]
) -> None:
    alone, by_path, by_places = serve_reader(None), serve_reader(str(folder)), serve_reader("")
    before = shown(alone, numbered)
    assert shown(by_places, numbered) == before
    move(conn, folder)
    assert shown(by_places, numbered) == before
    folder.rename(folder.parent / "moved")
    assert f"{folder} has no archived month of the database shop" in by_path.get("/").text
    (folder.parent / "moved").rename(folder)
    text = by_path.get("/?until=2026-07-01").text
    assert "Not searched" not in text
    assert "could not be read" not in text
    assert "Not searched: 2026-04 to 2026-05" in alone.get("/?until=2026-07-01").text


def test_pages_of_seven_cross_from_the_table_to_the_files_and_back(
    serve_reader: ServeReader, conn: psycopg.Connection, folder: Path, numbered: list[int]
) -> None:
    move(conn, folder)
    client, first = serve_reader(""), "/?target=billing.*&limit=7"
    there = walk(client, first, "next")
    assert [number for page in there for number in page] == numbered[::-1]
    back = walk(client, last_address(client, first), "prev")
    assert [number for page in reversed(back) for number in page] == numbered[::-1]


def test_a_page_before_the_archived_months_reads_no_file_and_others_say_what_they_lack(
    serve_reader: ServeReader, conn: psycopg.Connection, folder: Path, numbered: list[int]
) -> None:
    move(conn, folder)
    part = folder / "database=shop/month=2026-05/part-0001.parquet"
    part.write_bytes(part.read_bytes()[:-1])
    client = serve_reader("")
    near = client.get("/?target=billing.*&limit=3")
    assert numbers(near.text) == numbered[-1:-4:-1]
    assert "could not be read" not in near.text
    far = client.get("/?target=billing.*")
    assert (far.status_code, numbers(far.text)) == (200, [*numbered[-1:-6:-1], *numbered[4::-1]])
    assert "Archived months could not be read, so events may be missing here" in far.text
    assert "month=2026-05/part-0001.parquet was altered" in far.text
    assert "Not searched: 2026-04 to 2026-05" in far.text
    part_of_page = client.get("/?target=billing.*", headers={"hx-request": "true"})
    assert "Archived months could not be read" in part_of_page.text
    assert "could not be read" in client.get("/history?target=Customer&id=2").text
    assert client.get(f"/events/{numbered[-1]}").status_code == 200
    for address in (f"/events/{numbered[11]}", "/export.csv"):
        answer = client.get(address)
        assert answer.status_code == 503
        assert "The archive cannot be read" in answer.text
        assert "part-0001.parquet was altered" in answer.text
    assert client.get("/events/999999").status_code == 404


def test_who_may_not_read_the_log_reads_no_archive(
    serve_page: ServePage, person: MakeLogin, conn: psycopg.Connection, folder: Path
) -> None:
    move(conn, folder)
    login = person("auditor", roles=["auditctl_reader"])
    client = serve_page(archive=str(folder)).as_login(login)
    assert client.get("/").status_code == 200
    conn.execute(SQL("revoke auditctl_reader from {}").format(Identifier(login.name)))
    for address in ("/", "/history?target=Customer&id=2", "/events/7", "/export.csv"):
        answer = client.get(address)
        assert (answer.status_code, "billing" in answer.text) == (403, False)


def test_reading_files_ends_with_the_time_of_a_page(
    serve_page: ServePage, person: MakeLogin, conn: psycopg.Connection, folder: Path
) -> None:
    move(conn, folder)
    login = person("auditor", roles=["auditctl_reader"])
    # To PostgreSQL zero means no limit.
    client = serve_page(archive=str(folder), page_timeout=timedelta(0)).as_login(login)
    answer = client.get("/?target=Customer")
    assert (answer.status_code, "The query took too long" in answer.text) == (504, True)
    assert len(numbers(client.get("/?target=Customer&limit=2").text)) == 2


def test_reading_files_ends_when_the_client_disconnects() -> None:
    stopped: list[str] = []
    visit = Visit(cast("AppState", None), cast("Request", None))
    with visit.stopping(lambda: stopped.append("during")):
        visit.disconnect()
    with visit.stopping(lambda: stopped.append("before")):
        pass
    assert stopped == ["during", "before"]


def test_an_export_of_archived_months_is_recorded_as_one(
    serve_reader: ServeReader, conn: psycopg.Connection, folder: Path
) -> None:
    move(conn, folder)
    serve_reader("").get("/export.csv?until=2026-07-01")
    query = "select new_values from auditctl.event where target = 'auditctl.export' order by event_id"
    begin, end = (row[0] for row in conn.execute(query))
    assert (begin["everywhere"], end["rows"]) == (True, 20)


def test_the_chart_marks_what_it_does_not_count_by_shape_and_in_words(
    serve_reader: ServeReader, conn: psycopg.Connection, folder: Path
) -> None:
    move(conn, folder)
    client = serve_reader(None)
    text = client.get("/overview?since=2026-03-01&until=2026-07-01").text
    assert f"Not counted: 2026-04 to 2026-05, which are in the archive {folder}." in text
    bars = [some.attributes["aria-label"] for some in parsed(text).elements if "data-since" in some.attributes]
    marked = ["those in the archive are not counted" in label for label in bars]
    assert text.count('fill="url(#hatched)"') == sum(marked) + len(["the swatch"])
    edges = [label for label, is_marked in zip(bars, marked, strict=True) if is_marked]
    assert len(edges) > 8
    assert all("Apr" in label or "May" in label for label in edges)
    assert "hatched" not in client.get("/overview?since=2026-06-01").text
    alone = client.get("/overview?since=2026-04-01&until=2026-05-01").text
    assert "Nothing to chart" in alone
    assert "Not counted: 2026-04, which is in the archive" in alone


def test_retention_names_the_archived_months_and_which_the_database_has(
    serve_reader: ServeReader, conn: psycopg.Connection, folder: Path
) -> None:
    client = serve_reader(None)
    assert "Archived months" not in client.get("/retention").text
    move(conn, folder)
    conn.execute("alter table auditctl.archived_month disable trigger user")
    conn.execute("update auditctl.archived_month set dropped_at = null where month = '2026-05'")
    rows = [some.text for some in parsed(client.get("/retention").text).elements if some.tag == "tr"]
    april, may = (" ".join(row.split()) for row in rows if str(folder) in row)
    assert april.startswith(f"2026-04 5 {folder}")
    assert "dropped" in april
    assert may.endswith("yes, too")
