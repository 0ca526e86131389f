"""Compares every audited table with what its events add up to, after the suite."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

CAPTURES = """
    select k.target, k.relation::oid, start.event_id, start.new_values ->> 'command' ~ '^(CREATE|SELECT) ',
           (select array_agg(c.change)
              from auditctl.event as e
             cross join lateral jsonb_array_elements(e.new_values -> 'changes') as c (change)
             where e.target = 'auditctl.ddl' and e.target_id = k.target and e.event_id > start.event_id)
      from auditctl.capture as k
      left join lateral (
          select e.event_id, e.new_values
            from auditctl.event as e
           where e.target = 'auditctl.ddl' and e.target_id = k.target
             and e.new_values -> 'changes' @> jsonb_build_array(jsonb_build_object('joined', k.target))
           order by e.event_id desc
           limit 1
      ) as start on true
     order by k.target
"""
"""The audited tables: since which event, whether that one created the table, and what DDL changed in it since then."""

EVENTS = """
    select action::text, coalesce(context ->> 'previous_target_id', target_id), target_id, context ->> 'partition',
           old_values, new_values
      from auditctl.event
     where target = %s and event_id > %s and action in ('CREATE', 'UPDATE', 'DELETE', 'TRUNCATE')
     order by event_id
"""

PLAIN = """
    select array_agg(a.attname::text)
      from pg_attribute as a
     where a.attrelid = %s and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
       and a.atttypid::regtype::text = any (
           '{boolean,smallint,integer,bigint,text,character varying,character,numeric,uuid,date}'
       )
"""
"""The columns whose values are written alike by to_jsonb() and in events."""

MEMBERSHIP = {"joined", "left", "parted", "gone", "renamed_from"}
"""Changes with which rows come and go without an event of theirs."""

MOST_STEPS = 20_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison of one table came to.

    Attributes:
        target: The table.
        rows: How many rows it has.
        events: How many events it has since it is audited.
        compared: "values", "number" if DDL changed the columns or many rows have no key, "nothing" if DDL moved rows.
        fault: What differs; empty if nothing does.
    """

    target: str
    rows: int
    events: int
    compared: str
    fault: str


class Contradiction(Exception):
    """An event changes a row that no event before it made."""


class TooLarge(Exception):
    """So many rows have no key that to find each would take too long."""


def compare(conn: psycopg.Connection) -> list[Verdict]:
    """Compare all audited tables that exist."""
    # As capture writes values.
    conn.execute("set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set row_security = off")
    return [_table(conn, *row) for row in conn.execute(CAPTURES).fetchall()]


def _table(
    conn: psycopg.Connection,
    target: str,
    relation: int,
    since: int | None,
    is_new: bool | None,
    changes: list[dict[str, Any]] | None,
) -> Verdict:
    name = sql.SQL(_one(conn, "select %s::oid::regclass::text", relation))
    rows = _one(conn, sql.SQL("select count(*) from {}").format(name))
    events = conn.execute(EVENTS, [target, since or 0]).fetchall()
    kinds = {key for change in changes or () for key in change}
    if since is None or not is_new or kinds & MEMBERSHIP:
        return Verdict(target, rows, len(events), "nothing", "")
    if (recorded := count(events)) != rows:
        return Verdict(target, rows, len(events), "number", f"{rows} rows, but {recorded} by the events")
    if kinds:
        return Verdict(target, rows, len(events), "number", "")
    try:
        images = replay(events)
    except Contradiction as error:
        return Verdict(target, rows, len(events), "values", str(error))
    except TooLarge:
        return Verdict(target, rows, len(events), "number", "")
    columns = _one(conn, PLAIN, relation) or []
    # Not a name that a column could have: the column would be meant.
    live = conn.execute(sql.SQL("select to_jsonb(whole_row) from {} as whole_row").format(name))
    differing = _texts(images, columns) - _texts((row[0] for row in live), columns)
    return Verdict(target, rows, len(events), "values", f"by the events: {list(differing)[:3]}" if differing else "")


def _one(conn: psycopg.Connection, query: Any, *parameters: Any) -> Any:
    row = conn.execute(query, parameters).fetchone()
    return row[0] if row else None


def _texts(images: Iterable[dict[str, Any]], columns: list[str]) -> Counter[str]:
    return Counter(json.dumps([image.get(column) for column in columns]) for image in images)


def count(events: Iterable[tuple[Any, ...]]) -> int:
    """How many rows there are after the events."""
    rows: Counter[str | None] = Counter()
    for action, _, _, place, *_ in events:
        if action == "TRUNCATE":
            rows = Counter({where: number for where, number in rows.items() if place not in (None, where)})
        elif action != "UPDATE":
            rows[place] += 1 if action == "CREATE" else -1
    return rows.total()


def replay(events: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """The rows after the events, by key so that large tables take no square of their rows."""
    rows: dict[tuple[str | None, str | None], list[dict[str, Any]]] = defaultdict(list)
    steps = 0
    for action, before, key, place, old, new in events:
        if action == "TRUNCATE":
            for where in [where for where in rows if place in (None, where[0])]:
                del rows[where]
            continue
        if action == "CREATE":
            rows[place, key].append(new)
            continue
        found = rows[place, before]
        steps += len(found)
        if steps > MOST_STEPS:
            raise TooLarge
        number = next((n for n, row in enumerate(found) if row.items() >= old.items()), None)
        if number is None:
            raise Contradiction(f"{action} of {old} in {place}: no such row {before}")
        row = found.pop(number)
        if action == "UPDATE":
            rows[place, key].append(row | new)
    return [row for some in rows.values() for row in some]
