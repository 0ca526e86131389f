"""Lines of a server's log: those of a real server with pgaudit, and such as a test makes up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg

from tests.capture.test_images import audit
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDED = Path(__file__).parents[1] / "logs"
"""What `play` left in the log of PostgreSQL 15 with pgaudit 1.7, in both formats, of a database called `recorded`."""

TABLES: LiteralString = """
    create schema shop;
    create table shop.customer (id integer primary key, name text);
    create table shop.visit (day integer, customer integer) partition by range (day);
    create table shop.visit_1 partition of shop.visit for values from (0) to (10);
    create table shop."We,ird.Name" (id integer);
    create table shop.note (id integer);
    create view shop.regular as select * from shop.customer where id < 100;
    insert into shop.customer values (1, 'Ada');
    insert into shop.visit values (1, 1);
    create function shop.count_customers() returns bigint language plpgsql security definer as
        'begin return (select count(*) from shop.customer); end';
    grant usage on schema shop to public;
    grant select, insert, update, delete on all tables in schema shop to public;
"""

READS: list[LiteralString] = [
    "select * from shop.customer",
    "select *\nfrom shop.customer where name = 'a\"b,c'",
    "select * from shop.customer as a join shop.customer as b using (id) join shop.note as n using (id)",
    "select * from shop.visit",
    "select * from shop.visit_1",
    'select * from shop."We,ird.Name"',
    "select * from shop.regular",
    "begin; select * from shop.customer; rollback",
    "begin read only; select * from shop.customer; commit",
    "prepare by_id as select * from shop.customer where id = $1",
    "execute by_id (1)",
    "execute by_id (2)",
    "explain select * from shop.customer",
    "update shop.customer set name = 'Grace' where id = 1 returning *",
    "select shop.count_customers()",
    "select * from shop.note",
    "do $$ begin perform * from shop.customer; end $$",
    "do $$ begin raise log 'AUDIT: OBJECT,90,1,READ,SELECT,TABLE,shop.customer,select 1,<not logged>'; end $$",
]
"""What `play` runs, each in a transaction of its own unless it says otherwise."""

EXPECTED: list[tuple[str, str, str | None, str | None]] = [
    ("SELECT", "shop.customer", None, "select * from shop.customer"),
    ("SELECT", "shop.customer", None, "select *\nfrom shop.customer where name = 'a\"b,c'"),
    ("SELECT", "shop.customer", None, READS[2]),
    ("SELECT", "shop.visit", None, "select * from shop.visit"),
    ("SELECT", "shop.visit", "shop.visit_1", "select * from shop.visit_1"),
    ("SELECT", 'shop."We,ird.Name"', None, 'select * from shop."We,ird.Name"'),
    ("SELECT", "shop.customer", None, "select * from shop.regular"),
    ("SELECT", "shop.customer", None, READS[7]),
    ("SELECT", "shop.customer", None, READS[8]),
    ("EXECUTE", "shop.customer", None, READS[9]),
    ("EXECUTE", "shop.customer", None, READS[9]),
    ("EXPLAIN", "shop.customer", None, "explain select * from shop.customer"),
    ("DO", "shop.customer", None, "SELECT * from shop.customer"),
    ("SELECT", "shop.customer", None, "select * from shop.customer where id=$1"),
    ("COPY", "shop.customer", None, "copy shop.customer to stdout"),
]
"""The events that come of it: command, target, leaf, and the statement's text."""


def set_up(dsn: str) -> None:
    """Make the tables and audit them, all but one; have pgaudit look at them where it is loaded."""
    with connect(dsn) as conn:
        conn.execute(TABLES)
    for name in ("shop.customer", "shop.visit", 'shop."We,ird.Name"'):
        audit(dsn, name)


