"""A superuser runs nothing in the store that whoever can act as its owner has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from auditctl import database, store, store_code
from auditctl.doctor.examine import examine
from auditctl.errors import StoreError
from tests.fixtures.databases import GUARD_OFF, connect

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

RISE: LiteralString = """
    create function public.rise() returns text language plpgsql as $$
    begin
        perform set_config('role', 'none', true);
        alter role RISING superuser;
        return 'x';
    exception when insufficient_privilege then
        return 'x';
    end $$;
    create function public.rise_first() returns trigger language plpgsql as $$
    begin
        perform public.rise();
        return coalesce(new, old);
    end $$;
    grant execute on function public.rise(), public.rise_first() to auditctl_owner
"""

RULE: LiteralString = "alter table auditctl.rule "

CHANGES: list[tuple[LiteralString, str]] = [
    (
        "create or replace function auditctl_internal.begin_change(p_relations regclass[]) returns void "
        "language sql as 'select public.rise()'",
        "function auditctl_internal.begin_change",
    ),
    (
        "create function auditctl_internal.begin_change(p_relations oid[]) returns void language sql as "
        "'select public.rise()'",
        "function auditctl_internal.begin_change",
    ),
    (
        "alter function auditctl.capture_triggers(auditctl.capture[], boolean) security invoker",
        "function auditctl.capture_triggers",
    ),
    (
        "alter function auditctl.capture_triggers(auditctl.capture[], boolean) set search_path = public",
        "function auditctl.capture_triggers",
    ),
    (
        "create or replace function auditctl.shown(p_value text) returns text language sql immutable as "
        "'select public.rise()'",
        "function auditctl.shown",
    ),
    (
        "create or replace function auditctl.qualified(p_schema text, p_name text) returns text language sql stable "
        "begin atomic select public.rise(); end",
        "function auditctl.qualified",
    ),
    (
        "create trigger rising before insert on auditctl.rule for each row execute function public.rise_first()",
        "trigger rising on table auditctl.rule",
    ),
    (
        "create rule rising as on insert to auditctl.rule do also select public.rise()",
        "rule rising on table auditctl.rule",
    ),
    (RULE + "alter set_by set default public.rise()", "default value for column set_by of table auditctl.rule"),
    (
        RULE + "alter set_by set default pg_catalog.set_config('role', 'postgres', true)",
        "default value for column set_by of table auditctl.rule",
    ),
    (RULE + "add constraint rising check (public.rise() = 'x')", "constraint rising on table auditctl.rule"),
    (
        "alter table auditctl.event_default add constraint rising check (public.rise() = 'x')",
        "constraint rising on table auditctl.event_default",
    ),
    (RULE + "rename to rules; create view auditctl.rule as select public.rise() as name", "view auditctl.rule"),
    (
        "create cast (auditctl.action as json) with function public.as_json(auditctl.action)",
        "cast from auditctl.action to json",
    ),
]
"""What a member of auditctl_owner does to the store, and what is found."""


@pytest.fixture
def mallory(db: str, conn: psycopg.Connection, login: MakeLogin) -> str:
    """A member of auditctl_owner where the guard is off; the DSN."""
    found = login("mallory", roles=["auditctl_owner"])
    conn.execute("grant create on schema public to public; create table public.item (id int primary key)")
    conn.execute(GUARD_OFF)
    with connect(found.dsn) as session:
        session.execute(RISE.replace("RISING", found.name).encode())
        session.execute("create function public.as_json(auditctl.action) returns json language sql return '1'::json")
    return found.dsn


def mallory_name(dsn: str) -> str:
    return str(conninfo_to_dict(dsn)["user"])


def test_nothing_is_found_in_a_store_as_installed(db: str) -> None:
    with database.connect(db) as conn:
        assert store_code.find_changes(conn) == []


def test_whatever_a_member_of_the_owner_puts_into_the_store_is_found_before_it_runs(db: str, mallory: str) -> None:
    missed = {}
    with connect(mallory) as session, database.connect(db) as conn:
        for change, name in CHANGES:
            session.execute("begin; set local role auditctl_owner")
            session.execute(change)
            found = store_code.find_changes(session)
            if name not in found:
                missed[change] = found
            session.execute("rollback")
        assert store_code.find_changes(conn) == []
    assert missed == {}


def test_a_superuser_is_refused_where_the_store_was_changed_and_does_not_lend_its_rights(
    db: str, mallory: str, auditctl: RunAuditctl
) -> None:
    with connect(mallory) as session:
        session.execute("set role auditctl_owner")
        session.execute(CHANGES[0][0])
    for command in (["enable", "item"], ["check"], ["log"], ["maintain"]):
        done = auditctl(*command, dsn=db, check=6)
        assert "code that is not this version's, which a superuser would run: function auditctl_internal" in done.err
    with database.connect(db) as conn:
        examined = examine(conn)
        assert [(f.check, f.object) for f in examined.findings] == [
            ("store_code", "function auditctl_internal.begin_change")
        ]
    refused = auditctl("install", dsn=db, check=5)
    assert "role auditctl_owner has members that auditctl did not make: mallory" in refused.err
    with connect(db) as conn:
        conn.execute("revoke auditctl_owner from mallory".replace("mallory", mallory_name(mallory)).encode())
    auditctl("install", dsn=db, check=0)
    auditctl("enable", "item", dsn=db, check=0)
    with connect(db) as conn:
        assert conn.execute("select rolname from pg_roles where rolname ~ '^mallory' and rolsuper").fetchall() == []


def test_install_refuses_what_it_would_not_replace(db: str, mallory: str) -> None:
    with connect(mallory) as session:
        session.execute("set role auditctl_owner")
        session.execute("alter table auditctl.rule alter set_by set default public.rise()")
    with pytest.raises(StoreError, match=r"default value for column set_by of table auditctl\.rule"):
        store.install(db)
