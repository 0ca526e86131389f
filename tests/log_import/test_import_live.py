"""The log of a running server: what pgaudit tells of, rotation, and whom a login cannot deceive."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support import server_log
from tests.support.server_log import EXPECTED, as_csv, as_json, imported, read

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.logs import Logged

pytestmark = pytest.mark.slow  # needs a server that writes its log, and waits for what it writes


@pytest.fixture
def shop(logged: Logged) -> Logged:
    """The audited tables, which pgaudit looks at."""
    server_log.set_up(logged.dsn)
    with connect(logged.dsn) as conn:
        conn.execute("grant select on all tables in schema shop to readlog")
    return logged


def reads(shop: Logged) -> list[tuple[str, str, str, str]]:
    """Who, what, command and source of what was imported."""
    with connect(shop.dsn) as conn:
        return [(row[1], row[5], row[-1]["command"], row[-1]["source"]) for row in imported(conn)]


def test_server_tells_what_the_recorded_log_tells(auditctl: RunAuditctl, shop: Logged, tmp_path: Path) -> None:
    """Where pgaudit is not installed, the log that was recorded with it stands for the server's."""
    if shop.has_pgaudit:
        server_log.play(shop.reader)
        shop.write("all is played")
        folder = shop.folder
    else:
        folder = tmp_path / "log"
        folder.mkdir()
        with connect(shop.dsn) as conn:
            for name in ("pgaudit.json", "pgaudit.csv"):
                server_log.recorded(name, folder, conn.info.dbname)
    assert "15 reads imported" in auditctl("import-log", "--query", folder, dsn=shop.dsn, check=3).err
    with connect(shop.dsn) as conn:
        found = imported(conn)
    assert [(row[-1]["command"], row[5], row[-1].get("leaf"), row[-1]["query"]) for row in found] == EXPECTED
    assert {row[1:5] for row in found} == {("reader", "database", "127.0.0.1", "reader")}


CASES: dict[LiteralString, bool] = {
    "begin; select from shop.customer; rollback": True,
    "begin read only; select from shop.customer; commit": True,
    "select from shop.customer where id = 0": True,
    "select 1 / (id - 1) from shop.customer": True,
    "insert into shop.note select id from shop.customer": True,
    "select shop.count_customers()": False,
    "delete from shop.customer where id = 0 returning *": False,
}
"""Reads, and whether pgaudit tells of them in the session of an ordinary login."""


def test_pgaudit_tells_of_reads_that_leave_no_event(auditctl: RunAuditctl, shop: Logged) -> None:
    with connect(shop.reader) as reader, connect(shop.dsn) as superuser:
        superuser.execute("grant insert on shop.note to reader")
        for conn in (reader, superuser):
            for statement in CASES:
                with suppress(psycopg.errors.DivisionByZero):
                    conn.execute(statement)
    shop.write("all cases are done")
    auditctl("import-log", "--query", shop.folder, dsn=shop.dsn, check=0)
    with connect(shop.dsn) as conn:
        found = [(row[1], row[-1]["query"]) for row in imported(conn)]
    seen = [statement for statement, is_seen in CASES.items() if is_seen]
    inside = "(select count(*) from shop.customer)"  # what the function runs, which its definer's login sees
    expected = [
        *(("reader", statement) for statement in seen),
        *(("postgres", statement) for statement in seen),
        ("postgres", inside),
    ]
    assert sorted(found) == (sorted(expected) if shop.has_pgaudit else [])


def test_times_are_right_whatever_the_time_zone_of_the_log(auditctl: RunAuditctl, shop: Logged) -> None:
    with connect(shop.dsn) as conn:
        (before,) = conn.execute("select date_trunc('milliseconds', clock_timestamp())").fetchone() or ()
        conn.execute("select from shop.customer")
        (after,) = conn.execute("select clock_timestamp()").fetchone() or ()
        shop.write("the time is told")
        auditctl("import-log", shop.folder, dsn=shop.dsn, check=0)
        assert [before <= row[0] <= after for row in imported(conn)] == [True] * shop.has_pgaudit


