"""Stores of earlier revisions, with capture installed then, are upgraded: nothing is lost, and `apply` renews it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl import resources, store
from auditctl.names import STORE_REVISION
from tests.fixtures.databases import connect
from tests.support.capturing import Event, apply, events, pending
from tests.support.schema import describe

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl

REVISION_TABLE = """
    create table auditctl.alembic_version (
        version_num varchar(32) not null, constraint alembic_version_pkc primary key (version_num)
    );
    grant select on auditctl.alembic_version to public;
    alter table auditctl.alembic_version enable row level security;
    create policy alembic_version_is_read_by_whoever_may on auditctl.alembic_version for select using (true);
    comment on table auditctl.alembic_version is 'The revision of this store';
    insert into auditctl.alembic_version values ('0001');
"""

OWNED = """
    do $$
    declare
        v_function regprocedure;
    begin
        for v_function in select oid from pg_proc where pronamespace = 'auditctl_triggers'::regnamespace loop
            execute format('alter function %s owner to auditctl_owner', v_function);
            execute format('grant execute on function %s to auditctl_owner', v_function);
        end loop;
    end $$
"""

RULE = """
    set role auditctl_owner;
    insert into auditctl.rule (name, position, actions) values ('shop.plain', 0, '{CREATE,UPDATE,DELETE,TRUNCATE}');
    insert into auditctl.target (target, key_columns) values ('shop.plain', '{id}');
    reset role
"""


@pytest.fixture
def first_revision(empty_db: str) -> str:
    """A store as the first revision made it, with the table shop.plain audited."""
    with connect(empty_db) as conn, conn.transaction():
        conn.execute((resources.folder("sql") / "schema" / "00_role.sql").read_bytes())
        conn.execute((resources.folder("migrations") / "sql" / "0001_store.sql").read_bytes())
        conn.execute(REVISION_TABLE)
        conn.execute("select auditctl_internal.create_partitions(); reset role")
        conn.execute("create schema shop; create table shop.plain (id integer primary key, name text, price numeric)")
        conn.execute((Path(__file__).parent / "upgrade" / "capture_0001.sql").read_bytes())
        conn.execute(OWNED)
        conn.execute(RULE)
    return empty_db


@pytest.fixture
def second_revision(empty_db: str) -> str:
    """A store as the second revision made it, with the coverage guard on and the table shop.plain audited."""
    migrations, schema = resources.folder("migrations") / "sql", resources.folder("sql") / "schema"
    with connect(empty_db) as conn, conn.transaction():
        conn.execute((schema / "00_role.sql").read_bytes())
        conn.execute((migrations / "0001_store.sql").read_bytes())
        conn.execute((migrations / "0002_guard.sql").read_bytes())
        conn.execute(REVISION_TABLE.replace("0001", "0002").encode())
        conn.execute((schema / "90_event_trigger.sql").read_bytes())
        conn.execute("select auditctl_internal.create_partitions(); reset role")
        conn.execute("create schema shop; create table shop.plain (id integer primary key, name text, price numeric)")
        conn.execute((Path(__file__).parent / "upgrade" / "capture_0002.sql").read_bytes())
    return empty_db


def test_an_upgraded_store_is_the_same_as_a_new_one(first_revision: str, conn: psycopg.Connection) -> None:
    assert store.install(first_revision) == store.Installation(
        "0001", STORE_REVISION, is_guarded=True, was_guarded=False
    )
    with connect(first_revision) as upgraded:
        upgraded.execute("drop schema shop cascade; drop schema auditctl_triggers cascade")
        upgraded.execute("create schema auditctl_triggers authorization auditctl_owner")
        upgraded.execute(
            "comment on schema auditctl_triggers is 'auditctl: generated capture functions; may be rebuilt at any time'"
        )
        assert describe(upgraded) == describe(conn)


def test_what_was_captured_before_goes_on_and_apply_brings_the_new_way(
    first_revision: str, auditctl: RunAuditctl
) -> None:
    with connect(first_revision) as session:
        session.execute("insert into shop.plain values (1, 'a', 1.0)")
        said = auditctl("install", dsn=first_revision, check=0).err
        assert said == (
            f"Upgraded the store from revision 0001 to {STORE_REVISION}. Next: auditctl apply\n"
            "The coverage guard is on.\n"
        )
        session.execute("update shop.plain set price = 1.00")
        session.execute("alter table shop.plain add column late text; update shop.plain set late = 'l'")
        assert len(pending(first_revision)) == 4
        apply(first_revision)
        session.execute("alter table shop.plain add column later text; delete from shop.plain")
        assert pending(first_revision) == []
        wanted: list[Event] = [
            ("shop.plain", "CREATE", "1", None, {"id": 1, "name": "a", "price": 1.0}),
            ("shop.plain", "UPDATE", "1", {"price": 1.0}, {"price": 1.0}),
            ("shop.plain", "UPDATE", "1", {"late": None}, {"late": "l"}),
            ("shop.plain", "DELETE", "1", {"id": 1, "name": "a", "price": 1.0, "late": "l", "later": None}, None),
        ]
        assert events(session, "shop.plain") == wanted
        with pytest.raises(psycopg.DatabaseError, match="is audited"):
            session.execute("drop table shop.plain")


def test_the_script_of_the_upgrade_does_the_same(first_revision: str, auditctl: RunAuditctl) -> None:
    script = auditctl("install", "--sql", "--from", "0001", env={"AUDITCTL_DSN": None}, check=0).out
    with connect(first_revision) as session:
        session.execute(script.encode())
    assert store.install(first_revision) == store.Installation(
        STORE_REVISION, STORE_REVISION, is_guarded=True, was_guarded=True
    )


@pytest.mark.parametrize("way", ["command", "script"])
def test_a_guarded_store_is_upgraded_while_the_guard_is_on(
    second_revision: str, conn: psycopg.Connection, auditctl: RunAuditctl, way: str
) -> None:
    with connect(second_revision) as session:
        session.execute("insert into shop.plain values (1, 'a', 1.0)")
        if way == "command":
            assert store.install(second_revision) == store.Installation(
                "0002", STORE_REVISION, is_guarded=True, was_guarded=True
            )
        else:
            script = auditctl("install", "--sql", "--from", "0002", env={"AUDITCTL_DSN": None}, check=0).out
            session.execute(script.encode())
        session.execute("update shop.plain set price = 1.00")
        with pytest.raises(psycopg.DatabaseError, match="is audited"):
            session.execute("drop table shop.plain")
        assert len(pending(second_revision)) == 4
        apply(second_revision)
        session.execute("delete from shop.plain")
        assert pending(second_revision) == []
        wanted: list[Event] = [
            ("shop.plain", "CREATE", "1", None, {"id": 1, "name": "a", "price": 1.0}),
            ("shop.plain", "UPDATE", "1", {"price": 1.0}, {"price": 1.0}),
            ("shop.plain", "DELETE", "1", {"id": 1, "name": "a", "price": 1.0}, None),
        ]
        assert events(session, "shop.plain") == wanted
        auditctl("disable", "shop.plain", dsn=second_revision, check=0)
        assert describe(session) == describe(conn)
