"""Reads the stored rules, and stores what an applied plan changes: rules, targets, captures and renames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from auditctl import database, resources
from auditctl.capture import positions, rule_keys
from auditctl.capture.batches import Batch
from auditctl.capture.plan import ChangeKind, Plan, Target
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
    rows = numbered(rules, stored)
    conn.execute("delete from auditctl.rule where name <> all (%s)", [[row["name"] for row in rows]])
    conn.execute(_query("queries/write_rules.sql", ["position", *rule_keys.NAMES]), {"rules": Jsonb(rows)})


def numbered(rules: Iterable[Rule], stored: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the rows of auditctl.rule for all rules in their order, given the positions that rules have now."""
    all_rules = tuple(rules)
    numbers = positions.assign([rule.name for rule in all_rules], stored)
    return [rule.row() | {"position": number} for rule, number in zip(all_rules, numbers, strict=True)]


def _query(file: str, columns: Iterable[str]) -> sql.Composed:
    """Return the query of a file, with these columns filled in."""
    names = [sql.Identifier(column) for column in columns]
    parts = {
        "columns": sql.SQL(", ").join(names),
        "known": sql.SQL(", ").join(sql.SQL("known.{}").format(name) for name in names),
        "excluded": sql.SQL(", ").join(sql.SQL("excluded.{}").format(name) for name in names),
    }
    return sql.SQL(resources.sql_text(file)).format(**parts)


def hiding_more(conn: Connection, targets: Iterable[Target]) -> list[int]:
    """Return the captured tables that hide more columns from now on; no foreign ones, which nobody can lock."""
    rules = [{"relation": target.relation, "hidden": target.rule.hidden} for target in targets]
    rows = conn.execute(resources.sql_text("queries/hiding_more.sql").encode(), {"rules": Jsonb(rules)}).fetchall()
    return [oid for (oid,) in rows]


def begin(conn: Connection, batch: Batch, rules: Iterable[Rule] | None) -> None:
    """Announce what a batch changes, and store the captures of its targets.

    The coverage guard ignores the batch's tables until `finish`, but accepts only functions that fit the captures.
    Needs the caller's transaction, which must be rolled back if something fails.

    Args:
        conn: The connection; its login must be able to act as auditctl_owner.
        batch: The batch.
        rules: The rules to store; None to leave them.
    """
    with database.acting_as(conn, ROLE_OWNER):
        touched = {change.relation_oid for change in batch.changes} | {target.relation for target in batch.targets}
        conn.execute(
            "select auditctl_internal.begin_change(%s::oid[]::regclass[])",
            [sorted(oid for oid in touched if oid is not None)],
        )
        captures = [captured(target) | {"relation": target.relation} for target in batch.targets]
        query = _query(
            "queries/register_capture.sql", ["relation", "target", *(key.name for key in rule_keys.CAPTURED)]
        )
        conn.execute(query, {"captures": Jsonb(captures)})
        if rules is not None:
            _write(conn, rules)


def finish(conn: Connection, batch: Batch, plan: Plan, only: frozenset[str] | None, known: Iterable[int]) -> None:
    """Register the targets of a batch, and store the state with which the coverage guard compares from now on.

    Args:
        conn: The connection; its login must be able to act as auditctl_owner.
        batch: The batch, whose statements were executed.
        plan: The whole plan.
        only: The rules and tables it is about; None for all.
        known: The relations that the plan knows: others were created since, and the guard may have taken them in.
    """
    with database.acting_as(conn, ROLE_OWNER):
        _register(conn, batch.targets)
        touched = [change.relation_oid for change in batch.changes if change.relation_oid is not None]
        delete = (
            "delete from auditctl.capture where relation::oid <> all (%(captured)s::oid[]) and (relation::oid = any "
            "(%(known)s::oid[]) or not exists (select from pg_class as c where c.oid = relation::oid))"
        )
        if not batch.is_last:
            delete += " and relation::oid = any (%(touched)s::oid[])"
        elif only is not None:
            delete += " and (target = any (%(only)s) or relation::oid = any (%(touched)s::oid[]))"
        captured = [target.relation for target in plan.targets]
        names = {"captured": captured, "known": list(known), "only": list(only or ()), "touched": touched}
        conn.execute(delete, names)
        conn.execute("select auditctl_internal.end_change()")
        sound = [change for change in plan.changes if change.kind is ChangeKind.KEEP] if batch.is_last else []
        digests = dict(change.digest for change in (*batch.changes, *sound) if change.digest is not None)
        conn.execute("select auditctl_internal.store_digests(%s)", [Jsonb(digests)])
        if any(change.kind is ChangeKind.DROP for change in batch.changes):
            conn.execute("select auditctl_internal.forget_digests()")


def stale(conn: Connection, plan: Plan) -> frozenset[int]:
    """Return the targets of a plan whose registration is missing or outdated (auditctl.stale_targets)."""
    rows = [_target_row(target) | {"keys": captured(target), "relation": target.relation} for target in plan.targets]
    renewed = {change.relation_oid for change in plan.changes if change.digest is not None}
    found = conn.execute("select auditctl.stale_targets(%s)", [Jsonb(rows)]).fetchall()
    return frozenset(oid for (oid,) in found) | frozenset(oid for oid in renewed if oid is not None)


def captured(target: Target) -> dict[str, Any]:
    """Return the row of auditctl.capture, as far as the rule decides it."""
    return target.rule.captured() | {"target": target.name}


def _target_row(target: Target) -> dict[str, Any]:
    """Return the row of auditctl.target, but for the types of the key."""
    # A rule that records no values takes nothing out of hiding.
    hidden = target.rule.hidden if target.rule.records_values else None
    return {"target": target.name, "label": target.label, "key": list(target.key), "hidden": hidden}


def members(conn: Connection, relations: Sequence[int]) -> dict[int, Sequence[int]]:
    """Return the members of audited tables, by object ids, as auditctl.capture has them."""
    query = (
        "select relation::oid::bigint, members::oid[]::bigint[] from auditctl.capture "
        "where relation::oid = any (%s::oid[])"
    )
    return dict(conn.execute(query, [list(relations)]).fetchall())


def _register(conn: Connection, targets: Iterable[Target]) -> None:
    """Enter audited tables in auditctl.target, and their new names in auditctl.rename.

    The tables are locked already: earlier events have the old name, later ones the new.
    """
    rows = [_target_row(target) | {"relation": target.relation} for target in targets]
    conn.execute(resources.sql_text("queries/register_target.sql"), {"targets": Jsonb(rows)})
    renamed = {target.renamed_from: target.name for target in targets if target.renamed_from is not None}
    conn.execute(
        "insert into auditctl.rename (renamed_at, old_target, new_target) "
        "select n.now, r.key, r.value from (select clock_timestamp() as now) as n, jsonb_each_text(%s) as r",
        [Jsonb(renamed)],
    )
