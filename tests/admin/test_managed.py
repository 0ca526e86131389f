"""Without a superuser's install, administrators reach the tables of the login that installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import errors

from auditctl import store
from tests.fixtures.databases import connect, fetch_value

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_postgresql.executors import NoopExecutor

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow


@pytest.fixture
def managed(template: NoopExecutor, empty_db: str, login: MakeLogin) -> tuple[str, str, str]:
    """DSNs of a superuser, of the login that installed, and of an administrator."""
    dba = login("dba", dsn=empty_db, attributes="createrole", roles=["auditctl_owner", "auditctl_admin"])
    other = login("other", dsn=empty_db)
    with connect(empty_db) as conn:
        conn.execute(f"grant create on database {conn.info.dbname} to {dba.name}, {other.name}".encode())
    store.install(dba.dsn)
    for login_dsn, schema in ((dba.dsn, "mine"), (other.dsn, "theirs")):
        with connect(login_dsn) as conn:
            conn.execute(f"create schema {schema}; create table {schema}.t (id integer primary key, v text)".encode())
    return empty_db, dba.dsn, login("administrator", dsn=empty_db, roles=["auditctl_admin"]).dsn


def test_administrators_reach_what_the_installing_login_owns_and_learn_what_not(
    managed: tuple[str, str, str], auditctl: RunAuditctl
) -> None:
    superuser, dba, administrator = managed
    auditctl("enable", "mine.t", dsn=administrator, check=0)
    with connect(dba) as conn:
        conn.execute("insert into mine.t values (1, 'x')")
    assert fetch_value(dba, "select count(*) from auditctl.event where target = 'mine.t'") == 1
    with connect(dba) as conn:
        conn.execute("alter table mine.t disable trigger user; insert into mine.t values (2, 'y')")
    auditctl("apply", "--yes", dsn=dba, check=0)
    auditctl("baseline", "mine.t", dsn=administrator, check=0)
    auditctl("reconcile", dsn=administrator, check=0)
    assert fetch_value(dba, "select count(*) from auditctl.event where context ? 'baseline'") == 1
    auditctl("check", dsn=administrator, check=0)
    done = auditctl("enable", "theirs.t", dsn=administrator, check=5)
    assert "which installed auditctl, does not own theirs.t (of other" in done.err
    auditctl("disable", "mine.t", dsn=administrator, check=0)
    triggers = "select count(*) from pg_trigger where tgname like 'auditctl%' and tgrelid = 'mine.t'::regclass"
    assert fetch_value(superuser, triggers) == 0
    privileges = "select nspacl::text !~ 'dba' from pg_namespace where nspname = 'auditctl_triggers'"
    assert fetch_value(superuser, privileges) is not False


def no_longer_inherit(superuser: str, dba: str) -> None:
    """Give the installing login the owner's rights only as the owner, as where it created the roles."""
    with connect(superuser) as conn, connect(dba) as session:
        if conn.info.server_version >= 160000:  # as it is where the login created the role
            conn.execute(f"grant auditctl_owner to {session.info.user} with inherit false".encode())


def test_the_installing_login_uninstalls(managed: tuple[str, str, str], auditctl: RunAuditctl, tmp_path: Path) -> None:
    superuser, dba, _ = managed
    no_longer_inherit(superuser, dba)
    auditctl("enable", "mine.t", dsn=dba, check=0)
    with connect(dba) as conn:
        words = ("--drop-log", "--yes-i-mean-it", conn.info.dbname)
    auditctl("uninstall", "--export", tmp_path / "log.jsonl", *words, dsn=dba, check=0)
    assert fetch_value(superuser, "select count(*) from pg_namespace where nspname ^@ 'auditctl'") == 0


def test_the_installing_login_can_make_every_check_of_doctor(
    managed: tuple[str, str, str], auditctl: RunAuditctl
) -> None:
    superuser, dba, _ = managed
    no_longer_inherit(superuser, dba)
    assert "not checked" not in auditctl("doctor", dsn=dba, check=3).err


def test_what_lends_the_rights_belongs_to_the_installing_login_until_a_superuser_installs(
    managed: tuple[str, str, str], auditctl: RunAuditctl
) -> None:
    superuser, dba, administrator = managed
    lend = (
        "select array_agg(pronamespace::regnamespace || ' ' || proowner::regrole) from pg_proc where proname = 'lend'"
    )
    with connect(dba) as conn:
        assert fetch_value(dba, lend) == [f"auditctl_internal {conn.info.user}"]
    with connect(administrator) as conn, pytest.raises(errors.InsufficientPrivilege):
        conn.execute("select auditctl_internal.lend('lock', 'mine.t'::regclass, 'share', null)")
    store.install(superuser)
    assert fetch_value(superuser, lend) == ["auditctl_guard postgres"]
    auditctl("enable", "theirs.t", dsn=administrator, check=0)
    auditctl("enable", "mine.t", dsn=administrator, check=0)


def test_the_limit_belongs_to_the_installing_login(managed: tuple[str, str, str], auditctl: RunAuditctl) -> None:
    _, dba, administrator = managed
    auditctl("apply", "-", input='table = []\n[admin]\ntables = ["yours.*"]\n', dsn=dba, check=0)
    assert auditctl("enable", "mine.t", dsn=administrator).code == 5
    with connect(administrator) as conn, pytest.raises(psycopg.Error):
        conn.execute("delete from auditctl.administration")


def test_one_who_owns_a_schema_called_auditctl_guard_runs_nothing_as_the_owner_of_the_log(
    managed: tuple[str, str, str], auditctl: RunAuditctl
) -> None:
    superuser, dba, administrator = managed
    with connect(superuser) as conn:
        row = conn.execute("select nspowner::regrole::text from pg_namespace where nspname = 'theirs'").fetchone()
    assert row is not None
    with connect(superuser) as conn:
        conn.execute(f"set session authorization {row[0]}".encode())
        conn.execute("create schema auditctl_guard; grant usage on schema auditctl_guard to public")
        conn.execute("create table auditctl_guard.trace (who text); grant insert on auditctl_guard.trace to public")
        for definer in ("", "security definer"):
            conn.execute(
                f"""
                create or replace function auditctl_guard.lend(text, oid, text, text) returns bigint
                language plpgsql {definer} as
                'begin insert into auditctl_guard.trace values (current_user); return null; end';
                create or replace function auditctl_guard.open_pass() returns boolean language plpgsql {definer} as
                'begin insert into auditctl_guard.trace values (current_user); return true; end';
                create or replace function auditctl_guard.step() returns jsonb language plpgsql {definer} as
                'begin insert into auditctl_guard.trace values (current_user); return null; end';
                """.encode()
            )
            auditctl("enable", "mine.t", dsn=administrator, check=0)
            auditctl("disable", "mine.t", dsn=administrator, check=0)
            auditctl("maintain", dsn=administrator, check=0)
    assert fetch_value(superuser, "select count(*) from auditctl_guard.trace") == 0
    assert fetch_value(dba, "select count(*) from auditctl.event where target = 'auditctl.capture'") == 4
