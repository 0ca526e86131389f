"""Finds tables that capture does not follow: former members of an audited table, and those with its former name.

The remedy audits each like the audited table, so that it hides the same columns.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from auditctl import resources
from auditctl.actions import DEFAULT, OPTIONS
from auditctl.capture import rule_keys, unseen
from auditctl.capture.rule_keys import Rule
from auditctl.database import Connection
from auditctl.doctor import rule_repair
from auditctl.doctor.model import Coverage, LostTable, ResultRow
from auditctl.table_names import qualified


def detached(conn: Connection) -> tuple[LostTable, ...]:
    """Return the tables that were part of an audited one (queries/detached_table.sql), by name."""
    return _read(conn, "queries/detached_table.sql")


def renamed(conn: Connection) -> tuple[LostTable, ...]:
    """Return the tables and views with the former name of an audited one, by name."""
    return tuple(
        LostTable(_rule(former.name, former.capture, former.columns), former.target, former.kind)
        for former in unseen.former_names(conn)
    )


def detached_tables(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the tables that were part of an audited one."""
    return [_row(table) for table in coverage.detached]


def renamed_tables(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the tables with the former name of an audited one, but for those that a rule covers."""
    covered = {qualified(*relation.identity) for relation, _ in coverage.resolution.covered}
    return [_row(table) for table in coverage.renamed if table.rule.name not in covered]


def _row(table: LostTable) -> ResultRow:
    name = table.rule.name
    remedy = shlex.join(rule_repair.command(table.rule))
    if table.kind != "table":
        remedy = (
            f"Audit the tables that the {table.kind} writes to, or drop it; then, if it is to stay: "
            f"{shlex.join(['auditctl', 'disable', name])}"
        )
    return {"object": name, "table": name, "target": table.target, "remedy": remedy}


def _read(conn: Connection, query: str) -> tuple[LostTable, ...]:
    rows = conn.execute(resources.sql_text(query).encode()).fetchall()
    tables = (LostTable(_rule(name, capture or {}, columns), target) for name, target, capture, columns in rows)
    return tuple(sorted(tables, key=lambda table: table.rule.name))


def _rule(name: str, capture: dict[str, Any], columns: Iterable[str]) -> Rule:
    """Return the rule; a glob may have named columns that neither table has, which a rule for one table may not."""
    rule = rule_keys.from_row(Rule(name, DEFAULT).row() | capture | {"name": name})
    actions = tuple(action for action in OPTIONS.values() if action in rule.actions)
    rule = rule_keys.keep_columns(rule, columns)
    return replace(rule, actions=actions, exclude=rule.exclude or None, mask=rule.mask or None)
