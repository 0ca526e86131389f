"""`auditctl import-log`: reads in the server's log become events, each once, whatever happens to the files."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.fixtures.templates import begin_with
from tests.support.server_log import EXPECTED, START, as_csv, as_json, imported, line, read, recorded, set_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

db_template = begin_with(set_up)


def seconds(number: int) -> datetime:
    return START + timedelta(seconds=number)


def times(conn: psycopg.Connection) -> list[datetime]:
    return [row[0] for row in imported(conn)]


@pytest.fixture
def shop(db: str, conn: psycopg.Connection, tmp_path: Path) -> Path:
    """The tables, audited, and an empty folder for logs of this database."""
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


def lines(conn: psycopg.Connection, *numbers: int, table: str = "shop.customer") -> list[dict[str, Any]]:
    return [read(number, table, dbname=conn.info.dbname) for number in numbers]


@pytest.mark.parametrize("name", ["pgaudit.json", "pgaudit.csv"])
def test_log_of_a_real_server_becomes_events(
    auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path, name: str
) -> None:
    result = auditctl("import-log", "--query", recorded(name, shop, conn.info.dbname), check=3)
    found = imported(conn)
    assert [
        (context["command"], target, context.get("leaf"), context["query"]) for *_, target, context in found
    ] == EXPECTED
    assert {row[1:5] for row in found} == {("reader", "database", "127.0.0.1", "reader")}
    assert result.err.splitlines() == [
        f"warning: 1 forged line left out: {name}:{20 if name.endswith('csv') else 19}",
        f"{22 if name.endswith('csv') else 21} new lines in 1 file: 15 reads imported.",
        "  1 imported before, or of a table that the statement names twice",
        "  3 of tables that are not audited; --all-tables imports them too",
        "error: not every line can be trusted",
        "hint: Look at the lines listed above.",
    ]


def test_event_says_where_it_comes_from(auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path) -> None:
    auditctl("import-log", recorded("pgaudit.json", shop, conn.info.dbname), check=3)
    assert imported(conn)[0] == (
        datetime(2026, 11, 25, 1, 36, 43, 602000, UTC),
        "reader",
        "database",
        "127.0.0.1",
        "reader",
        "shop.customer",
        {
            "source": "pgaudit object",
            "session_id": "6b063bab.2d51",
            "line": 1,
            "statement": "1.1",
            "command": "SELECT",
            "application_name": "psql",
            "imported_from": "pgaudit.json",
            "imported_by": "postgres",
        },
    )


def test_import_is_recorded_itself(
    auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path, login: MakeLogin
) -> None:
    admin = login("dana", roles=["auditctl_admin"])
    auditctl("import-log", recorded("pgaudit.json", shop, conn.info.dbname), dsn=admin.dsn, check=3)
    assert conn.execute(
        "select actor, action::text, context ->> 'summary', new_values from auditctl.event "
        "where target = 'auditctl.import' order by event_id"
    ).fetchall() == [
        (
            admin.name,
            "EVENT",
            "forged lines in the server's log: 1",
            {
                "count": 1,
                "lines": [
                    {
                        "line": "pgaudit.json:19",
                        "login": "reader",
                        "message": "AUDIT: OBJECT,90,1,READ,SELECT,TABLE,shop.customer,select 1,<not logged>",
                    }
                ],
            },
        ),
        (admin.name, "EVENT", "server's log imported", {"paths": [str(shop / "pgaudit.json")]}),
    ]
    assert {row[-1]["imported_by"] for row in imported(conn)} == {admin.name}


def test_second_import_of_the_same_log_adds_nothing(
    auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path
) -> None:
    recorded("pgaudit.json", shop, conn.info.dbname)
    auditctl("import-log", shop, check=3)
    events = conn.execute("select event_id from auditctl.event order by 1").fetchall()
    assert auditctl("import-log", shop, check=0).err == "0 new lines in 0 files: 0 reads imported.\n"
    assert conn.execute("select event_id from auditctl.event order by 1").fetchall() == events
    auditctl("import-log", "--again", shop, check=3)
    assert len(imported(conn)) == len(EXPECTED)


def test_both_formats_of_the_same_lines_count_once(auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path) -> None:
    for name in ("pgaudit.csv", "pgaudit.json"):
        recorded(name, shop, conn.info.dbname)
    preview = auditctl("import-log", "--dry-run", shop, check=3)
    assert "43 new lines in 2 files: 15 reads to be imported; nothing was changed.\n" in preview.err
    assert imported(conn) == []
    auditctl("import-log", shop / "pgaudit.csv", check=3)
    auditctl("import-log", shop, check=3)
    assert len(imported(conn)) == len(EXPECTED)
    assert {row[-1]["imported_from"] for row in imported(conn)} == {"pgaudit.csv"}


def test_file_that_grew_is_read_from_where_it_ended(
    auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path
) -> None:
    for name, write in (("pg.json", as_json), ("pg.csv", as_csv)):
        log = shop / name
        log.write_bytes(write(lines(conn, 1, 2)))
        auditctl("import-log", log, check=0)
        with log.open("ab") as end:
            end.write(write(lines(conn, 3)))
        assert auditctl("import-log", log, check=0).err.startswith("1 new lines in 1 file: ")
    assert times(conn) == [seconds(1), seconds(2), seconds(3)]


@pytest.mark.parametrize("write", [as_json, as_csv])
def test_torn_last_line_waits_for_its_end(
    auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path, write: Callable[[list[dict[str, Any]]], bytes]
) -> None:
    log = shop / "pg.log"
    query = {"message": 'AUDIT: OBJECT,2,1,READ,SELECT,TABLE,shop.customer,"select\n""1""\n",<not logged>'}
    whole = write([*lines(conn, 1), {**lines(conn, 2)[0], **query}])
    first = len(write(lines(conn, 1)))
    for end in (first + 1, first + 150, len(whole) - 40, len(whole) - 1):
        log.write_bytes(whole[:end])
        result = auditctl("import-log", log, check=0)
        assert "1 file(s) end in the middle of a line; the next import continues there" in result.err
        assert times(conn) == [seconds(1)]
    log.write_bytes(whole)
    auditctl("import-log", log, check=0)
    assert times(conn) == [seconds(1), seconds(2)]


def test_first_line_that_is_torn_waits_too(auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path) -> None:
    log = shop / "pg.json"
    whole = as_json(lines(conn, 1))
    for end in (0, 1, 30, len(whole) - 1):
        log.write_bytes(whole[:end])
        for path in (log, shop):
            auditctl("import-log", path, check=0)
        assert imported(conn) == []
    log.write_bytes(whole)
    auditctl("import-log", log, check=0)
    assert times(conn) == [seconds(1)]


def test_renamed_and_compressed_file_is_the_same(auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path) -> None:
    log = shop / "pg.json"
    log.write_bytes(as_json(lines(conn, 1)))
    auditctl("import-log", shop, check=0)
    with log.open("ab") as end:
        end.write(as_json(lines(conn, 2)))
    log.rename(shop / "pg.json.1")
    log.write_bytes(as_json(lines(conn, 3)))
    assert auditctl("import-log", shop, check=0).err == "2 new lines in 2 files: 2 reads imported.\n"
    old = shop / "pg.json.1"
    (shop / "pg.json.1.gz").write_bytes(gzip.compress(old.read_bytes() + as_json(lines(conn, 4))))
    old.unlink()
    assert auditctl("import-log", shop, check=0).err == "1 new lines in 1 file: 1 read imported.\n"
    assert auditctl("import-log", shop, check=0).err == "0 new lines in 0 files: 0 reads imported.\n"
    assert times(conn) == [seconds(1), seconds(2), seconds(3), seconds(4)]


def test_compressed_file_that_breaks_off_is_read_on_when_it_is_whole(
    auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path
) -> None:
    archive = shop / "pg.json.gz"
    whole = gzip.compress(as_json(lines(conn, *range(1, 400))), mtime=0)
    archive.write_bytes(whole[: len(whole) // 2])
    auditctl("import-log", shop, check=0)
    assert 0 < len(imported(conn)) < 399
    archive.write_bytes(whole)
    auditctl("import-log", shop, check=0)
    assert times(conn) == [seconds(number) for number in range(1, 400)]


def test_other_file_under_the_same_name_is_read_from_its_start(
    auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path
) -> None:
    log = shop / "pg.json"
    log.write_bytes(as_json(lines(conn, 1, 2, 3)))
    auditctl("import-log", log, check=0)
    log.write_bytes(as_json(lines(conn, 4)))  # as copytruncate leaves it
    auditctl("import-log", log, check=0)
    log.write_bytes(as_json(lines(conn, 1, 5)))  # with the same first line
    auditctl("import-log", log, check=0)
    assert times(conn) == [seconds(number) for number in range(1, 6)]


def test_files_are_read_in_the_order_of_their_time(auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path) -> None:
    (shop / "a.json").write_bytes(as_json(lines(conn, 2)))
    (shop / "b.json").write_bytes(as_json(lines(conn, 1)))
    (shop / "server.log").write_text("2026-11-24 08:00:00 UTC [1] LOG: not structured\n")
    (shop / "current_logfiles").write_text("jsonlog log/a.json\n")
    (shop / "folder").mkdir()
    auditctl("import-log", shop, check=0)
    query = "select occurred_at from auditctl.event where action = 'READ' order by event_id"
    assert [row[0] for row in conn.execute(query)] == [seconds(1), seconds(2)]


def test_only_lines_that_are_asked_for_count(auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path) -> None:
    log = shop / "pg.json"
    session = line(6, "AUDIT: SESSION,6,1,READ,SELECT,,,select 1,<not logged>", dbname=conn.info.dbname)
    elsewhere = read(7, dbname="other")
    write = line(8, "AUDIT: OBJECT,8,1,WRITE,UPDATE,TABLE,shop.customer,update,<not logged>", dbname=conn.info.dbname)
    plain = line(9, "AUDIT: of the books", dbname=conn.info.dbname, context="PL/pgSQL function f() line 1 at RAISE")
    note = lines(conn, 5, table="shop.note")
    log.write_bytes(as_json([*lines(conn, 1, 2), *note, session, elsewhere, write, plain]))
    result = auditctl("import-log", "--since", seconds(2).isoformat(), log, check=0)
    assert result.err.splitlines() == [
        "7 new lines in 1 file: 1 read imported.",
        "  1 of tables that are not audited; --all-tables imports them too",
        "  1 of pgaudit without a table; set pgaudit.log_relation = on, or use pgaudit.role",
        "  1 of other databases",
        "  1 before --since",
    ]
    assert times(conn) == [seconds(2)]
    auditctl("import-log", "--again", "--all-tables", log, check=0)
    assert [(row[0], row[5]) for row in imported(conn)] == [
        (seconds(1), "shop.customer"),
        (seconds(2), "shop.customer"),
        (seconds(5), "shop.note"),
    ]


def test_catalog_and_the_log_itself_are_never_targets(
    auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path
) -> None:
    names = ("pg_catalog.pg_class", "auditctl.event", "auditctl_triggers.x", "pg_temp_3.t", "information_schema.tables")
    (shop / "pg.json").write_bytes(as_json(read(n, table, dbname=conn.info.dbname) for n, table in enumerate(names)))
    auditctl("import-log", "--all-tables", shop, check=0)
    assert imported(conn) == []


def test_malformed_lines_are_named_and_cost_no_other(
    auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path
) -> None:
    first, second, third = (as_json(lines(conn, number)) for number in (1, 2, 3))
    (shop / "pg.json").write_bytes(first + b"nonsense\n" + second[:200] + third + b'{"timestamp":"AUDIT: "}\n')
    result = auditctl("import-log", shop, check=3)
    assert "warning: 3 malformed lines left out: pg.json:2, pg.json:3, pg.json:4\n" in result.err
    assert times(conn) == [seconds(1), seconds(3)]
    assert auditctl("import-log", shop, check=0).err == "0 new lines in 0 files: 0 reads imported.\n"


def test_line_longer_than_16_mib_is_left_out(auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path) -> None:
    first, second, third = (as_json(lines(conn, number)) for number in (1, 2, 3))
    long = second.replace(b'"psql"', b'"' + b"x" * (1 << 24) + b'"')
    (shop / "pg.json").write_bytes(first + long + third)
    result = auditctl("import-log", "--query", shop, check=3)
    assert "warning: 1 line longer than 16 MiB left out: pg.json:2\n" in result.err
    assert times(conn) == [seconds(1), seconds(3)]


def test_text_in_another_encoding_is_replaced(auditctl: RunAuditctl, conn: psycopg.Connection, shop: Path) -> None:
    (shop / "pg.json").write_bytes(as_json(lines(conn, 1)).replace(b'"psql"', b'"caf\xe9"'))
    result = auditctl("import-log", shop, check=0)
    assert "warning: 1 line with text that is not valid UTF-8; the invalid bytes were replaced\n" in result.err
    assert imported(conn)[0][-1]["application_name"] == "caf\ufffd"
