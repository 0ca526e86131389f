"""The least that an audit trigger of this kind can do: insert constants of the usual size into the same log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from auditctl import database
from auditctl.capture import apply
from bench.contenders.auditctl import LOG, NAMED, install
from bench.contenders.contender import APPLICATION, Log
from bench.subject import STATEMENTS

if TYPE_CHECKING:
    from bench.subject import Subject

# A column with a default is left to it, as capture does.
COLUMNS = """
    select a.attname::text
    from pg_attribute as a
    where a.attrelid = 'auditctl.event'::regclass and a.attnum > 0 and not a.attisdropped
        and not a.atthasdef and a.attidentity = ''
    order by a.attnum
"""
FUNCTION = """
    create function auditctl_triggers.{function}() returns trigger language plpgsql security definer {pinned} as $$
    begin
        insert into auditctl.event ({columns}) values ({values});
        return null;
    end $$;
    alter function auditctl_triggers.{function}() owner to auditctl_owner;
    create trigger {function} after {statement} on {table} for each row execute function auditctl_triggers.{function}();
    alter table {table} enable always trigger {function}
"""


@dataclass(frozen=True, slots=True)
class Floor:
    """Row triggers as SECURITY DEFINER functions of auditctl_owner; the constants are what auditctl recorded for a row.

    Attributes:
        pinned: The functions' SET clauses.
    """

    name: str
    title: str
    pinned: str
    login: str = APPLICATION
    session: tuple[str, ...] = ()

    def set_up(self, dsn: str, subjects: Sequence[Subject]) -> Log:
        install(dsn, self.login, subjects)
        with psycopg.connect(dsn, autocommit=True) as conn:
            for subject in subjects:
                events = self._recorded(conn, subject)
                with database.connect(dsn) as tool:
                    apply.disable(tool, f"public.{subject.name}")
                for statement, event in zip(STATEMENTS, events, strict=True):
                    conn.execute(self._trigger(subject, statement, event))
        return Log(events=(LOG,))

    def _recorded(self, conn: psycopg.Connection[Any], subject: Subject) -> list[dict[str, str | None]]:
        """Write one row as the application does, and return its events, one event for each statement."""
        with psycopg.connect(make_conninfo(conn.info.dsn, user=self.login), autocommit=True) as writer:
            for command in (*NAMED, *(subject.loop(statement, 1) for statement in STATEMENTS)):
                writer.execute(command.encode())
        columns = [name for (name,) in conn.execute(COLUMNS)]
        texts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in columns)
        query = sql.SQL("select {} from auditctl.event where target = %s order by event_id").format(texts)
        rows = conn.execute(query, [f"public.{subject.name}"]).fetchall()
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _trigger(self, subject: Subject, statement: str, event: dict[str, str | None]) -> sql.Composed:
        return sql.SQL(FUNCTION).format(
            function=sql.Identifier(f"floor_{subject.name}_{statement}"),
            pinned=sql.SQL(self.pinned),
            columns=sql.SQL(", ").join(map(sql.Identifier, event)),
            values=sql.SQL(", ").join(map(sql.Literal, event.values())),
            statement=sql.SQL(statement),
            table=sql.Identifier(subject.name),
        )
