"""A partitioned table that its owner goes on extending, below and above, while it is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.capturing import audit
from tests.support.replaying import changes

if TYPE_CHECKING:
    from tests.fixtures.databases import Login, MakeLogin

pytestmark = pytest.mark.slow


@pytest.fixture
def owner(db: str, conn: psycopg.Connection, login: MakeLogin) -> Login:
    """A login without privileges of its own, that owns an audited table with one partition."""
    keeper = login("keeper", dsn=db)
    conn.execute(f"grant create on schema public to {keeper.name}")
    with connect(keeper.dsn) as session:
        session.execute("""
            create table p (id int primary key, v text) partition by range (id);
            create table p1 partition of p for values from (0) to (10)
        """)
    audit(db, "p")
    return keeper


def test_the_owner_of_an_audited_table_can_still_make_and_attach_partitions(
    conn: psycopg.Connection, owner: Login
) -> None:
    with connect(owner.dsn) as session:
        session.execute("""
            create table p2 partition of p for values from (10) to (20);
            create table p3 (v text, id int not null);
            alter table p attach partition p3 for values from (20) to (30);
            insert into p values (1, 'one'), (11, 'new'), (21, 'attached')
        """)
    assert changes(conn, "public.p") == [
        ("CREATE", "1", None, {"id": 1, "v": "one"}, "public.p1"),
        ("CREATE", "11", None, {"id": 11, "v": "new"}, "public.p2"),
        ("CREATE", "21", None, {"id": 21, "v": "attached"}, "public.p3"),
    ]


def test_the_owner_of_an_audited_table_cannot_record_from_another_table(conn: psycopg.Connection, owner: Login) -> None:
    with connect(owner.dsn) as session:
        session.execute("create table mine (id int, v text)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("""
                create trigger auditctl_create after insert on mine
                    for each row execute function auditctl_triggers.public__p__create();
                insert into mine values (1, 'forged')
            """)
    assert changes(conn, "public.p") == []


def test_a_column_added_above_an_audited_table_that_became_a_partition_is_recorded(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("""
        create table p (gone int, lost int, id int not null, v text) partition by range (id);
        alter table p drop column gone, drop column lost;
        create table p1 partition of p for values from (0) to (10)
    """)
    audit(db, "p", key=("id",))
    conn.execute("""
        create table whole (id int not null, v text) partition by range (id);
        alter table whole attach partition p for values from (0) to (10);
        alter table whole add column late text;
        insert into whole values (1, 'x', 'added');
        update whole set late = 'changed';
        delete from whole
    """)
    assert changes(conn, "public.p") == [
        ("CREATE", "1", None, {"id": 1, "v": "x", "late": "added"}, "public.p1"),
        ("UPDATE", "1", {"late": "added"}, {"late": "changed"}, "public.p1"),
        ("DELETE", "1", {"id": 1, "v": "x", "late": "changed"}, None, "public.p1"),
    ]
