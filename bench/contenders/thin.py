"""A trial: triggers of one line each, which pass whole rows to one shared function; what leaner capture would cost.

It lacks what makes capture reliable: the check of the columns' types, without which code of a table's owner may run as
auditctl_owner, and the limit on sizes; and its difference is of values, so that it does not see 1.0 become 1.00.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from bench.contenders.auditctl import LOG, NAMED, install
from bench.contenders.contender import APPLICATION, Log

if TYPE_CHECKING:
    from bench.subject import Subject

SHARED = """
    create function auditctl_triggers.thin(
        p_target text, p_target_id text, p_action auditctl.action, p_old jsonb, p_new jsonb
    ) returns auditctl.change language plpgsql as $$
    declare
        v_who auditctl.identity;
    begin
        if p_action = 'UPDATE' then
            select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, p_new -> o.key)
            into p_old, p_new
            from jsonb_each(p_old) as o
            where o.value <> p_new -> o.key;
        end if;
        begin
            v_who := auditctl_internal.session_identity();
        exception when others then
            v_who := auditctl_internal.identify();
        end;
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
        values (v_who.actor, v_who.actor_kind, v_who.ip, p_target, p_target_id, p_action, p_old, p_new, v_who.context);
        return null;
    end $$;
    alter function auditctl_triggers.thin owner to auditctl_owner
"""
FUNCTION = """
    create function auditctl_triggers.{name}() returns trigger language plpgsql security definer
    set search_path = pg_catalog, pg_temp set "TimeZone" = 'UTC' as $$
    begin
        return auditctl_triggers.thin('public.{table}', {arguments});
    end $$;
    alter function auditctl_triggers.{name} owner to auditctl_owner;
    create trigger {name} after {statement} on {table} for each {level} execute function auditctl_triggers.{name}();
    alter table {table} enable always trigger {name}
"""
ARGUMENTS = {
    "insert": "new.id::text, 'CREATE', null, to_jsonb(new)",
    "update": "new.id::text, 'UPDATE', to_jsonb(old), to_jsonb(new)",
    "delete": "old.id::text, 'DELETE', to_jsonb(old), null",
    "truncate": "null, 'TRUNCATE', null, null",
}


@dataclass(frozen=True, slots=True)
class Thin:
    """The same log and identity as auditctl's."""

    name: str
    title: str
    login: str = APPLICATION
    session: tuple[str, ...] = NAMED

    def set_up(self, dsn: str, subjects: Sequence[Subject]) -> Log:
        install(dsn, self.login, ())
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(SHARED.encode())
            for subject in subjects:
                for statement, arguments in ARGUMENTS.items():
                    name = f"thin_{subject.name}_{statement}"
                    level = "statement" if statement == "truncate" else "row"
                    parts = {"name": name, "table": subject.name, "statement": statement, "level": level}
                    conn.execute(FUNCTION.format(arguments=arguments, **parts).encode())
        return Log(events=(LOG,))