def play(dsn: str) -> None:
    """Read the tables in every way, as the login of the DSN."""
    with connect(dsn) as conn:
        for statement in READS:
            conn.execute(statement)
        conn.execute("select * from shop.customer where id=%s", [1])
        with conn.cursor() as cursor, cursor.copy("copy shop.customer to stdout") as copy:
            assert list(copy) != []


def recorded(name: str, folder: Path, database: str) -> Path:
    """Copy a recorded log into a folder, as if it were of another database; return its path."""
    copy = folder / name
    copy.write_bytes((RECORDED / name).read_bytes().replace(b'"recorded"', b'"%s"' % database.encode()))
    return copy


SIGNED: LiteralString = """
    select (read.json || jsonb_build_object(
        'mac', encode(sha256(k.outer_key || sha256(k.inner_key || convert_to(read.json::text, 'UTF8'))), 'hex')
    ))::text
    from (select %s::jsonb) as read (json), auditctl.log_key as k
"""
"""The JSON of a line as auditctl.record_read writes it into the server's log, of what it says."""
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
"""When the sessions of made-up lines began."""


def line(number: int, message: str, **changes: Any) -> dict[str, Any]:
    """A record as jsonlog writes it, a second for each number after `START`; a key that is None is left out."""
    process = changes.pop("process", 16)
    fields = {
        "timestamp": f"{START + timedelta(seconds=number):%Y-%m-%d %H:%M:%S}.000 UTC",
        "user": "reader",
        "dbname": "recorded",
        "pid": process,
        "remote_host": "192.0.2.7",
        "remote_port": 40000,
        "session_id": f"{int(START.timestamp()):x}.{process:x}",
        "line_num": number,
        "ps": "SELECT",
        "session_start": f"{START:%Y-%m-%d %H:%M:%S} UTC",
        "vxid": f"3/{number}",
        "txid": 0,
        "error_severity": "LOG",
        "message": message,
        "application_name": "psql",
        "backend_type": "client backend",
        "query_id": 0,
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def read(number: int, table: str = "shop.customer", **changes: Any) -> dict[str, Any]:
    """A line of pgaudit: the read of a table in a statement of its own."""
    message = f"AUDIT: OBJECT,{number},1,READ,SELECT,TABLE,{table},select * from {table},<not logged>"
    return line(number, message, **changes)


def as_json(lines: Iterable[dict[str, Any]]) -> bytes:
    """The lines as jsonlog writes them."""
    texts = [json.dumps(fields, separators=(",", ":"), ensure_ascii=False) for fields in lines]
    return "".join(f"{text}\n" for text in texts).encode()


COLUMNS = (
    "timestamp user dbname pid host session_id line_num ps session_start vxid txid error_severity state_code message "
    "detail hint internal_query internal_position context statement cursor_position location application_name "
    "backend_type leader_pid query_id"
).split()


def as_csv(lines: Iterable[dict[str, Any]]) -> bytes:
    """The same lines as csvlog writes them."""
    return "".join(_csv_row(fields) for fields in lines).encode()


_BARE = {
    "timestamp",
    "pid",
    "session_id",
    "line_num",
    "session_start",
    "vxid",
    "txid",
    "error_severity",
    "state_code",
    "query_id",
}


def _csv_row(fields: dict[str, Any]) -> str:
    port = fields.get("remote_port")
    host = fields.get("remote_host", "")
    known = {"state_code": "00000", **fields, "host": host if port is None else f"{host}:{port}"}
    cells = []
    for column in COLUMNS:
        value = str(known.get(column, ""))
        is_bare = column in _BARE or value == ""
        cells.append(value if is_bare else '"' + value.replace('"', '""') + '"')
    return ",".join(cells) + "\n"


def imported(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    """What was imported, oldest first: time, who, kind, ip, login, target, context."""
    return conn.execute(
        "select occurred_at, actor, actor_kind, host(ip), db_user, target, context from auditctl.event "
        "where action = 'READ' and context ? 'imported_by' order by occurred_at, event_id"
    ).fetchall()
