"""Keeps a desired state within the limit of administrators: what is outside stays as it is stored, and is said.

The database decides what is outside (auditctl.not_administrable).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from auditctl.capture import admin_limit, resolve, scope
from auditctl.capture.model import Catalog
from auditctl.capture.rule_keys import Rule
from auditctl.database import Connection
from auditctl.text import plural


@dataclass(frozen=True, slots=True)
class Within:
    """What an administrator gets of a desired state.

    Attributes:
        rules: The rules: those of the file within the limit, the stored ones outside.
        only: The names of rules and tables within the limit.
        warnings: What stays, as sentences.
    """

    rules: tuple[Rule, ...]
    only: frozenset[str]
    warnings: tuple[str, ...] = ()


def keep(conn: Connection, stored: tuple[Rule, ...], wanted: tuple[Rule, ...] | None, current: Catalog) -> Within:
    """Return what an administrator with a limit gets.

    Args:
        conn: The connection.
        stored: The stored rules.
        wanted: The rules of a file; None for the stored ones.
        current: What the database has.
    """
    if wanted is None:
        return Within(stored, _inside(conn, stored, current))
    named = resolve.resolve(wanted, current, follow_renames=False).rules
    outside = set(admin_limit.outside(conn, [rule.name for rule in (*stored, *named)]))
    mine = [replace(rule, is_in_force=rule in stored) for rule in named if rule.name not in outside]
    rules = scope.interleave(stored, mine, lambda name: name not in outside)
    left = {rule.name for rule in set(stored) ^ set(named) if rule.name in outside}
    return Within(
        rules, _inside(conn, stored, current) | _inside(conn, rules, current), tuple(_left(left)) if left else ()
    )


def _left(names: set[str]) -> Iterator[str]:
    yield f"{plural(len(names), 'rule')} outside of {admin_limit.SECTION} tables, such as {min(names)}: left as stored"


def _inside(conn: Connection, rules: tuple[Rule, ...], current: Catalog) -> frozenset[str]:
    """Return the names within the limit, of rules and of the tables that they cover."""
    resolution = resolve.resolve(rules, current, follow_renames=True)
    names = {rule.name for rule in rules} | {audited.target for audited in resolution.audited}
    return frozenset(names.difference(admin_limit.outside(conn, sorted(names))))
