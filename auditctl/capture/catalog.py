"""Reads from PostgreSQL's catalog what the planner needs; decides nothing.

Sources: sql/queries/relation.sql, read_site.sql, column.sql, function.sql, capture_trigger.sql,
and registered.sql.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from psycopg import IsolationLevel
from psycopg.rows import class_row, kwargs_row
from psycopg.types.json import Jsonb

from auditctl import database, resources
from auditctl.actions import ACTIONS, Action
from auditctl.capture import registration
from auditctl.capture.model import (
    Audited,
    Catalog,
    Fault,
    Function,
    Reading,
    Relation,
    Statement,
    Trigger,
    TriggerState,
)
from auditctl.database import Connection
from auditctl.names import TRIGGER_SCHEMA


@contextmanager
def transaction(conn: Connection, *, lock_timeout: str | None = None) -> Iterator[None]:
    """Run the block in one transaction that plans each query of a function once.

    The five plans for given parameters that PostgreSQL makes before it makes one for all would take most of the time of
    queries of the catalog.

    Args:
        conn: The connection.
        lock_timeout: How long a statement waits for a lock, such as `5s`; None for the server's setting.
    """
    with database.transaction(conn, lock_timeout=lock_timeout):
        conn.execute("select pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', true)")
        yield


@contextmanager
def snapshot(conn: Connection, *, lock_timeout: str | None = None) -> Iterator[None]:
    """Run the block in such a transaction in which no query sees DDL that commits meanwhile; arguments likewise.

    A plan made from a mixed state would show changes that nobody needs. Inside a transaction of the caller, queries see
    what that lets them see.
    """
    if is_outermost := database.is_at_rest(conn):
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with transaction(conn, lock_timeout=lock_timeout):
            yield
    finally:
        if is_outermost and database.is_at_rest(conn):
            conn.isolation_level = None


def read(
    conn: Connection,
    is_relevant: Callable[[Relation], bool],
    within: Callable[[Catalog], Collection[tuple[str, str]]] | None = None,
) -> Catalog:
    """Read the catalog.

    Args:
        conn: The connection.
        is_relevant: Whether to read a relation's columns and key. Those of relations with triggers or policies of ours
            are always read.
        within: Returns, for the catalog without columns and keys, the schemas and names of the only relations to read
            more of; None for all.

    Returns:
        The catalog as it is now; read it inside a transaction if it must not change meanwhile.

    Raises:
        DatabaseError: The catalog could not be read.
    """
    relations = _relations(conn)
    path = database.schemas(conn)
    functions, schema = _functions(conn), next(iter(path), "public")
    reach = None if within is None else within(Catalog(_visible(relations.values(), path), functions, schema))
    oids = [
        oid
        for oid, relation in relations.items()
        if (relation.triggers or is_relevant(relation)) and (reach is None or relation.identity in reach)
    ]
    _read_details(conn, relations, oids, reach)
    return Catalog(_visible(relations.values(), path), functions, schema)


def read_again(conn: Connection, oids: Sequence[int]) -> Catalog:
    """Read some relations again, whole, but no functions."""
    relations = _relations(conn, oids)
    _read_details(conn, relations, list(relations))
    return Catalog(tuple(relations.values()), {})


def _relations(conn: Connection, oids: Sequence[int] | None = None) -> dict[int, Relation]:
    """Return all relations by object id, or those given, as far as sql/queries/relation.sql describes them."""
    parameters = {
        "triggers": [captured.trigger for captured in ACTIONS],
        "trigger_schema": TRIGGER_SCHEMA,
        "relations": None if oids is None else list(oids),
    }
    cursor = conn.cursor(row_factory=kwargs_row(_relation))
    rows = cursor.execute(resources.sql_text("queries/relation.sql"), parameters).fetchall()
    relations = {relation.oid: relation for relation in rows}
    for oid, known in registration.read(conn, oids).items():
        if oid in relations:
            relations[oid] = replace(relations[oid], registration=known)
    return relations


def _read_details(
    conn: Connection,
    relations: dict[int, Relation],
    oids: Sequence[int],
    reach: Collection[tuple[str, str]] | None = None,
) -> None:
    """Add columns, key and row security to these relations, and to all others that have policies of ours."""
    for oid, reading in _readings(conn, oids):
        if oid in relations and (reach is None or relations[oid].identity in reach):
            relations[oid] = replace(relations[oid], reading=reading)
    oids = list(dict.fromkeys([*oids, *(oid for oid, relation in relations.items() if relation.reading)]))
    details = conn.execute(resources.sql_text("queries/column.sql"), {"relations": oids}).fetchall()
    for oid, columns, key in details:
        relations[oid] = replace(relations[oid], columns=tuple(columns), primary_key=tuple(key))


def read_triggers(
    conn: Connection, tables: Iterable[Audited], *, is_thorough: bool = False
) -> tuple[TriggerState, ...]:
    """Return the triggers that audited tables need, with what is wrong with each and how to repair it.

    Args:
        conn: The connection.
        tables: The tables, with the rules in force.
        is_thorough: Whether every function is generated for comparison, also where a digest says that it is sound: a
            superuser can write a digest to match.

    Raises:
        DatabaseError: The store's templates are of another version.
    """
    captures = [
        audited.rule.captured()
        | {
            "relation": audited.root.oid,
            "target": audited.target,
            "members": [member.oid for member in audited.members],
        }
        for audited in tables
    ]
    if not captures:  # to plan the query takes the server longer than to answer it for a table
        return ()
    cursor = conn.cursor(row_factory=kwargs_row(_trigger_state))
    parameters = {"captures": Jsonb(captures), "is_thorough": is_thorough}
    return tuple(cursor.execute(resources.sql_text("queries/capture_trigger.sql"), parameters))


def _trigger_state(action: str, faults: list[Any], statements: list[Any], **state: Any) -> TriggerState:
    return TriggerState(
        action=Action(action),
        faults=tuple(Fault(**fault) for fault in faults),
        statements=tuple(Statement(**statement) for statement in statements),
        **state,
    )


def _readings(conn: Connection, oids: Sequence[int]) -> Iterator[tuple[int, Reading]]:
    """Yield what records the reads of these relations, and of all others that have policies of ours."""
    cursor = conn.cursor(row_factory=kwargs_row(_reading))
    yield from cursor.execute(resources.sql_text("queries/read_site.sql"), {"relations": list(oids)})


def _reading(oid: int, **row: Any) -> tuple[int, Reading]:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return oid, Reading(**values)


def _visible(relations: Collection[Relation], schemas: Sequence[str]) -> tuple[Relation, ...]:
    """Mark the relations that their name alone finds: in the first schema of the path that has one of that name."""
    places = {relation.identity for relation in relations}
    first: dict[str, str] = {}
    for schema in reversed(schemas):
        first |= {table: schema for place, table in places if place == schema}
    return tuple(replace(r, is_visible=True) if first.get(r.table) == r.schema else r for r in relations)


def _relation(parents: list[Any] | None, triggers: list[Any] | None, **row: Any) -> Relation:
    return Relation(
        parents=tuple((schema, table) for schema, table in parents or ()),
        triggers=tuple(
            Trigger(trigger["name"], (trigger["function"][0], trigger["function"][1]), trigger["is_clone"])
            for trigger in triggers or ()
        ),
        **row,
    )


def _functions(conn: Connection) -> dict[str, Function]:
    cursor = conn.cursor(row_factory=class_row(Function))
    functions = cursor.execute(resources.sql_text("queries/function.sql"), {"trigger_schema": TRIGGER_SCHEMA})
    return {function.name: function for function in functions}
