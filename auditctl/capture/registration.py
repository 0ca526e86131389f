"""Compares what the guard and the log know of an audited table with its rule, as far as no trigger or policy shows it.

`read` reads it (sql/queries/registered.sql), `compare` is pure.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from psycopg import sql
from psycopg.rows import kwargs_row

from auditctl import resources
from auditctl.capture import rule_keys
from auditctl.capture.model import Audited, Registration
from auditctl.capture.plan import Change, ChangeKind, Target
from auditctl.capture.rule_keys import CAPTURED, Kind, Rule, RuleKey
from auditctl.database import Connection


def read(conn: Connection, oids: Sequence[int] | None = None) -> dict[int, Registration]:
    """Return what is registered of audited tables, by their object ids; of those given, or of all."""
    columns = sql.SQL(", ").join(
        sql.SQL("pg_catalog.to_jsonb(k.{0}) as {0}").format(sql.Identifier(key.name)) for key in CAPTURED
    )
    query = sql.SQL(resources.sql_text("queries/registered.sql")).format(columns=columns)
    cursor = conn.cursor(row_factory=kwargs_row(_registration))
    return dict(cursor.execute(query, {"relations": None if oids is None else list(oids)}))


def _registration(relation: int, key_columns: list[str] | None, **row: Any) -> tuple[int, Registration]:
    return relation, Registration(rule_keys.from_row(row), tuple(key_columns or ()))


def compare(covered: Iterable[Audited], targets: Iterable[Target], changed: Collection[str]) -> Iterator[Change]:
    """Yield a change for each table that only has to be registered again.

    Args:
        covered: The audited tables.
        targets: What is to be registered of each, in the same order.
        changed: The targets with other changes: to apply these registers them, too.
    """
    for audited, target in zip(covered, targets, strict=True):
        reasons = [] if target.name in changed else _differences(audited.root.registration, target)
        if reasons:
            action = audited.rule.actions[0]
            yield Change(
                ChangeKind.STORE, target.name, action, target.name, " ".join(reasons), relation_oid=target.relation
            )


def _differences(known: Registration | None, target: Target) -> list[str]:
    if known is None:
        return ["The coverage guard does not watch it."]
    reasons = [
        f"The guard knows {_assigned(known.rule, key)}, the rule says {value(target.rule, key)}."
        for key in CAPTURED
        if _comparable(known.rule, key) != _comparable(target.rule, key)
    ]
    if known.rule.name != target.name:
        reasons.append(f"The guard knows it as {known.rule.name}.")
    if known.rule.label != target.label:
        reasons.append(f"The log labels it {_word(known.rule.label)}, the rule says {_word(target.label)}.")
    if known.key != target.key:
        reasons.append(f"The log knows its key as {_word(list(known.key))}, and it is {_word(list(target.key))}.")
    return reasons


def rule_difference(before: Rule | None, after: Rule | None) -> str:
    """Return how a stored rule differs from the one that should be stored, as a sentence without a full stop."""
    if before is None:
        return "is not stored yet"
    if after is None:
        return "is stored, and no rule says so"
    return ", ".join(
        f"{_assigned(after, key)} instead of {value(before, key)}"
        for key in rule_keys.KEYS
        if getattr(before, key.name) != getattr(after, key.name)
    )


def _comparable(rule: Rule, key: RuleKey) -> Any:
    known = getattr(rule, key.name)
    # Their order means nothing but in a key.
    return frozenset(known) if isinstance(known, tuple) and key.name != "key" else known


def _assigned(rule: Rule, key: RuleKey) -> str:
    return f"{key.name} = {value(rule, key)}"


def value(rule: Rule, key: RuleKey) -> str:
    """Return the value of a rule's key as a file states it; `none` for a text that it does not have."""
    known = getattr(rule, key.name)
    return _word([action.value.lower() for action in known] if key.kind is Kind.ACTIONS else known)


def _word(known: Any) -> str:
    return "none" if known is None else json.dumps(known, ensure_ascii=False)
