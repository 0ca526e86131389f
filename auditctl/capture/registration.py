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
    before, after = known.rule.captured(), target.rule.captured()
    reasons = [
        f"The guard knows {key.name} = {_words(key, before[key.name])}, the rule says {_words(key, after[key.name])}."
        for key in CAPTURED
        if _comparable(key, before[key.name]) != _comparable(key, after[key.name])
    ]
    if known.rule.name != target.name:
        reasons.append(f"The guard knows it as {known.rule.name}.")
    if known.rule.label != target.label:
        reasons.append(f"The log labels it {_word(known.rule.label)}, the rule says {_word(target.label)}.")
    if known.key != target.key:
        reasons.append(f"The log knows its key as {_word(known.key)}, and it is {_word(target.key)}.")
    return reasons


def rule_difference(before: Rule | None, after: Rule | None) -> str:
    """Return how a stored rule differs from the one that should be stored, as a phrase."""
    if before is None:
        return "is not stored yet"
    if after is None:
        return "is stored, and no rule says so"
    values = ((key, getattr(before, key.name), getattr(after, key.name)) for key in rule_keys.KEYS)
    return ", ".join(
        f"{key.name} = {_words(key, new)} instead of {_words(key, old)}" for key, old, new in values if old != new
    )


def _comparable(key: RuleKey, known: Any) -> Any:
    # Their order means nothing but in a key.
    return frozenset(known) if isinstance(known, tuple) and key.name != "key" else known


def _words(key: RuleKey, known: Any) -> str:
    """Return the value of a rule's key as a file states it; `none` for one that it does not state."""
    return _word([action.value.lower() for action in known] if key.kind is Kind.ACTIONS else known)


def _word(known: Any) -> str:
    return "none" if known is None else json.dumps(known, ensure_ascii=False)
