"""The trigger that many databases write for themselves: one function for all tables, whole rows as JSONB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from bench.contenders.contender import APPLICATION, Log

if TYPE_CHECKING:
    from bench.subject import Subject

LOG = """
    create table audit_log (
        id bigint generated always as identity primary key,
        at timestamptz not null default clock_timestamp(),
        login text not null default session_user,
        name text not null,
        action text not null,
        old_row jsonb,
        new_row jsonb
    );
    create index on audit_log (name, at);
    create function audit_row() returns trigger language plpgsql security definer as $$
    begin
        insert into audit_log (name, action, old_row, new_row)
        values (
            tg_table_name, tg_op, case when tg_op <> 'INSERT' then to_jsonb(old) end,
            case when tg_op <> 'DELETE' then to_jsonb(new) end
        );
        return null;
    end $$
"""


@dataclass(frozen=True, slots=True)
class Generic:
    """Both rows whole; no key, no user, no difference, no TRUNCATE."""

    name: str
    title: str
    login: str = APPLICATION
    session: tuple[str, ...] = ()

    def set_up(self, dsn: str, subjects: Sequence[Subject]) -> Log:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(LOG.encode())
            for subject in subjects:
                conn.execute(
                    f"create trigger audit after insert or update or delete on {subject.name} "
                    "for each row execute function audit_row()".encode()
                )
        return Log(events=("audit_log",))
