"""Nobody who creates tables can prevent that they join, forge it, or run code by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import errors

from tests.fixtures.databases import connect, prepared
from tests.support.capturing import events, pending, triggers
from tests.support.joining import captured, make_tenants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import Login


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """The store with these schemas."""
    with prepared(server, template, lambda dsn: make_tenants(dsn, owner_name)) as name:
        yield name


@pytest.fixture
def mine(owner: Login) -> Iterator[psycopg.Connection]:
    """A session of the owner."""
    with connect(owner.dsn) as session:
        yield session


SETTINGS: LiteralString = """
    set standard_conforming_strings = off; set escape_string_warning = off; set quote_all_identifiers = on;
    set search_path = elsewhere, t1, pg_catalog; set default_transaction_isolation = 'serializable';
    set row_security = off; set datestyle = 'German'; set intervalstyle = 'sql_standard'; set bytea_output = 'escape';
    set extra_float_digits = -15; set timezone = 'Asia/Kathmandu'; set transform_null_equals = on;
    set array_nulls = off; set xmloption = 'document'; set jit_above_cost = 0; set check_function_bodies = off;
    set plpgsql.extra_errors = 'all'; set plpgsql.extra_warnings = 'all'; set lock_timeout = '1s';
    create function elsewhere.evil(oid, oid) returns boolean language plpgsql as 'begin raise exception ''evil''; end';
    create operator elsewhere.= (leftarg = oid, rightarg = oid, function = elsewhere.evil);
    create function elsewhere.format(text, variadic text[]) returns text language sql as 'select null::text'
