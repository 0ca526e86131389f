"""A table that joined by itself becomes a part of another, and later a table by itself again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect, prepared
from tests.support.capturing import events, pending, triggers
from tests.support.joining import captured, make_tenants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor, owner_name: str) -> Iterator[str]:
    """The store with these schemas."""
    with prepared(server, template, lambda dsn: make_tenants(dsn, owner_name)) as name:
        yield name


@pytest.fixture
def mine(owner: Login, conn: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A session of the owner, who may create schemas."""
    conn.execute(f"grant create on database {conn.info.dbname} to {owner.name}".encode())
    with connect(owner.dsn) as session:
        yield session


PARTITIONS: LiteralString = """
    create table t1.p (id int primary key, v text) partition by range (id);
    create table t1.a (like t1.p including all);
    create table t1.q (like t1.p including all) partition by range (id);
    create table t1.q1 partition of t1.q default;
"""
ATTACHING: list[LiteralString] = [
    "alter table t1.p attach partition t1.a for values from (0) to (10)",
    "set search_path = elsewhere, t1; alter table only p attach /* a */ partition -- b\n a for values from (0) to (10)",
    "do $$ begin execute format('alter table t1.p attach partition %I.a for values from (0) to (9)', 't1'); end $$",
]


@pytest.mark.parametrize("statement", ATTACHING)
def test_a_table_that_joined_becomes_a_partition_and_later_a_table_by_itself_again(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection, statement: LiteralString
) -> None:
    mine.execute(PARTITIONS)
    mine.execute(statement)
    assert captured(conn) == ["t1.p", "t1.q"]
    mine.execute("alter table t1.p attach partition t1.q for values from (10) to (20)")
    assert captured(conn) == ["t1.p"]
    mine.execute("insert into t1.p values (1), (11); truncate t1.q1")
    assert [(action, key) for _, action, key, *_ in events(conn, "t1.p")] == [
        ("CREATE", "1"),
        ("CREATE", "11"),
        ("TRUNCATE", None),
    ]
    assert pending(db) == []
    mine.execute("alter table t1.p detach partition t1.a; alter table t1.p detach partition t1.q")
    mine.execute("insert into t1.a values (2); insert into t1.q values (12); truncate t1.q1, t1.a")
    assert [(action, key) for _, action, key, *_ in events(conn, "t1.a")] == [("CREATE", "2"), ("TRUNCATE", None)]
    assert [(action, key) for _, action, key, *_ in events(conn, "t1.q")] == [("CREATE", "12"), ("TRUNCATE", None)]
    assert captured(conn) == ["t1.a", "t1.p", "t1.q"]
    assert pending(db) == []
    assert not [name for _, name, fires in triggers(conn) if "aside" in name or fires != "A"]


