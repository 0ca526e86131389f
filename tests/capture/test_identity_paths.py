"""The cheap way to determine the identity, which nearly all events take, gives what the careful one gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from auditctl import database
from auditctl.capture import roles
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow


FAST = """
    set role auditctl_owner;
    create function auditctl.differs(p_settings text[]) returns text language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $$
    declare
        v_fast auditctl.identity;
        v_careful auditctl.identity;
    begin
        perform set_config('auditctl.actor', p_settings[1], true);
        perform set_config('auditctl.ip', p_settings[2], true);
        perform set_config('auditctl.context', p_settings[3], true);
        perform set_config('application_name', p_settings[4], true);
        begin
            v_fast := auditctl_internal.session_identity();
        exception when others then
            v_fast := auditctl_internal.identify();
        end;
        v_careful := auditctl_internal.identify();
        return case when v_fast::text is distinct from v_careful::text then v_fast::text || ' ' || v_careful::text end;
    end $$;
    grant execute on function auditctl.differs to public;
    reset role
"""

SETTINGS = (
    ["", "alice", " ", " alice", "Ümit", "\u200b", "\u200balice", "a" * 1001, "é" * 501],
    [
        "",
        "203.0.113.7",
        "2001:db8::7",
        "::ffff:1.2.3.4",
        "1.2.3.4, 5.6.7.8",
        "10.0.0.0/8",
        " 1.2.3.4",
        "1.2.3.4\t",
        "x",
    ],
    ["", '{"a": 1}', '{"role": "x"}', "{", '{"a": 1e2000}'],
    ["", "billing"],
)


def test_the_fast_path_determines_the_same_identity_as_the_careful_one(db: str, login: MakeLogin) -> None:
    web, mallory = login("web", dsn=db), login("mallory", dsn=db)
    heir = login("authenticator", dsn=db, roles=["auditctl_app"], attributes="noinherit")
    with connect(db) as conn:
        conn.execute(FAST)
    with database.connect(db) as conn:
        roles.grant(conn, "app", web.name)
    for dsn, role in (
        (web.dsn, "none"),
        (web.dsn, "auditctl_app"),
        (heir.dsn, "none"),
        (mallory.dsn, "none"),
        (db, "none"),
    ):
        with connect(dsn) as conn, conn.transaction():
            conn.execute(sql.SQL("set local role {}").format(sql.SQL(role)))
            rows = conn.execute(
                """
                    select count(*), array_agg(differs.text) filter (where differs.text is not null)
                    from unnest(%s::text[]) as a
                    cross join unnest(%s::text[]) as i
                    cross join unnest(%s::text[]) as c
                    cross join unnest(%s::text[]) as n
                    cross join lateral auditctl.differs(array[a, i, c, n]) as differs (text)
                """,
                SETTINGS,
            ).fetchall()
        assert rows == [(math.prod(map(len, SETTINGS)), None)]
