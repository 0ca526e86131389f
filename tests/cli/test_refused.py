"""What cannot be audited is refused, with the reason and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl import database
from auditctl.capture import apply, rule_store
from auditctl.errors import AuditctlError, ConfigurationError, UsageError
from tests.fixtures.databases import connect, fresh_database
from tests.support.capturing import audit, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.capture.rule_keys import Rule
    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

REFUSED: list[tuple[Rule, str]] = [
    (rule("v"), "TABLE: public.v is a view; audit the tables under it, which see every write through the view"),
    (
        rule("m"),
        "TABLE: public.m is a materialized view, which only REFRESH changes; audit the tables under it",
    ),
    (rule("pg_class"), "TABLE: pg_catalog.pg_class is a system catalog, which cannot have triggers"),
    (
        rule("information_schema.sql_features"),
        "TABLE: information_schema.sql_features is a system catalog, which cannot have triggers",
    ),
    (rule("auditctl.event"), "TABLE: auditctl.event belongs to auditctl itself, which records its own changes"),
    (
        rule("auditctl.event_default"),
        "TABLE: auditctl.event_default belongs to auditctl itself, which records its own changes",
    ),
    (rule("auditctl.rule"), "TABLE: auditctl.rule belongs to auditctl itself, which records its own changes"),
    (rule("customr"), "TABLE: there is no table customr; did you mean public.customer?"),
    (rule("public.custmer"), "TABLE: there is no table public.custmer; did you mean public.customer?"),
    (rule("third"), "TABLE: there is no table third; third is a schema: for all its tables write third.*"),
    (rule("nowhere.at_all"), "TABLE: there is no table nowhere.at_all"),
    (rule("customer", exclude=("nam",)), "--exclude: public.customer has no column nam; did you mean name?"),
    (rule("customer", mask=("zzz",)), "--mask: public.customer has no column zzz"),
    (
        rule("customer", key=("id",)),
        "--key: public.customer has a primary key (id); key is only for tables without one",
    ),
    (rule("customer", exclude=("name",), mask=("name",)), "--mask: name is already excluded"),
    (rule("customer", label="Note"), "--label: Note is already used for public.note"),
    (rule("customer", label="public.note"), "--label: public.note is already used for public.note"),
    (rule("both"), "TABLE: both may mean other.both, third.both; write the schema too"),
    (rule("public.*", label="All"), "--label: a label belongs to one table, and public.* is a glob"),
]


@pytest.fixture(scope="module")
def shop(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    with fresh_database(server, "shop", template.template_dbname) as dsn:
        with connect(dsn) as conn:
            conn.execute("""
                create table note (id int primary key);
                create table customer (id int primary key, name text);
                create view v as select 1 as one;
                create materialized view m as select 1 as one;
                create schema other; create table other.both ();
                create schema third; create table third.both ()
            """)
        audit(dsn, "note", label="Note")
        yield dsn


@pytest.mark.parametrize(("wanted", "problem"), REFUSED, ids=[problem for _, problem in REFUSED])
def test_what_cannot_be_audited_is_refused_with_its_reason(shop: str, wanted: Rule, problem: str) -> None:
    with database.connect(shop) as conn:
        with pytest.raises(ConfigurationError) as error:
            apply.enable(conn, wanted)
        assert error.value.problems == (problem,)
        assert [stored.name for stored in rule_store.read(conn)] == ["public.note"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (rule("a\0b"), "a table's name cannot contain a NUL byte"),
        (rule(""), "'' is not a table name"),
        (rule("a.b.c"), "'a.b.c' is not a table name"),
        (rule("x" * 64), f"'{'x' * 64}' is too long: a name has at most 63 bytes"),
        (rule("note", label=" "), "a label must be text that is not empty"),
    ],
)
def test_what_is_no_name_is_a_usage_error(shop: str, wanted: Rule, message: str) -> None:
    with database.connect(shop) as conn, pytest.raises(UsageError) as error:
        apply.enable(conn, wanted)
    assert (str(error.value), error.value.exit_code) == (message, 2)
    assert error.value.hint != "" or "NUL" in message


def test_a_temporary_table_is_refused(shop: str) -> None:
    with database.connect(shop) as conn:
        conn.execute("create temporary table passing (id int primary key)")
        with pytest.raises(AuditctlError, match="is a temporary table, which no other session sees"):
            apply.enable(conn, rule("passing"))


@pytest.mark.parametrize("actions", ["event", "create,updat", "", ","])
def test_unknown_or_no_actions_are_usage_errors(auditctl: RunAuditctl, actions: str) -> None:
    nowhere = {"AUDITCTL_DSN": "host=/nonexistent"}
    done = auditctl("enable", "a", "--actions", actions, env=nowhere, check=2)
    assert done.err.startswith("error: ")
    assert "hint: " in done.err
