"""A table may be named as SQL names it, with parts in quotes, wherever a table is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from auditctl import table_names
from auditctl.errors import UsageError
from auditctl.log.target_names import KnownTarget, resolve
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit
from tests.support.recorded import documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

TABLES = {
    "billing.customer": ['"billing"."customer"', 'billing."customer"', '"billing".customer', 'BILLING."customer"'],
    "billing.Customer": ['billing."Customer"', '"billing"."Customer"', 'Billing."Customer"', "billing.Customer"],
    'billing."dotted.name"': ['"billing"."dotted.name"', 'billing."dotted.name"', '"dotted.name"'],
    'billing."say ""hi"""': ['"billing"."say ""hi"""', 'Billing."say ""hi"""', '"say ""hi"""'],
    'billing."star*"': ['"billing"."star*"', '"star*"'],
    "Größe.名前": ['"Größe"."名前"', 'Größe."名前"', '"名前"', "Größe.名前"],
    "public.two words": ['"public"."two words"', '"two words"', "two words"],
}
"""Names under which tables are registered, and other ways to name them."""


KNOWN = [KnownTarget(name, None) for name in TABLES]


def identify(*parts: str) -> str:
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in parts)


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute('create schema billing; create schema "Größe"')
        for name in TABLES:
            schema, table = KnownTarget(name, None).parts
            conn.execute(f"create table {identify(schema, table)} (id int primary key)")
        audit(dsn, *TABLES)
        for name in TABLES:
            schema, table = KnownTarget(name, None).parts
            conn.execute(f"insert into {identify(schema, table)} values (7)")


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with an event of each table."""
    with prepared(server, template, prepare) as name:
        yield name


def test_log_finds_each_table_by_every_way_to_name_it(auditctl: RunAuditctl) -> None:
    for name, others in TABLES.items():
        given = [word for other in (name, *others) for word in ("--target", other)]
        out = auditctl("log", *given, "--format", "jsonl", check=0).out
        assert [event["target"] for event in documents(out)] == [name]
        for other in others:
            assert resolve(other, KNOWN) == [name]


def test_other_commands_take_the_same_names(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    names = ("billing.customer", 'billing."dotted.name"')
    for name in names:
        other = TABLES[name][0]
        (event,) = documents(auditctl("history", other, "7", "--format", "jsonl", check=0).out)
        assert event["target"] == name
        assert len(auditctl("export", "--target", other, check=0).out.splitlines()) == 2
        stats = json.loads(auditctl("stats", "--target", other, "--by", "target", "--format", "json", check=0).out)
        assert [group["target"] for group in stats["groups"]] == [name]
        auditctl("hold", "add", other, "--id", "7", "--reason", "case 7", check=0)
        auditctl("enable", other, check=0)
        auditctl("disable", other, "--actions", "truncate", check=0)
    assert conn.execute("select target from auditctl.hold order by hold_id").fetchall() == [(name,) for name in names]


def test_globs_may_have_parts_in_quotes(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    out = auditctl("log", "--target", '"billing".*', "--format", "jsonl", check=0).out
    billing = sorted(name for name in TABLES if name.startswith("billing."))
    assert sorted(event["target"] for event in documents(out)) == billing
    out = auditctl("log", "--target", '*."Customer"', "--format", "jsonl", check=0).out
    assert [event["target"] for event in documents(out)] == ["billing.Customer"]
    auditctl("hold", "add", '"billing".*', "--reason", "case 7", check=0)
    assert conn.execute("select target from auditctl.hold").fetchone() == ("billing.*",)


def test_quoted_names_mean_one_case_and_no_glob(auditctl: RunAuditctl) -> None:
    for name in ('billing."CUSTOMER"', '"Billing".customer', 'billing."cust*"', '"BILLING".*'):
        assert "the log knows no table" in auditctl("log", "--target", name, check=2).err


def test_database_reads_quotes_as_the_tool_does(conn: psycopg.Connection) -> None:
    names = [*TABLES, *(other for others in TABLES.values() for other in others)]
    odd = ["billing.*", '"billing".*', '"a.b".*', "a.b.c", 'say "hi"', '"', '""', '"a', '"a"b', '*."x?y"', ""]
    for name in (*names, *odd):
        expected = table_names.canonical(name)
        assert conn.execute("select auditctl.canonical_target(%s)", [name]).fetchone() == (expected,), name
    conn.execute("""select auditctl.place_hold('"billing"."customer"', null, 'case 7')""")
    assert conn.execute("select target from auditctl.hold").fetchone() == ("billing.customer",)


def test_retention_in_the_file_may_name_it_in_quotes(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    file = tmp_path / "audit.toml"
    target = """[[retention.target]]\nname = '"billing"."customer"'\nkeep = "800 days"\n"""
    rules = auditctl("config", check=0).out
    file.write_text(f'{rules}\n[retention]\nkeep = "400 days"\n{target}')
    auditctl("apply", "--yes", file, check=0)
    query = "select target from auditctl.retention where until is null order by target"
    assert conn.execute(query).fetchall() == [("*",), ("billing.customer",)]
    assert auditctl("plan", file, check=0).out == ""


def test_names_of_business_events_with_quotes_are_found_as_written() -> None:
    known = [KnownTarget(name, None) for name in ('say "hi"', "a.b.login", 'x."y', "auth.login")]
    assert resolve('say "hi"', known) == ['say "hi"']
    assert resolve('x."y', known) == ['x."y']
    with pytest.raises(UsageError, match=r"may mean a\.b\.login or auth\.login"):
        resolve("login", known)