def test_a_table_that_joined_becomes_a_child_and_later_a_table_by_itself_again(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    mine.execute("create table t1.a (id int); create table t1.b (id int); alter table t1.b inherit t1.a")
    mine.execute("insert into t1.b values (1); alter table t1.b no inherit t1.a; insert into t1.b values (2)")
    assert [target for target, *_ in events(conn, "t1.a", "t1.b")] == ["t1.a", "t1.b"]
    assert captured(conn) == ["t1.a", "t1.b"]
    assert pending(db) == []


def test_a_partition_of_a_partition_is_a_table_by_itself_once_it_is_detached(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    mine.execute("""
        create table t1.p (id int primary key) partition by range (id);
        create table t1.half partition of t1.p for values from (0) to (20) partition by range (id);
        create table t1.quarter partition of t1.half for values from (0) to (10);
        alter table t1.half detach partition t1.quarter;
        insert into t1.quarter values (1)
    """)
    assert captured(conn) == ["t1.p", "t1.quarter"]
    assert [(action, key) for _, action, key, *_ in events(conn, "t1.quarter")] == [("CREATE", "1")]
    assert pending(db) == []


def test_an_attach_that_fails_or_is_rolled_back_leaves_the_triggers_of_the_table_as_they_were(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection
) -> None:
    mine.execute(PARTITIONS)
    mine.execute("insert into t1.a values (77)")
    before = triggers(conn)
    with pytest.raises(psycopg.errors.CheckViolation):
        mine.execute(ATTACHING[0])
    assert triggers(conn) == before
    with mine.transaction(force_rollback=True):
        mine.execute("alter table t1.p attach partition t1.a for values from (70) to (80)")
    assert triggers(conn) == before
    with mine.transaction():
        with pytest.raises(psycopg.errors.CheckViolation), mine.transaction():
            mine.execute(ATTACHING[0])
        mine.execute("alter table t1.p attach partition t1.a for values from (70) to (80)")
    assert captured(conn) == ["t1.p", "t1.q"]
    assert pending(db) == []
    assert not [name for _, name, _ in triggers(conn) if "aside" in name]


ATTACH: tuple[LiteralString, ...] = (
    "alter table t1.p attach partition t1.a for values from (70) to (80)",
    'ALTER TABLE IF EXISTS only t1."p" /* of t1 */ ATTACH PARTITION "t1".a DEFAULT',
    "do $$ begin alter table t1.p attach partition t1.a for values from (70) to (80); end $$",
)


@pytest.mark.parametrize("attach", ATTACH)
def test_a_table_with_a_rule_of_its_own_that_would_become_a_part_is_refused_and_the_hint_says_what_to_do(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection, auditctl: RunAuditctl, attach: LiteralString
) -> None:
    mine.execute(PARTITIONS)
    auditctl("enable", "t1.a", "--label", "A", check=0)
    before = triggers(conn)
    with pytest.raises(psycopg.Error, match=r"t1\.a cannot become a partition of t1\.p: both are audited") as refused:
        mine.execute(attach)
    assert refused.value.sqlstate == "UA003"
    hint = refused.value.diag.message_hint or ""
    assert hint == "An administrator must first run: auditctl disable t1.a. Then t1.p records its rows."
    assert triggers(conn) == before
    auditctl(*hint.split(": ")[1].split(". ")[0].split()[1:], check=0)
    mine.execute(attach)
    mine.execute("insert into t1.p values (77)")
    assert [(target, action) for target, action, *_ in events(conn, "t1.p", "t1.a")][-1] == ("t1.p", "CREATE")
    assert pending(db) == []


def test_a_table_with_a_rule_of_its_own_becomes_a_part_of_one_that_is_not_audited(
    mine: psycopg.Connection, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    mine.execute(PARTITIONS)
    auditctl("enable", "t1.a", "--label", "A", check=0)
    mine.execute("create schema outside; create table outside.p (like t1.p) partition by range (id)")
    mine.execute("alter table outside.p attach partition t1.a for values from (70) to (80)")
    mine.execute("insert into outside.p values (77)")
    assert [(target, action) for target, action, *_ in events(conn, "t1.a")] == [("t1.a", "CREATE")]


@pytest.mark.parametrize("trigger", ["auditctl_truncate", "auditctl_update"])
def test_a_trigger_that_is_restored_lets_an_index_of_a_partition_be_attached_beside_it(
    db: str, mine: psycopg.Connection, conn: psycopg.Connection, trigger: str
) -> None:
    """For which PostgreSQL locks the partition and then its parent, as a restore with several jobs has it do."""
    mine.execute(PARTITIONS)
    mine.execute("alter table t1.p attach partition t1.q for values from (10) to (20)")
    event, each = ("update", "row") if trigger == "auditctl_update" else ("truncate", "statement")
    function = f"auditctl_triggers.t1__p__{event}()"
    create = f"create trigger {trigger} after {event} on t1.p for each {each} execute function {function}"

    def restore() -> None:
        with connect(db) as session:
            # As long as it looks for all locks at once.
            session.execute("set application_name = 'restore'; set deadlock_timeout = '30s'")
            session.execute(create.encode())

    with ThreadPoolExecutor(1) as pool:
        with mine.transaction():
            mine.execute("lock table only t1.q in access exclusive mode")
            restored = pool.submit(restore)
            wait_until_waiting(conn)
            mine.execute("lock table only t1.p in access exclusive mode")
        restored.result(60)
    assert pending(db) == []


def wait_until_waiting(conn: psycopg.Connection) -> None:
    """Return once the session that restores waits for something."""
    waiting = (
        "select from pg_stat_activity where application_name = 'restore' and wait_event_type in ('Lock', 'Timeout')"
    )
    limit = time.monotonic() + 60
    while not conn.execute(waiting).rowcount:
        assert time.monotonic() < limit
        time.sleep(0.005)
