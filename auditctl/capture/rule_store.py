"""Reads the stored rules, and stores what an applied plan changes: rules, targets, captures and renames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from auditctl import database, resources
from auditctl.capture import positions, rule_keys
from auditctl.capture.plan import Plan, Target
from auditctl.capture.rule_keys import Rule
from auditctl.capture.validate import STORED
from auditctl.database import Connection
from auditctl.names import ROLE_OWNER


def read(conn: Connection) -> tuple[Rule, ...]:
    """Return the rules stored in the database, in their order; empty where nothing is audited."""
    rows = conn.execute("select pg_catalog.to_jsonb(r) from auditctl.rule as r order by r.position, r.name")
    return tuple(replace(rule_keys.from_row(row, STORED), is_in_force=True) for (row,) in rows)


def lock(conn: Connection) -> None:
    """Let one transaction at a time change the configuration, until its end; those who read the rules do not wait.

    Not an advisory lock, which any login could take and keep.

    Raises:
        DatabaseError: The login may not act as auditctl_owner, or another session is changing the configuration.
    """
    with database.acting_as(conn, ROLE_OWNER), database.errors_translated("the configuration"):
        conn.execute("lock table auditctl.rule in share update exclusive mode")


def _write(conn: Connection, rules: Iterable[Rule]) -> None:
    """Store the rules; only rows that differ are written, so that only real changes become events."""
    stored: dict[str, int] = dict(conn.execute("select name, position from auditctl.rule"))
    all_rules = tuple(rules)
    numbers = positions.assign([rule.name for rule in all_rules], stored)
    rows = [rule.row() | {"position": number} for rule, number in zip(all_rules, numbers, strict=True)]
    conn.execute("delete from auditctl.rule where name <> all (%s)", [[row["name"] for row in rows]])
    conn.execute(_query("queries/write_rules.sql", ["position", *rule_keys.NAMES]), {"rules": Jsonb(rows)})


def _query(file: str, columns: Iterable[str]) -> sql.Composed:
    """Return the query of a file, with these columns filled in."""
    names = [sql.Identifier(column) for column in columns]
    parts = {
        "columns": sql.SQL(", ").join(names),
        "known": sql.SQL(", ").join(sql.SQL("known.{}").format(name) for name in names),
        "excluded": sql.SQL(", ").join(sql.SQL("excluded.{}").format(name) for name in names),
    }
    return sql.SQL(resources.sql_text(file)).format(**parts)


@contextmanager
def change(conn: Connection, plan: Plan, only: frozenset[str] | None) -> Iterator[None]:
    """Run the block, which applies a plan, and then store the plan's targets, captures and rules.

    The coverage guard ignores the plan's tables until the block ends, but accepts only functions that fit the
    captures. Needs the caller's transaction, which must be
    rolled back if the block raises.

    Args:
        conn: The connection; its login must be able to act as auditctl_owner.
        plan: The plan.
        only: The rules and tables it is about; None for all.
    """
    with database.acting_as(conn, ROLE_OWNER):
        _begin_change(conn, plan)
        hiding = _hiding_more(conn, plan.targets)
        _capture(conn, plan.targets)
    yield
    # Transactions that wrote with the former functions end first: no event after that of the rule shows what it hides.
    for relation in hiding:
        with database.errors_translated(relation):
            conn.execute(sql.SQL("lock table {} in share mode").format(sql.SQL(relation)))
    with database.acting_as(conn, ROLE_OWNER):
        _register(conn, plan.targets)
        _end_change(conn, plan, only)
        _write(conn, plan.rules)


def _register(conn: Connection, targets: Iterable[Target]) -> None:
    """Enter audited tables in auditctl.target, and their new names in auditctl.rename.

    The tables are locked already: earlier events have the old name, later ones the new.
    """
    row = conn.execute("select clock_timestamp()").fetchone()
    for target in targets:
        conn.execute(
            resources.sql_text("queries/register_target.sql"),
            {
                "target": target.name,
                "label": target.label,
                "relation": target.relation,
                "key": list(target.key),
            },
        )
        if target.renamed_from is not None and row is not None:
            conn.execute(
                "insert into auditctl.rename (renamed_at, old_target, new_target) values (%s, %s, %s)",
                [row[0], target.renamed_from, target.name],
            )


def _hiding_more(conn: Connection, targets: Iterable[Target]) -> list[LiteralString]:
    """Return the captured tables that hide more columns from now on, quoted; no foreign ones, which nobody can lock."""
    rules = [{"relation": target.relation, "hidden": [*target.rule.exclude, *target.rule.mask]} for target in targets]
    rows = conn.execute(resources.sql_text("queries/hiding_more.sql").encode(), {"rules": Jsonb(rules)}).fetchall()
    return [name for (name,) in rows]


def _begin_change(conn: Connection, plan: Plan) -> None:
    """Announce the tables that a plan changes, so that the coverage guard allows it."""
    touched = [change.relation_oid for change in plan.pending] + [target.relation for target in plan.targets]
    conn.execute(
        "select auditctl_internal.begin_change(%s::oid[]::regclass[])", [[oid for oid in touched if oid is not None]]
    )


def _capture(conn: Connection, targets: Iterable[Target]) -> None:
    """Enter audited tables in auditctl.capture, by which the guard knows the functions that the plan creates."""
    query = _query("queries/register_capture.sql", ["relation", "target", *(key.name for key in rule_keys.CAPTURED)])
    for target in targets:
        capture = target.rule.row() | {"relation": target.relation, "target": target.name}
        conn.execute(query, {"capture": Jsonb(capture)})


def _end_change(conn: Connection, plan: Plan, only: frozenset[str] | None) -> None:
    """Store in auditctl.capture what the coverage guard compares with from now on; arguments as for `change`."""
    captured = [target.relation for target in plan.targets]
    delete = "delete from auditctl.capture where relation::oid <> all (%(captured)s::oid[])"
    if only is not None:
        delete += " and (target = any (%(only)s) or relation::oid = any (%(touched)s::oid[]))"
    touched = [change.relation_oid for change in plan.pending if change.relation_oid is not None]
    conn.execute(delete, {"captured": captured, "only": list(only or ()), "touched": touched})
    conn.execute("select auditctl_internal.end_change()")
