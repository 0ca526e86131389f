"""Installing the store: fresh, again, several at once, and by each kind of login that may."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from auditctl import database, store
from auditctl.capture import roles
from auditctl.errors import DatabaseError, StoreError, UsageError
from auditctl.names import GRANTABLE_ROLES, ROLE_OWNER, STORE_REVISION
from tests.fixtures.databases import connect, create_database, drop_database, drop_role, fetch_value
from tests.support import dumps
from tests.support.capturing import audit, events
from tests.support.schema import describe, lent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

NOTHING = """
    select (select count(*) from pg_namespace where nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers')),
           (select count(*) from pg_roles where rolname like 'auditctl\\_%')
"""

PUT_TRIGGER = "select proowner, prosrc, proacl::text from pg_proc where proname = 'put_trigger'"

STORE_EVENTS = (
    "select action::text, target_id, context ->> 'summary' from auditctl.event where target = 'auditctl.store'"
)


@pytest.fixture(scope="module")
def own_server(server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """A server whose roles are nobody else's."""
    with type(server)(server.bindir, settings={"max_connections": "40"}) as started:
        yield started


@pytest.fixture
def cluster(own_server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """That server without the store's roles, and with a login `dba` that may create roles, and `clerk` that may not."""
    with connect(own_server.dsn()) as conn:
        conn.execute("create role dba login createrole; create role clerk login")
    yield own_server
    with connect(own_server.dsn()) as conn:
        databases = conn.execute("select datname from pg_database where datname like 'fresh%'").fetchall()
    for (name,) in databases:
        drop_database(own_server, name)
    for name in (*GRANTABLE_ROLES.values(), ROLE_OWNER, "dba", "clerk"):
        drop_role(own_server, name)


def fresh(server: EmbeddedServer, grantee: str = "dba") -> str:
    """A new database in which a login may create schemas; its DSN for that login."""
    name = create_database(server, "fresh")
    with connect(server.dsn()) as conn:
        grant = psycopg.sql.SQL("grant create on database {} to {}")
        conn.execute(grant.format(psycopg.sql.Identifier(name), psycopg.sql.Identifier(grantee)))
    return server.dsn(name, user=grantee)


def as_superuser(dsn: str) -> str:
    return make_conninfo(dsn, user="postgres")


def test_install_creates_the_store_and_names_the_next_command(cluster: EmbeddedServer, auditctl: RunAuditctl) -> None:
    dsn = as_superuser(fresh(cluster))
    first = auditctl("install", dsn=dsn, check=0)
    assert (first.out, first.err) == (
        "",
        f"Installed the store, revision {STORE_REVISION}. Next: auditctl enable SCHEMA.TABLE\n"
        "The coverage guard is on.\n"
        "A whole pg_dump now takes a superuser, or a login named by: auditctl backup-role LOGIN\n",
    )  # fmt: skip
    with connect(dsn) as conn:
        before = describe(conn)
        assert conn.execute(STORE_EVENTS).fetchall() == [
            ("EVENT", STORE_REVISION, f"store installed at revision {STORE_REVISION}")
        ]
    second = auditctl("install", dsn=dsn, check=0)
    assert (second.out, second.err) == ("", f"The store is already there, at revision {STORE_REVISION}.\n")
    with connect(dsn) as conn:
        assert describe(conn) == before
        assert len(conn.execute(STORE_EVENTS).fetchall()) == 1


@pytest.mark.slow  # Waits for four processes, each of which waits for the others.
@pytest.mark.parametrize(("databases", "login"), [(1, "dba"), (2, "postgres")])
def test_installs_at_once_all_end_well(cluster: EmbeddedServer, databases: int, login: str) -> None:
    names = [make_conninfo(fresh(cluster), user=login) for _ in range(databases)]
    commands = [[sys.executable, "-m", "auditctl", "--dsn", dsn, "install"] for dsn in names * (4 // databases)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    messages = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0], messages
    for dsn in names:
        with connect(as_superuser(dsn)) as conn:
            assert len(conn.execute(STORE_EVENTS).fetchall()) == 1
            assert len(describe(conn)["relations"]) > 10


def test_an_administrator_without_superuser_installs_audits_and_reads(
    cluster: EmbeddedServer, auditctl: RunAuditctl
) -> None:
    dsn = fresh(cluster)
    auditctl("install", dsn=dsn, check=0)
    auditctl("install", dsn=dsn, check=0)
    with connect(dsn) as conn:
        assert fetch_value(dsn, "select current_setting('is_superuser')") == "off"
        conn.execute("create schema shop; create table shop.item (id int primary key, v text)")
        auditctl("enable", "shop.item", dsn=dsn, check=0)
        conn.execute("insert into shop.item values (1, 'x')")
        assert events(conn, "shop.item") == [("shop.item", "CREATE", "1", None, {"id": 1, "v": "x"})]
        assert conn.execute("select actor, actor_kind from auditctl.event where target = 'shop.item'").fetchall() == [
            ("dba", "database")
        ]
        with pytest.raises(psycopg.Error):
            conn.execute("delete from auditctl.event")
    auditctl("check", dsn=dsn, check=0)
    with connect(as_superuser(dsn)) as conn:
        assert fetch_value(as_superuser(dsn), "select rolsuper from pg_roles where rolname = 'auditctl_owner'") is False
        built = lent(describe(conn))
    # The same store as a superuser's, in the same cluster.
    other = as_superuser(fresh(cluster))
    store.install(other)
    audit(other)
    with connect(other) as conn:
        conn.execute("create schema shop; create table shop.item (id int primary key, v text)")
    audit(other, "shop.item")
    with connect(other) as conn:
        assert lent(describe(conn)) == built


def test_a_role_that_an_administrator_gives_up_is_recorded(cluster: EmbeddedServer) -> None:
    dsn = fresh(cluster)
    store.install(dsn)
    with database.connect(dsn) as session:
        assert roles.grant(session, "app", "dba") is True
        assert roles.revoke(session, "app", "dba") is True
        assert session.execute(
            "select context ->> 'summary' from auditctl.event where target = 'auditctl.role' order by event_id"
        ).fetchall() == [("auditctl_app granted to dba",), ("auditctl_app revoked from dba",)]


def test_a_login_that_may_not_create_roles_is_refused_and_nothing_is_left(
    cluster: EmbeddedServer, auditctl: RunAuditctl
) -> None:
    dsn = fresh(cluster, "clerk")
    done = auditctl("install", dsn=dsn, check=5)
    assert done.out == ""
    assert done.err.splitlines()[0] == "error: permission denied to create role"
    assert done.err.splitlines()[1].startswith("hint: ")
    with connect(as_superuser(dsn)) as conn:
        assert conn.execute(NOTHING).fetchone() == (0, 0)


def test_a_login_that_may_not_create_schemas_is_refused_and_nothing_is_left(cluster: EmbeddedServer) -> None:
    dsn = make_conninfo(fresh(cluster, "clerk"), user="dba")
    with pytest.raises(DatabaseError, match="permission denied for database"):
        store.install(dsn)
    with connect(as_superuser(dsn)) as conn:
        assert conn.execute(NOTHING).fetchone() == (0, 0)


@pytest.mark.parametrize("schema", ["auditctl", "auditctl_internal", "auditctl_triggers"])
def test_a_schema_of_somebody_else_is_left_alone(cluster: EmbeddedServer, schema: str) -> None:
    dsn = as_superuser(fresh(cluster))
    with connect(dsn) as conn:
        create = psycopg.sql.SQL("create schema {0}; create table {0}.theirs ()")
        conn.execute(create.format(psycopg.sql.Identifier(schema)))
        with pytest.raises(DatabaseError, match=f"schema {schema} exists and does not belong to auditctl") as error:
            store.install(dsn)
        assert error.value.hint.startswith("auditctl keeps its log in schemas of these names")
        assert conn.execute(NOTHING).fetchone() == (1, 0)


@pytest.mark.parametrize(
    ("role", "attribute"),
    [
        ("auditctl_owner", "login"),
        ("auditctl_owner", "superuser"),
        ("auditctl_admin", "createrole"),
        ("auditctl_app", "bypassrls"),
        ("auditctl_reader", "replication"),
        ("auditctl_reader", "createdb"),
    ],
)
def test_a_role_of_ours_that_can_do_more_is_refused(cluster: EmbeddedServer, role: str, attribute: str) -> None:
    dsn = as_superuser(fresh(cluster))
    with connect(dsn) as conn:
        conn.execute(f"create role {role} {attribute}".encode())
        with pytest.raises(DatabaseError, match=f"role {role} exists and has more rights") as error:
            store.install(dsn)
        assert f"alter role {role} nologin nosuperuser" in error.value.hint
        assert conn.execute(NOTHING).fetchone() == (0, 1)


def test_a_database_in_another_encoding_is_refused(cluster: EmbeddedServer) -> None:
    with connect(cluster.dsn()) as conn:
        conn.execute("create database fresh_latin encoding 'LATIN1' template template0 locale 'C'")
    with pytest.raises(DatabaseError, match="auditctl needs a database in UTF8, this one is LATIN1") as error:
        store.install(cluster.dsn("fresh_latin"))
    assert error.value.hint == "Create the database with encoding UTF8."
    with connect(cluster.dsn("fresh_latin")) as conn:
        assert conn.execute(NOTHING).fetchone() == (0, 0)


def test_the_script_installs_once_and_refuses_a_second_time(cluster: EmbeddedServer, auditctl: RunAuditctl) -> None:
    dsn = fresh(cluster)
    options = ("--reason", r"ticket '12' \ 100% :x")
    script = auditctl("install", "--sql", *options, env={"AUDITCTL_DSN": "host=/nonexistent"}, check=0)
    assert script.err == ""
    with connect(dsn) as conn:
        conn.execute(script.out.encode())
        before = describe(conn)
        assert conn.execute("select distinct context ->> 'reason' from auditctl.event").fetchall() == [(options[1],)]
        with pytest.raises(psycopg.errors.DuplicateObject, match="the store is already installed") as error:
            conn.execute(script.out.encode())
        assert error.value.diag.message_hint == "For an upgrade: auditctl install --sql --from REVISION"
        conn.execute("rollback")
        assert describe(conn) == before
        assert conn.execute("select session_user = current_user").fetchone() == (True,)
    assert store.install(dsn) == store.Installation(STORE_REVISION, STORE_REVISION, is_guarded=False, was_guarded=False)


def test_the_script_for_the_same_revision_replaces_the_functions_and_records_nothing(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    before = describe(conn)
    script = auditctl("install", "--sql", "--from", STORE_REVISION, env={"AUDITCTL_DSN": None}, check=0).out
    conn.execute("alter function auditctl.shown(text) cost 7; set role auditctl_owner")
    conn.execute("create function auditctl_internal.former() returns int language sql as 'select 1'; reset role")
    dumps.play(server, db, script)
    assert describe(conn) == before
    assert len(conn.execute(STORE_EVENTS).fetchall()) == 1
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="the store does not have revision 0000"):
        conn.execute(
            script.replace(f"'{STORE_REVISION}'", "'0000'")
            .replace(f"revision {STORE_REVISION}", "revision 0000")
            .encode()
        )


def test_the_script_calls_nothing_in_schemas_on_the_search_path_of_who_runs_it(
    server: EmbeddedServer, db: str, conn: psycopg.Connection
) -> None:
    conn.execute("""
        create function public.trap(text, text) returns boolean language plpgsql
        as 'begin raise exception ''code of others was run''; end';
        create operator public.= (leftarg = text, rightarg = text, function = public.trap);
        create operator public.<> (leftarg = text, rightarg = text, function = public.trap)
    """)
    options = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
    script = f"set search_path = public, pg_catalog;\n{store.install_script(STORE_REVISION)}\nshow search_path;\n"
    assert dumps.run(server, "psql", *options, "-d", db, script=script).stdout.endswith("\npublic, pg_catalog\n")


def test_the_script_starts_from_a_known_revision_only(auditctl: RunAuditctl) -> None:
    with pytest.raises(UsageError, match="there is no revision 9999") as error:
        store.install_script("9999")
    assert error.value.hint == f"Known revisions: {', '.join(store.revisions())}"
    alone = auditctl("install", "--from", STORE_REVISION, env={"AUDITCTL_DSN": "host=/nonexistent"}, check=2)
    assert alone.err.splitlines()[0] == "error: --from goes with --sql"


def test_install_of_a_newer_store_is_refused(db: str) -> None:
    with connect(db) as conn:
        conn.execute("update auditctl.alembic_version set version_num = '9999'")
    with pytest.raises(StoreError, match="newer than this auditctl's"):
        store.install(db)


def test_only_a_superuser_installs_again_what_the_guard_keeps(
    db: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    member = login("member", roles=("auditctl_owner", "auditctl_admin"), attributes="createrole")
    before = describe(conn), conn.execute(PUT_TRIGGER).fetchall()
    with pytest.raises(DatabaseError, match="the coverage guard keeps this store") as error:
        store.install(member.dsn)
    assert error.value.hint == "Run install as a superuser. Partitions are created by: auditctl maintain"
    assert (describe(conn), conn.execute(PUT_TRIGGER).fetchall()) == before


def test_warning_that_repeats_is_printed_once(empty_db: str, auditctl: RunAuditctl) -> None:
    with connect(empty_db) as conn:
        conn.execute(
            "create function warn() returns event_trigger language plpgsql as $$begin raise warning 'odd'; end$$"
        )
        conn.execute("create event trigger odd on ddl_command_end execute function warn()")
    assert auditctl("install", dsn=empty_db, check=0).err.count("warning: odd\n") == 1
