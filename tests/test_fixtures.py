"""The fixtures themselves: what a test leaves must not reach the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from tests.fixtures.databases import create_database, drop_database, drop_role, fetch_value

if TYPE_CHECKING:
    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin


def test_login_is_dropped_with_its_objects_sessions_and_prepared_transactions(
    server: EmbeddedServer,
) -> None:
    name = create_database(server, "busy")
    with psycopg.connect(server.dsn(), autocommit=True) as maintenance:
        maintenance.execute("create role busy_login login superuser")
    with psycopg.connect(server.dsn(name, user="busy_login")) as session:
        session.execute("create table kept ()")
        session.commit()
        session.execute("select pg_create_logical_replication_slot('busy', 'pgoutput')")
        session.commit()
        session.execute("drop table kept")
        session.execute("prepare transaction 'busy'")
        session.commit()
        drop_database(server, name)
    drop_role(server, "busy_login")
    assert fetch_value(server.dsn(), "select count(*) from pg_roles where rolname = 'busy_login'") == 0
    assert fetch_value(server.dsn(), "select count(*) from pg_replication_slots") == 0


def test_logins_have_names_of_their_own(empty_db: str, login: MakeLogin) -> None:
    one, other = login("clerk", dsn=empty_db), login("clerk", dsn=empty_db, attributes="createdb")
    assert one.name != other.name
    assert fetch_value(one.dsn, "select session_user") == one.name
    assert fetch_value(other.dsn, "select rolcreatedb from pg_roles where rolname = session_user") is True


def test_databases_are_empty_at_the_start(empty_db: str) -> None:
    assert fetch_value(empty_db, "select count(*) from pg_namespace where nspname = 'audit'") == 0
