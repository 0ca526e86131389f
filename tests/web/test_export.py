"""Exports from the page: the bytes of `auditctl export`, streamed, recorded, and never short without a sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from auditctl.log.formats import BY_NAME, EXPORTS
from tests.export.test_export import HOSTILE
from tests.fixtures.databases import connect
from tests.support.recorded import Recorded, minutes, own_events, record
from tests.web.serving import wait_until

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page

PATHS = [f"/export.{row.name}" for row in EXPORTS]
QUERY = "select count(*) from pg_stat_activity where usename = %s and state <> 'idle'"


def is_quiet(conn: psycopg.Connection, login: str) -> bool:
    """Whether a login does nothing on the server."""
    return conn.execute(QUERY, [login]).fetchone() == (0,)


def test_downloads_have_the_registered_media_types() -> None:
    assert {"csv", "jsonl"} <= {row.name for row in EXPORTS}
    assert BY_NAME["csv"].media_type == "text/csv; charset=utf-8; header=present"
    assert BY_NAME["jsonl"].media_type == "application/jsonl; charset=utf-8"


def test_the_log_has_a_button_for_each_export(reader: Client) -> None:
    text = reader.get("/").text
    for row in EXPORTS:
        assert f'formaction="/export.{row.name}" class="link">Export {row.shown_name}</button>' in text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_the_page_writes_the_bytes_that_the_command_writes(
    reader: Client, auditctl: RunAuditctl, conn: psycopg.Connection, path: str, order: str, raw: list[str]
) -> None:
    record(conn, *HOSTILE, *(Recorded(at=minutes(count), target="crm.note") for count in range(30)))
    form = path.rpartition(".")[2]
    options = ["--target", "billing.*", "--target", "crm.note", "--until", "2026-03-01T12:20:00Z", "--order", order]
    written = auditctl("export", "--format", form, *options, *raw, check=0).out.encode()
    texts: dict[str, str | list[str]] = {"target": ["billing.*", "crm.note"], "until": "2026-03-01T12:20:00Z"}
    answer = reader.get(path, params={**texts, "order": order, **({"raw": "1"} if raw else {})})
    assert answer.content == written
    assert answer.headers["content-type"] == BY_NAME[form].media_type != ""
    assert answer.headers["content-disposition"].startswith('attachment; filename="activity-')
    assert len(written.splitlines()) > 20
    by_command, by_page = own_events(conn)
    assert by_page == by_command == {
        "format": form, "order": order, "raw": bool(raw),
        "filters": {"until": "2026-03-01T12:20:00Z", "target": ["billing.*", "crm.note"]},
    }  # fmt: skip


REFUSED = [
    "order=up",
    "order=asc&order=desc",
    "raw=2",
    "limit=5",
    "after=x",
    "xact=x",
    "target=no.such.table",
    "since=soon",
]


def test_what_is_refused_is_refused_before_the_first_byte(reader: Client, conn: psycopg.Connection) -> None:
    for address in (f"{path}?{query}" for path in PATHS for query in REFUSED):
        answer = reader.get(address)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8"), address
    assert own_events(conn) == []


def test_an_export_of_nothing_is_a_header_or_nothing(
    reader: Client, auditctl: RunAuditctl, conn: psycopg.Connection
) -> None:
    for path in PATHS:
        form = path.rpartition(".")[2]
        written = auditctl("export", "--format", form, "--xact", "999999", check=0).out.encode()
        answer = reader.get(path, params={"xact": "999999"})
        assert (answer.status_code, answer.content) == (200, written)


@pytest.mark.parametrize("path", PATHS)
def test_who_only_asks_whether_it_is_there_or_comes_from_another_site_records_nothing(
    reader: Client, conn: psycopg.Connection, path: str
) -> None:
    head = reader.head(path)
    assert (head.status_code, head.headers["allow"]) == (405, "GET")
    for site in ("cross-site", "same-site"):
        assert reader.get(path, headers={"sec-fetch-site": site}).status_code == 403
    assert reader.post(path).status_code == 405
    assert own_events(conn) == []


@pytest.mark.parametrize("path", ["/export.csv", "/"])
def test_who_goes_away_before_the_first_byte_leaves_nothing_running(
    page: Page, person: MakeLogin, conn: psycopg.Connection, path: str
) -> None:
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    with connect(page.dsn) as locking, locking.transaction():
        locking.execute("lock table auditctl.target, auditctl.event in access exclusive mode")
        with pytest.raises(httpx.ReadTimeout):
            client.get(path, timeout=httpx.Timeout(60, read=1))
        wait_until(lambda: is_quiet(conn, login.name))
    assert client.get("/").status_code == 200
