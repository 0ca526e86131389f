"""Partitioned tables and inheritance: every way into them is captured, under the name of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditctl.actions import DEFAULT
from auditctl.errors import ConfigurationError
from tests.support.capturing import apply, audit, events, pending, triggers

if TYPE_CHECKING:
    import psycopg

CREATE, UPDATE, DELETE, TRUNCATE = DEFAULT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unguarded")]
"""What happens to capture where nobody may create event triggers; with the guard, see test_guard_*."""

TREE = """
    create table p (id int, k int, v text, primary key (id, k)) partition by range (id);
    create table p1 partition of p for values from (0) to (10) partition by list (k);
    create table p1a partition of p1 for values in (1);
    create table p1b partition of p1 for values in (2)
"""

MEMBERS = ("p", "p1", "p1a", "p1b")


def recorded(conn: psycopg.Connection, target: str) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select action::text, target_id, old_values, new_values, context ->> 'partition' from auditctl.event "
        "where target = %s order by event_id",
        [target],
    ).fetchall()


def test_rows_are_captured_on_every_way_into_two_levels_of_partitions(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TREE)
    audit(db, "p")
    assert triggers(conn) == [
        (f"public.{table}", f"auditctl_{action}", "A")
        for table in MEMBERS
        for action in ("create", "delete", "truncate", "update")
    ]
    conn.execute("""
        insert into p values (1, 1, 'through the root');
        update p set v = 'changed';
        update p set k = 2;
        insert into p1 values (2, 1, 'through the middle');
        insert into p1a values (3, 1, 'leaf');
        delete from p1a where id = 3;
        truncate p1a;
        truncate p
    """)
    assert recorded(conn, "public.p") == [
        ("CREATE", "[1, 1]", None, {"id": 1, "k": 1, "v": "through the root"}, "public.p1a"),
        ("UPDATE", "[1, 1]", {"v": "through the root"}, {"v": "changed"}, "public.p1a"),
        ("DELETE", "[1, 1]", {"id": 1, "k": 1, "v": "changed"}, None, "public.p1a"),
        ("CREATE", "[1, 2]", None, {"id": 1, "k": 2, "v": "changed"}, "public.p1b"),
        ("CREATE", "[2, 1]", None, {"id": 2, "k": 1, "v": "through the middle"}, "public.p1a"),
        ("CREATE", "[3, 1]", None, {"id": 3, "k": 1, "v": "leaf"}, "public.p1a"),
        ("DELETE", "[3, 1]", {"id": 3, "k": 1, "v": "leaf"}, None, "public.p1a"),
        ("TRUNCATE", None, None, None, "public.p1a"),
        ("TRUNCATE", None, None, None, None),
        ("TRUNCATE", None, None, None, "public.p1"),
        ("TRUNCATE", None, None, None, "public.p1a"),
        ("TRUNCATE", None, None, None, "public.p1b"),
    ]
    assert pending(db) == []


def test_a_partition_made_later_is_captured_but_for_truncate_which_check_tells(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute(TREE)
    audit(db, "p")
    conn.execute("""
        create table p2 partition of p for values from (10) to (20);
        create table p3 (v text, k int not null, dropped int, id int not null);
        alter table p3 drop column dropped;
        alter table p attach partition p3 for values from (20) to (30);
        set session_replication_role = replica;
        insert into p values (10, 1, 'new'), (20, 1, 'attached');
        reset session_replication_role
    """)
    assert recorded(conn, "public.p") == [
        ("CREATE", "[10, 1]", None, {"id": 10, "k": 1, "v": "new"}, "public.p2"),
        ("CREATE", "[20, 1]", None, {"id": 20, "k": 1, "v": "attached"}, "public.p3"),
    ]
    assert pending(db) == [
        "CREATE public.p2 truncate: There is no trigger yet.",
        "CREATE public.p3 truncate: There is no trigger yet.",
    ]
    apply(db)
    conn.execute("truncate p2")
    assert recorded(conn, "public.p")[2:] == [("TRUNCATE", None, None, None, "public.p2")]
    assert pending(db) == []


def test_triggers_of_single_partitions_are_looked_after(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TREE)
    audit(db, "p")
    conn.execute("alter table p1a disable trigger auditctl_update")
    assert pending(db) == ["ENABLE public.p1a update: The trigger is disabled."]
    apply(db)
    conn.execute("drop trigger auditctl_delete on p")
    cloned = "PostgreSQL will put the trigger on this partition."
    assert pending(db) == [
        "CREATE public.p delete: There is no trigger yet.",
        *(f"CREATE public.{member} delete: {cloned}" for member in MEMBERS[1:]),
    ]
    apply(db)
    assert pending(db) == []


def test_a_detached_partition_is_no_longer_audited_and_may_come_back(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TREE)
    audit(db, "p")
    conn.execute("alter table p1 detach partition p1b; insert into p1b values (1, 2, 'alone')")
    assert recorded(conn, "public.p") == []
    assert pending(db) == ["DROP public.p1b truncate: No rule asks for it."]
    apply(db)
    conn.execute("alter table p1 attach partition p1b for values in (2); delete from p1b")
    assert recorded(conn, "public.p") == [("DELETE", "[1, 2]", {"id": 1, "k": 2, "v": "alone"}, None, "public.p1b")]
    assert pending(db) == ["CREATE public.p1b truncate: There is no trigger yet."]


def test_an_audited_partition_is_handed_to_its_root_and_back(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TREE)
    audit(db, "p1a")
    for name, others in (("p", MEMBERS), ("p1a", ("p1a",)), ("p1", MEMBERS[1:]), ("p", MEMBERS)):
        apply(db, f'[[table]]\nname = "public.{name}"\n')
        assert pending(db) == []
        assert sorted({table for table, _, _ in triggers(conn)}) == [f"public.{member}" for member in others]
        conn.execute("insert into p1a values (1, 1, 'x'); truncate p1a")
        assert [action for _, action, *_ in events(conn, f"public.{name}")][-2:] == ["CREATE", "TRUNCATE"]


def test_a_partition_of_an_audited_table_needs_no_rule_of_its_own(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TREE)
    audit(db, "p")
    with pytest.raises(ConfigurationError) as error:
        audit(db, "p1a")
    assert error.value.problems == ("TABLE: public.p1a is a partition of public.p, which is audited already",)
    apply(db, '[[table]]\nname = "public.*"\n')
    assert conn.execute("select target from auditctl.target").fetchall() == [("public.p",)]


def test_children_are_captured_with_their_own_columns_under_the_nearest_rule(db: str, conn: psycopg.Connection) -> None:
    conn.execute("""
        create table parent (id int primary key, v text);
        create table child (extra int, primary key (id)) inherits (parent);
        create table own (more int) inherits (parent);
        create table below () inherits (own)
    """)
    audit(db, "parent")
    audit(db, "own", actions=(CREATE,), key=("id",))
    conn.execute("""
        insert into parent values (1, 'p');
        insert into child values (2, 'c', 3);
        insert into own values (4, 'o', 5);
        insert into below values (6, 'b', 7);
        update parent set v = 'new';
        truncate parent
    """)
    assert recorded(conn, "public.parent") == [
        ("CREATE", "1", None, {"id": 1, "v": "p"}, None),
        ("CREATE", "2", None, {"id": 2, "v": "c", "extra": 3}, "public.child"),
        ("UPDATE", "1", {"v": "p"}, {"v": "new"}, None),
        ("UPDATE", "2", {"v": "c"}, {"v": "new"}, "public.child"),
        ("TRUNCATE", None, None, None, None),
        ("TRUNCATE", None, None, None, "public.child"),
    ]
    assert recorded(conn, "public.own") == [
        ("CREATE", "4", None, {"id": 4, "v": "o", "more": 5}, None),
        ("CREATE", "6", None, {"id": 6, "v": "b", "more": 7}, "public.below"),
    ]
    assert pending(db) == []
    conn.execute("create table later () inherits (parent)")
    assert [line for line in pending(db) if "later" in line] == [
        f"CREATE public.later {action.value.lower()}: There is no trigger yet." for action in DEFAULT
    ]


def test_a_renamed_partitioned_table_is_repaired_as_a_whole(db: str, conn: psycopg.Connection) -> None:
    conn.execute(TREE)
    audit(db, "p", actions=(CREATE, TRUNCATE))
    conn.execute("alter table p rename to q; alter table p1a rename to q1a")
    cloned = "PostgreSQL will put the trigger on this partition."
    assert pending(db) == [
        "REPLACE public.q create: The table was renamed since.",
        f"CREATE public.p1 create: {cloned}",
        f"CREATE public.p1b create: {cloned}",
        f"CREATE public.q1a create: {cloned}",
        "REPLACE public.q truncate: The table was renamed since.",
        *(
            f"REPLACE public.{member} truncate: The trigger calls auditctl_triggers.public__p__truncate."
            for member in ("p1", "p1b", "q1a")
        ),
        "DROP auditctl_triggers.public__p__create create: No rule needs the function.",
        "DROP auditctl_triggers.public__p__truncate truncate: No rule needs the function.",
    ]
    apply(db)
    assert pending(db) == []
    conn.execute("insert into q1a values (1, 1, 'x')")
    assert recorded(conn, "public.q") == [("CREATE", "[1, 1]", None, {"id": 1, "k": 1, "v": "x"}, "public.q1a")]