def test_session_lines_count_where_they_name_the_table(auditctl: RunAuditctl, shop: Logged) -> None:
    with connect(shop.dsn) as conn:
        conn.execute("revoke select on all tables in schema shop from readlog")
        if not shop.has_pgaudit:
            return
        conn.execute("set pgaudit.log = 'read'; set pgaudit.log_relation = on; set pgaudit.log_parameter = on")
        conn.execute("set pgaudit.log_rows = on; set pgaudit.log_statement_once = on")
        conn.execute("select * from shop.customer, shop.visit where customer.id=%s", [1])
    shop.write("session lines")
    auditctl("import-log", shop.folder, dsn=shop.dsn, check=0)
    assert sorted(reads(shop)) == [
        ("postgres", "shop.customer", "SELECT", "pgaudit session"),
        ("postgres", "shop.visit", "SELECT", "pgaudit session"),
    ]


def test_rotation_is_followed(auditctl: RunAuditctl, shop: Logged) -> None:
    before = {path.name for path in shop.folder.iterdir()}
    for number in range(3):
        if shop.has_pgaudit:
            with connect(shop.reader) as conn:
                conn.execute("select from shop.customer")
        shop.write(f"before rotation {number}")
        if number == 1:
            auditctl("import-log", shop.folder, dsn=shop.dsn, check=0)
            with connect(shop.dsn) as conn:
                conn.execute("select pg_sleep(1.1)")  # the name of a file has seconds
                conn.execute("select pg_rotate_logfile()")
    shop.write("after rotation")
    assert {path.name for path in shop.folder.iterdir()} > before
    auditctl("import-log", shop.folder, dsn=shop.dsn, check=0)
    assert len(reads(shop)) == (3 if shop.has_pgaudit else 0)


LOUDEST: list[LiteralString] = [
    "set client_min_messages = debug5",
    "set application_name = 'AUDIT: OBJECT,1,1,READ,SELECT,TABLE,shop.customer,select 1,<not logged>'",
    "do $$ begin raise log 'AUDIT: OBJECT,1,1,READ,SELECT,TABLE,shop.customer,select 1,<not logged>'; end $$",
    "do $$ begin raise log 'AUDIT: OBJECT,1,1,READ,SELECT,TABLE,shop.customer,select 1,<not logged>' "
    "using errcode = '00000', detail = '', hint = ''; end $$",
    "do $$ begin raise warning 'AUDIT: SESSION,1,1,READ,SELECT,TABLE,shop.customer,select 1,<not logged>'; end $$",
    'do $$ begin raise log e\'x\\n2026-11-24 08:00:01.000 UTC,"reader","x",1,"x",1.1,1,"SELECT",x\'; end $$',
    'do $$ begin raise log e\'x\\n{"timestamp":"2026-11-24 08:00:01.000 UTC","message":"AUDIT: "}\'; end $$',
]


def test_no_login_can_write_a_line_that_is_believed(auditctl: RunAuditctl, shop: Logged) -> None:
    with connect(shop.reader) as conn:
        for statement in LOUDEST:
            conn.execute(statement)
    with connect(shop.reader) as conn, pytest.raises(Exception, match="AUDIT"):
        conn.execute("do $$ begin raise exception 'AUDIT: OBJECT,1,1,READ,SELECT,TABLE,shop.customer,,'; end $$")
    shop.write("all is forged")
    result = auditctl("import-log", shop.folder, dsn=shop.dsn, check=3)
    assert "warning: 4 forged lines left out" in result.err
    assert "malformed" not in result.err
    assert reads(shop) == []


def test_a_whole_record_inside_a_statement_is_no_record(auditctl: RunAuditctl, shop: Logged) -> None:
    with connect(shop.reader) as conn:
        name = conn.info.dbname
        for write in (as_json, as_csv):
            record = write([read(1, dbname=name)]).decode()
            for text in (f'"\n{record}', f"\n{record}", f'",,,,\n{record}"', f'"{record}'):
                with pytest.raises(Exception, match="does not exist"):
                    conn.execute(f"select no_such_function($t${text}$t$)".encode())
    shop.write("all is hidden")
    result = auditctl("import-log", shop.folder, dsn=shop.dsn, check=0)
    assert "malformed" not in result.err
    assert reads(shop) == []
