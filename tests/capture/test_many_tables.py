"""Many tables: what is generated, in how many transactions it is applied, and what an interruption leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl import database
from auditctl.actions import DEFAULT, Action
from auditctl.capture import apply as capture_apply
from auditctl.capture import batches
from auditctl.capture.batches import Progress
from auditctl.capture.model import Audited, Relation, Statement
from auditctl.capture.plan import Change, ChangeKind, Plan
from auditctl.capture.rule_keys import Rule
from auditctl.errors import DatabaseError
from tests.fixtures.databases import GUARD_OFF, prepared
from tests.support.capturing import apply, audit, events, pending, triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

TABLES: LiteralString = """
    create type mood as enum ('sad', 'glad');
    create table a (id int primary key, v text, m mood);
    create table b (id int primary key, v text, m mood);
    create table c (id int primary key, v text, m mood)
"""

FILE = "".join(f'[[table]]\nname = "public.{name}"\nactions = ["create", "delete"]\n' for name in "abc")

NO_GENERATOR: LiteralString = "alter function auditctl_internal.capture_function rename to elsewhere"
"""Whatever needs the generator fails."""


def make_tables(dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        conn.execute(TABLES)


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    with prepared(server, template, make_tables) as name:
        yield name


def captured(conn: psycopg.Connection) -> list[str]:
    """The tables with a trigger of ours."""
    return sorted({table for table, _, _ in triggers(conn)})


def test_nothing_is_generated_for_tables_that_are_known_to_be_sound_but_by_a_thorough_apply(
    db: str, conn: psycopg.Connection
) -> None:
    audit(db, "a", "b")
    conn.execute("alter table a add column w int")
    conn.execute(NO_GENERATOR)
    assert pending(db) == []
    apply(db)
    apply(db, only=("a",))
    with pytest.raises(DatabaseError, match="capture_function"):
        apply(db, is_thorough=True)


def test_an_enable_generates_for_its_table_alone(db: str, conn: psycopg.Connection) -> None:
    audit(db, "a", "b")
    conn.execute("update auditctl.function_digest set digest = '' where function like '%\\_\\_b\\_\\_%'")
    conn.execute(NO_GENERATOR)
    audit(db, "a")
    with pytest.raises(DatabaseError, match="capture_function"):
        pending(db)


CHANGES: dict[str, LiteralString] = {
    "a column": "alter table a add column w int",
    "a column's name": "alter table a rename column v to w",
    "a column's type": "alter table a alter column v type varchar(10)",
    "the name of a type": "alter type mood rename to temper",
    "the schema of a type": "create schema s; alter type mood set schema s",
    "the key": "alter table a drop constraint a_pkey",
    "a template": "update auditctl.template set parts[1] = parts[1] || ' ' where action = 'DELETE'",
    "the code that fills it": "update auditctl.template set generator = 'another'",
    "the source": "alter function auditctl_triggers.public__a__create() rename to x; "
    "create function auditctl_triggers.public__a__create() returns trigger language plpgsql security definer "
    "set search_path = pg_catalog, pg_temp as 'begin return null; end'",
    "a setting": "alter function auditctl_triggers.public__a__create() set datestyle = 'German'",
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_function_depends_on_is_compared_again_once_it_changed(
    db: str, conn: psycopg.Connection, what: str
) -> None:
    audit(db, "a")
    conn.execute(GUARD_OFF)
    conn.execute(CHANGES[what])
    conn.execute(NO_GENERATOR)
    with pytest.raises(DatabaseError, match="capture_function"):
        pending(db)


def test_a_function_that_was_compared_is_known_after_the_next_apply(db: str, conn: psycopg.Connection) -> None:
    audit(db, "a")
    conn.execute("delete from auditctl.function_digest")
    assert apply(db).pending == ()
    conn.execute(NO_GENERATOR)
    assert pending(db) == []


def test_a_dropped_function_is_forgotten(db: str, conn: psycopg.Connection) -> None:
    audit(db, "a", "b")
    with database.connect(db) as session:
        capture_apply.disable(session, "a")
    rest = conn.execute("select function from auditctl.function_digest order by 1").fetchall()
    assert rest == [(f"public__b__{action}",) for action in ("create", "delete", "truncate", "update")]


def test_each_batch_is_a_transaction_with_whole_tables(db: str, conn: psycopg.Connection) -> None:
    seen: list[Progress] = []
    apply(db, FILE, batch=2, watch=seen.append)
    assert seen == [Progress(0, 3, 2), Progress(2, 3, 2), Progress(3, 3, 2)]
    rows = conn.execute(
        "select array_agg(target_id order by target_id) from auditctl.event where target = 'auditctl.capture' "
        "group by xact_id order by 1"
    ).fetchall()
    assert rows == [(["public.a", "public.b"],), (["public.c"],)]
    assert pending(db) == []


def test_all_tables_are_one_transaction_if_they_fit(db: str, conn: psycopg.Connection) -> None:
    seen: list[Progress] = []
    apply(db, FILE, watch=seen.append)
    assert seen == [Progress(0, 3, 1), Progress(3, 3, 1)]


def test_an_interruption_between_batches_leaves_whole_tables_and_the_next_apply_does_the_rest(
    db: str, conn: psycopg.Connection
) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(db, FILE, batch=1, watch=stop)
    assert captured(conn) == ["public.a", "public.b"]
    conn.execute("insert into a values (1); insert into c values (1)")
    assert [line.split(":")[0] for line in pending(db)] == ["CREATE public.c create", "CREATE public.c delete"]
    apply(db)
    assert pending(db, FILE) == []
    assert [event[0] for event in events(conn, "public.a", "public.c")] == ["public.a"]


def test_a_batch_that_fails_leaves_those_before_it(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    with psycopg.connect(db) as busy:
        busy.execute("lock table b in row exclusive mode")
        done = auditctl("apply", "-", "--batch", "1", "--lock-timeout", "50ms", input=FILE, check=5)
        who = f"process {busy.info.backend_pid} (no name, login {busy.info.user})"
    assert done.err.splitlines()[-4:-1] == [
        "Changing 3 tables in 3 transactions.",
        "1 of 3 tables are done; the others are as before.",
        f"error: public.b is locked by another session: {who}",
    ]
    assert captured(conn) == ["public.a"]
    done = auditctl("apply", check=0)
    assert done.err.splitlines()[-1] == "Applied 4 changes."
    assert pending(db, FILE) == []


def test_batches_also_end_capture_and_drop_its_functions(db: str, conn: psycopg.Connection) -> None:
    apply(db, FILE)
    apply(db, "table = []", batch=1)
    assert triggers(conn) == []
    rest = conn.execute(
        "select (select count(*) from auditctl.capture), (select count(*) from pg_proc "
        "where pronamespace = 'auditctl_triggers'::regnamespace), (select count(*) from auditctl.rule)"
    ).fetchone()
    assert rest == (0, 0, 0)


def planned(names: str) -> tuple[Plan, tuple[Audited, ...]]:
    """A plan with four changes for each table, and the tables."""
    change = Statement("create trigger")
    changes = [
        Change(ChangeKind.CREATE, f"s.{name}", action, f"s.{name}", "", (change,), number)
        for number, name in enumerate(names)
        for action in DEFAULT
    ]
    dropped = Change(ChangeKind.DROP, "s.gone", Action.EVENT, "auditctl_triggers.f", "", (change,))
    tables = tuple(Audited(Relation(i, "s", name, "r"), Rule(f"s.{name}", DEFAULT)) for i, name in enumerate(names))
    return Plan((*changes, dropped), (), ()), tables


@pytest.mark.parametrize(
    ("room", "most", "sizes"),
    [(1000, None, [6]), (30, None, [3, 3]), (29, None, [2, 2, 2]), (1, None, [1] * 6), (1000, 4, [4, 2])],
)
def test_a_batch_has_as_many_tables_as_their_locks_fit(room: int, most: int | None, sizes: list[int]) -> None:
    parts = batches.split(*planned("abcdef"), room, most)
    assert [len(part.audited) for part in parts] == sizes
    assert [part.is_first for part in parts] == [True] + [False] * (len(sizes) - 1)
    assert [part.is_last for part in parts] == [False] * (len(sizes) - 1) + [True]
    assert parts[-1].changes[-1].target == "s.gone"