"""


def test_no_setting_of_the_session_changes_how_a_table_joins(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    mine.execute(SETTINGS)
    mine.execute(b'create table t1."a\\b \'" ("c\'\\d" int primary key, f float8, i interval)')
    mine.execute(b"insert into t1.\"a\\b '\" values (1, 0.1, '1 day 02:00:00')")
    mine.execute("create table t1.c as select 0.1::float8 as f, '1 day 02:00:00'::interval as i")
    assert [event[1:] for event in events(conn, 't1."a\\b \'"', "t1.a\\b '", "t1.c")] == [
        ("CREATE", "1", None, {"c'\\d": 1, "f": 0.1, "i": "1 day 02:00:00"}),
        ("CREATE", None, None, {"f": 0.1, "i": "1 day 02:00:00"}),
    ]
    assert pending(db) == []


PREVENTIONS: list[tuple[LiteralString, str]] = [
    (
        """create table elsewhere.a (id int);
        create trigger auditctl_create after insert on elsewhere.a for each row execute function elsewhere.nothing();
        alter table elsewhere.a set schema t1""",
        "UA003",
    ),
    (
        """create table elsewhere.p (id int) partition by range (id);
        create table elsewhere.q partition of elsewhere.p default;
        create trigger other before insert on elsewhere.q for each row execute function elsewhere.nothing();
        create trigger auditctl_delete after delete on elsewhere.q for each row execute function elsewhere.nothing();
        alter table elsewhere.p set schema t1""",
        "UA003",
    ),
    (
        """create function elsewhere.deep() returns void language plpgsql as $$
            begin
                perform elsewhere.deep();
            exception when statement_too_complex then
                create table if not exists t1.a (id int);
            end
        $$;
        select elsewhere.deep()""",
        "",
    ),
]


@pytest.mark.parametrize(("statement", "refusal"), PREVENTIONS)
def test_an_owner_cannot_have_a_table_under_a_glob_that_is_not_audited(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection, statement: LiteralString, refusal: str
) -> None:
    nothing: LiteralString = "returns trigger language plpgsql as 'begin return null; end'"
    mine.execute(f"create function elsewhere.nothing() {nothing}".encode())
    with pytest.raises(psycopg.Error) as error:
        mine.execute(statement)
    assert refusal in (error.value.sqlstate, "")
    assert captured(conn) == []
    assert pending(db) == []


CALLS: list[LiteralString] = [
    "select auditctl_guard.put_aside('t1.a', null, null)",
    "begin; lock table t1.a; select auditctl_guard.put_aside('t1.a', null, null); commit",
    "select auditctl_guard.make_way('ALTER TABLE', 'attach partition t1.a', '{t1}')",
    "select auditctl_guard.put_back()",
    "select auditctl_guard.read_new_rows('t1.a')",
    "select auditctl_internal.join_tables(array['t1.a'::regclass::oid], 'CREATE TABLE')",
    "select auditctl_internal.record_new_rows('t1.a', array[row(1)::t1.a])",
    "create trigger auditctl_more after insert on t1.a for each row execute function auditctl_triggers.t1__a__create()",
]


@pytest.mark.parametrize("statement", CALLS)
def test_what_takes_tables_in_does_nothing_for_who_calls_it(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection, statement: LiteralString
) -> None:
    mine.execute("create table t1.a (id int)")
    before = triggers(conn)
    with pytest.raises(psycopg.Error):
        mine.execute(statement)
    mine.rollback()
    assert triggers(conn) == before
    assert events(conn, "t1.a") == []
    assert pending(db) == []


def test_a_command_that_only_seems_to_attach_a_table_leaves_its_capture_as_it_is(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    mine.execute("""
        create table t1.a (id int);
        create table elsewhere.b (id int);
        create function elsewhere.write() returns int language plpgsql as $$
            begin
                insert into t1.a values (1);
                return 1;
            end
        $$;
        insert into elsewhere.b values (1)
    """)
    before = triggers(conn)
    mine.execute("alter table elsewhere.b add c int default elsewhere.write() /* attach partition t1.a */")
    assert triggers(conn) == before
    assert [event[:2] for event in events(conn, "t1.a")] == [("t1.a", "CREATE")]
    with pytest.raises(psycopg.Error, match=r"refused: t1\.a is audited"):
        mine.execute("""
            create function elsewhere.strip() returns int language plpgsql as $$
                begin
                    execute 'alter table t1.a disable trigger all';
                    return 1;
                end
            $$;
            alter table elsewhere.b add d int default elsewhere.strip() /* attach partition t1.a */
        """)
    assert triggers(conn) == before
    assert pending(db) == []


def test_nobody_locks_a_table_of_another_by_the_text_of_a_command(
    conn: psycopg.Connection, mine: psycopg.Connection
) -> None:
    conn.execute("create table t1.theirs (id int)")
    mine.execute("create table elsewhere.b (id int)")
    with mine.transaction(force_rollback=True):
        mine.execute("alter table elsewhere.b add c int /* attach partition t1.theirs */")
        locked = "select mode from pg_locks where relation = 't1.theirs'::regclass and mode ~ 'Exclusive'"
        assert conn.execute(locked).fetchall() == []


def test_tables_of_extensions_do_not_join_and_no_glob_covers_them(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table elsewhere.a (id int); alter extension plpgsql add table elsewhere.a")
    conn.execute("alter table elsewhere.a set schema t1")
    assert captured(conn) == []
    assert pending(db) == []
    conn.execute("alter extension plpgsql drop table t1.a")
    assert captured(conn) == []
    assert len(pending(db)) == 4


def test_foreign_tables_join_and_become_partitions(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create foreign data wrapper nothing;
        create server nowhere foreign data wrapper nothing;
        create foreign table t1.f (id int) server nowhere;
        create table t1.p (id int) partition by range (id)
    """)
    assert captured(conn) == ["t1.f", "t1.p"]
    assert pending(db) == []
    conn.execute("alter table t1.p attach partition t1.f for values from (0) to (10)")
    assert captured(conn) == ["t1.p"]
    assert pending(db) == []


def test_the_name_of_a_table_stays_with_it_while_its_rows_are_recorded(
    mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    conn.execute("set lock_timeout = '1ms'")
    with mine.transaction():
        mine.execute("create table t1.made as select generate_series(1, 3) as id")
        with pytest.raises(errors.LockNotAvailable):
            conn.execute("alter schema t1 rename to other")
