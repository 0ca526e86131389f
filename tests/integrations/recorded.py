"""Who the events of a table name, and the statements that a session sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

if TYPE_CHECKING:
    import psycopg

THING: LiteralString = """
    create table thing (id bigint generated always as identity primary key, v text);
    create function write_thing(v text) returns bigint language sql as 'insert into thing (v) values (v) returning id';
    grant all on thing to public; grant all on all sequences in schema public to public;
"""


@dataclass(frozen=True, slots=True)
class Who:
    """Reads the log of table `thing`."""

    conn: psycopg.Connection

    def did(self, value: str) -> list[str]:
        """The users of the events of rows with this value, oldest first."""
        rows = self.conn.execute(
            "select user_name from auditctl.activity where target_name = 'public.thing' "
            "and coalesce(new_values, old_values) ->> 'v' = %s order by event_id",
            [value],
        )
        return [name for (name,) in rows]

    def counted(self) -> Counter[str]:
        """How many events each user has."""
        query = "select user_name from auditctl.activity where target_name = 'public.thing'"
        return Counter(name for (name,) in self.conn.execute(query))

    def facts(self) -> list[tuple[str, str | None, str | None, str | None, str | None]]:
        """Value, user, address, reason and request id of each event, oldest first."""
        rows = self.conn.execute(
            "select coalesce(new_values, old_values) ->> 'v', user_name, host(ip_address), reason, "
            "context ->> 'request_id' from auditctl.activity where target_name = 'public.thing' order by event_id"
        )
        return rows.fetchall()
