"""`auditctl doctor` on capture: whatever may leave a write without its event is found, and its remedy repairs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pytest

from auditctl.doctor.model import Finding, Severity
from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit
from tests.support.doctoring import examine_and_repair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

CRITICAL, WARNING, NOTICE = Severity.CRITICAL, Severity.WARNING, Severity.NOTICE
APPLY = "auditctl apply --yes"
UPDATE = "auditctl_triggers.public__a__update"

TABLES = """
    create table a (id int primary key, v text, secret text);
    create table "Odd ""one"".x" (id int primary key);
    create table parted (id int primary key, v text) partition by range (id);
    create table parted_1 partition of parted for values from (0) to (10);
    create table heir () inherits (a);
    create schema globbed; create table globbed.first (id int primary key)
"""


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(TABLES)
    audit(dsn, "public.a", 'public."Odd ""one"".x"', "public.parted", "globbed.*")


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with audited tables of every kind, in which nothing is wrong."""
    with prepared(server, template, prepare) as name:
        yield name


@pytest.fixture
def patient(db: str) -> str:
    """The DSN of a clone of it."""
    return db


def silent(trigger: str, relation: str, state: str) -> Finding:
    return Finding(
        CRITICAL,
        "trigger_silent",
        f"{trigger} on {relation}",
        f"Writes to {relation} may leave no event: the trigger is {state}.",
        APPLY,
    )


CASES: dict[str, tuple[LiteralString, list[Finding]]] = {
    "trigger switched off": (
        "alter table a disable trigger auditctl_update",
        [silent("auditctl_update", "public.a", "switched off")],
    ),
    "trigger silent in replica mode": (
        'alter table "Odd ""one"".x" enable trigger auditctl_delete',
        [silent("auditctl_delete", 'public."Odd ""one"".x"', "silent in replica mode")],
    ),
    "trigger of a partition switched off": (
        "alter table parted_1 disable trigger auditctl_create",
        [silent("auditctl_create", "public.parted_1", "switched off")],
    ),
    "trigger of a child silent outside replica mode": (
        "alter table heir enable replica trigger auditctl_create",
        [silent("auditctl_create", "public.heir", "silent outside replica mode")],
    ),
    "trigger gone": (
        "drop trigger auditctl_update on a; drop trigger auditctl_create on a",
        [
            Finding(
                CRITICAL, "trigger_missing", "public.a",
                "No insert or update of public.a leaves an event: the trigger is gone.", APPLY,
            )
        ],
    ),
    "trigger of a partitioned table gone": (
        "drop trigger auditctl_update on parted",
        [
            Finding(
                CRITICAL, "trigger_missing", "public.parted",
                "No update of public.parted leaves an event: the trigger is gone.", APPLY,
            )
        ],
    ),
    "all triggers gone": (
        "drop trigger auditctl_create on globbed.first; drop trigger auditctl_update on globbed.first; "
        "drop trigger auditctl_delete on globbed.first; drop trigger auditctl_truncate on globbed.first",
        [
            Finding(
                CRITICAL, "table_uncaptured", "globbed.first",
                "No insert, update, delete or truncate of globbed.first leaves an event, although the rule globbed.* "
                "covers it.",
                APPLY,
            )
        ],
    ),
    "function with another body": (
        f"create or replace function {UPDATE}() returns trigger language plpgsql as $$ begin return null; end $$",
        [
            Finding(
                CRITICAL, "capture_changed", "public.a update",
                "Events of update on public.a may be missing or wrong: The function's owner, privileges or security "
                "were changed.",
                APPLY,
            )
        ],
    ),
    "function executable by everybody": (
        f"grant execute on function {UPDATE}() to public",
        [
            Finding(
                WARNING, "function_executable", f"{UPDATE}()",
                f"Everybody may execute {UPDATE}(): attached to a table of theirs, or called, it makes events of "
                f"things "
                "that never happened.",
                f"revoke all on routine {UPDATE}() from public cascade;",
            )
        ],
    ),
    "function nobody knows": (
        "create procedure auditctl_triggers.stray(a text) language sql as 'select 1'",
        [
            Finding(
                WARNING, "function_unknown", "auditctl_triggers.stray(text)",
                "Nobody knows what auditctl_triggers.stray(text) is for; it lies where only generated functions are.",
                "auditctl apply --yes",
            )
        ],
    ),
    "rule instead of a write": (
        "create rule nothing as on delete to a do instead nothing",
        [
            Finding(
                CRITICAL, "rule_instead", "nothing on public.a",
                "A write to public.a may do something else than it says, and leave no event: the rule nothing takes "
                "the "
                "place of each delete.",
                "If an application needs the rule, accept the finding; if none does: drop rule nothing on public.a",
            )
        ],
    ),
    "rule besides a write": (
        'create rule "And so" as on update to a do also notify x',
        [
            Finding(
                NOTICE, "rule_also", '"And so" on public.a',
                'Each update of public.a does more than it says: the rule "And so" adds to it, in the session of '
                "the writer.",
                'If an application needs the rule, accept the finding; if none does: drop rule "And so" on public.a',
            )
        ],
    ),
    "unlogged table": (
        "alter table a set unlogged",
        [
            Finding(
                WARNING, "table_unlogged", "public.a",
                "A crash of the server empties public.a, and no event says so.", "alter table public.a set logged;",
            )
        ],
    ),
    "rule deleted by hand": (
        "delete from auditctl.rule where name = 'public.a'",
        [
            Finding(
                WARNING, "trigger_unwanted", relation,
                f"Writes to {relation} leave events, although no rule asks for it: a rule was removed by hand, or "
                f"somebody "
                "makes events of a table of theirs.",
                APPLY,
            )
            for relation in ("public.a", "public.heir")
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_with_capture_is_found_and_repaired(patient: str, auditctl: RunAuditctl, case: str) -> None:
    broken, expected = CASES[case]
    examine_and_repair(patient, broken, expected, auditctl)
