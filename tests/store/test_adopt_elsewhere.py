"""A store of an ordinary login, restored by an ordinary login on a server that never had auditctl's roles."""

from __future__ import annotations

import pytest

from auditctl.demo.server import EmbeddedServer
from tests.fixtures.command import RunAuditctl
from tests.fixtures.databases import connect, fetch_value
from tests.support import dumps
from tests.support.capturing import audit

pytestmark = pytest.mark.slow  # needs two servers of its own

ROLES = "select count(*) from pg_roles where rolname ~ '^auditctl_'"


def make_database(server: EmbeddedServer, login: str) -> str:
    """Create a login that may make roles and databases, and a database of its own; return the DSN."""
    with connect(server.dsn("postgres")) as conn:
        conn.execute(f"create role {login} login createrole".encode())
        conn.execute(f"create database shop owner {login}".encode())
    return server.dsn("shop", login)


def test_an_ordinary_login_adopts_where_the_roles_do_not_exist(server: EmbeddedServer, auditctl: RunAuditctl) -> None:
    settings = {"fsync": "off"}
    with (
        EmbeddedServer(server.bindir, settings=settings, tcp=True) as old,
        EmbeddedServer(server.bindir, settings=settings, tcp=True) as new,
    ):
        source = make_database(old, "dana")
        auditctl("install", dsn=source, check=0)
        with connect(source) as conn:
            conn.execute("create table customer (id integer primary key, name text, secret text)")
        audit(source, "customer", mask=("secret",))
        with connect(source) as conn:
            conn.execute("insert into customer values (1, 'ada', 'x')")
        script = dumps.dump(old, old.dsn("shop"), "--no-owner", "--no-acl")
        restored = make_database(new, "erin")
        assert fetch_value(restored, ROLES) == 0
        # Without the roles, parts of the store are not restored; adoption makes them.
        done = dumps.run(new, "psql", "-X", "-q", "-d", restored, script=script)
        assert 'ERROR:  role "auditctl_' in done.stderr
        assert auditctl("check", dsn=restored).code == 3
        listed = auditctl("adopt", "--dry-run", dsn=restored, check=0)
        assert fetch_value(restored, ROLES) == 0
        assert auditctl("adopt", dsn=restored, check=0).out == listed.out
        auditctl("check", dsn=restored, check=0)
        auditctl("doctor", "--severity", "critical", dsn=restored, check=0)
        with connect(restored) as conn:
            conn.execute("update customer set secret = 'y', name = 'bob'")
            conn.execute("set role auditctl_owner")
            assert conn.execute(
                "select new_values from auditctl.event where target = 'public.customer' order by event_id"
            ).fetchall() == [
                ({"id": 1, "name": "ada", "secret": {"$masked": True}},),
                ({"name": "bob", "secret": {"$masked": True}},),
            ]
