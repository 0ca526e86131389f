"""Reads from PostgreSQL's catalog what the planner needs; decides nothing.

Sources: sql/queries/relation.sql, column.sql, key.sql, function.sql.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from auditctl import database, resources
from auditctl.capture.actions import ACTIONS
from auditctl.database import Connection
from auditctl.model import Catalog, Column, Function, Relation, Trigger
from auditctl.names import TRIGGER_SCHEMA


def read(conn: Connection, wanted: Callable[[Relation], bool]) -> Catalog:
    """Read the catalog.

    Args:
        conn: The connection.
        wanted: Which relations to look into; the others come without columns and key. Those with triggers of ours
            are always looked into.

    Returns:
        The catalog of this moment; read it inside a transaction if it must hold still.

    Raises:
        DatabaseError: The catalog could not be read.
    """
    names = {"triggers": [captured.trigger for captured in ACTIONS], "trigger_schema": TRIGGER_SCHEMA}
    rows = conn.execute(resources.sql_text("queries/relation.sql"), names).fetchall()
    relations = {row[0]: _relation(row) for row in rows}
    chosen = [oid for oid, relation in relations.items() if relation.triggers or wanted(relation)]
    columns: dict[int, list[Column]] = {oid: [] for oid in chosen}
    for row in conn.execute(resources.sql_text("queries/column.sql"), {"relations": chosen}):
        columns[row[0]].append(Column(row[1], row[2], row[3], row[4], frozenset(row[5]), row[6]))
    for oid, key, last in conn.execute(resources.sql_text("queries/key.sql"), {"relations": chosen}):
        relations[oid] = replace(relations[oid], columns=tuple(columns[oid]), primary_key=tuple(key), last_column=last)
    path = database.schemas(conn)
    return Catalog(_visible(relations.values(), path), _functions(conn), next(iter(path), "public"))


def _visible(relations: Iterable[Relation], schemas: Sequence[str]) -> tuple[Relation, ...]:
    """Mark the relations that their name alone finds: in the first schema of the path that has one of that name."""
    found = tuple(relations)
    places = {relation.identity for relation in found}
    first: dict[str, str] = {}
    for schema in reversed(schemas):
        first |= {table: schema for place, table in places if place == schema}
    return tuple(replace(r, is_visible=first.get(r.table) == r.schema) for r in found)


def _relation(row: tuple[Any, ...]) -> Relation:
    _, schema, table, kind, persistence, is_partition, parents, triggers = row
    return Relation(
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
    for name, source, settings, is_sound, owner, grantees, comment in rows:
        pairs = dict(setting.split("=", 1) for setting in settings)
        functions[name] = Function(name, source, pairs, is_sound, owner, tuple(grantees), comment)
    return functions
