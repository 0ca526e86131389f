"""Reads from PostgreSQL's catalog what the planner needs; decides nothing.

Sources: sql/queries/relation.sql, read_site.sql, column.sql, function.sql, capture_function.sql.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from psycopg.types.json import Jsonb

from auditctl import database, resources
from auditctl.actions import ACTIONS
from auditctl.capture.model import Catalog, Function, Reading, Relation, Request, Trigger
from auditctl.database import Connection
from auditctl.names import ROLE_OWNER, TRIGGER_SCHEMA


@contextmanager
def transaction(conn: Connection, *, lock_timeout: str | None = None) -> Iterator[None]:
    """Run the block in one transaction whose queries are not compiled: of the catalog's, that takes most of the time.

    Args:
        conn: The connection.
        lock_timeout: How long a statement waits for a lock, such as `5s`; None for the server's setting.
    """
    with database.transaction(conn, lock_timeout=lock_timeout):
        conn.execute("select pg_catalog.set_config('jit', 'off', true)")
        yield


def read(conn: Connection, wanted: Callable[[Relation], bool]) -> Catalog:
    """Read the catalog.

    Args:
        conn: The connection.
        wanted: Which relations to look into; the others come without columns and key. Those with triggers or
            policies of ours are always looked into.

    Returns:
        The catalog of this moment; read it inside a transaction if it must hold still.

    Raises:
        DatabaseError: The catalog could not be read.
    """
    names = {"triggers": [captured.trigger for captured in ACTIONS], "trigger_schema": TRIGGER_SCHEMA}
    rows = conn.execute(resources.sql_text("queries/relation.sql"), names).fetchall()
    relations = {row[0]: _relation(row) for row in rows}
    chosen = [oid for oid, relation in relations.items() if relation.triggers or wanted(relation)]
    for oid, reading in _reading(conn, chosen):
        relations[oid] = replace(relations[oid], reading=reading)
    chosen = list(dict.fromkeys([*chosen, *(oid for oid, relation in relations.items() if relation.reading)]))
    for oid, columns, key in conn.execute(resources.sql_text("queries/column.sql"), {"relations": chosen}):
        relations[oid] = replace(relations[oid], columns=tuple(columns), primary_key=tuple(key))
    path = database.schemas(conn)
    return Catalog(_visible(relations.values(), path), _functions(conn), next(iter(path), "public"))


def generate(conn: Connection, requests: Sequence[Request]) -> tuple[Function, ...]:
    """Return the functions that are asked for, in the same order, as the catalog would show them.

    Raises:
        DatabaseError: The store's templates are of another version.
    """
    rows = [
        {
            "position": position,
            "relation": request.relation,
            "root": request.root,
            "target": request.target,
            "action": request.action,
            "exclude": request.rule.exclude,
            "mask": request.rule.mask,
            "key": request.rule.key,
            "require_actor": request.rule.require_actor,
        }
        for position, request in enumerate(requests)
    ]
    found = conn.execute(resources.sql_text("queries/capture_function.sql"), {"requests": Jsonb(rows)})
    return tuple(
        Function(name, source, _pairs(settings), True, ROLE_OWNER, (grantee,) if grantee else (), comment, statement)
        for name, source, settings, comment, statement, grantee in found
    )


def _reading(conn: Connection, chosen: Sequence[int]) -> Iterator[tuple[int, Reading]]:
    """Yield what records the reads of the chosen relations, and of all others where something of ours is left."""
    for oid, *row in conn.execute(resources.sql_text("queries/read_site.sql"), {"relations": list(chosen)}):
        yield oid, Reading(*row[:8], *(tuple(names) for names in row[8:]))


def _visible(relations: Iterable[Relation], schemas: Sequence[str]) -> tuple[Relation, ...]:
    """Mark the relations that their name alone finds: in the first schema of the path that has one of that name."""
    found = tuple(relations)
    places = {relation.identity for relation in found}
    first: dict[str, str] = {}
    for schema in reversed(schemas):
        first |= {table: schema for place, table in places if place == schema}
    return tuple(replace(r, is_visible=first.get(r.table) == r.schema) for r in found)


def _relation(row: tuple[Any, ...]) -> Relation:
    oid, schema, table, kind, persistence, is_partition, parents, triggers = row
    return Relation(
        oid,
        schema,
        table,
        kind,
        persistence,
        is_partition=is_partition,
        parents=tuple((parent[0], parent[1]) for parent in parents),
        triggers=tuple(_trigger(trigger) for trigger in triggers),
    )


def _trigger(value: Mapping[str, Any]) -> Trigger:
    return Trigger(
        value["name"],
        (value["schema"], value["function"]),
        value["type_bits"],
        value["enabled"],
        value["is_clone"],
        value["is_plain"],
    )


def _functions(conn: Connection) -> dict[str, Function]:
    functions = {}
    rows = conn.execute(resources.sql_text("queries/function.sql"), {"trigger_schema": TRIGGER_SCHEMA})
    for name, source, settings, is_sound, owner, grantees, comment, drop in rows:
        functions[name] = Function(name, source, _pairs(settings), is_sound, owner, tuple(grantees), comment, drop)
    return functions


def _pairs(settings: Iterable[str]) -> dict[str, str]:
    return dict(setting.split("=", 1) for setting in settings)
