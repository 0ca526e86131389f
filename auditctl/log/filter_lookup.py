"""Looks the values of filters up in the database, one function for each kind, and suggests others for those not there.

Each takes the values of a filter and the names of the targets that are looked at, None for all, and raises UsageError
where a value cannot be meant, and DatabaseError where the login may not read the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from auditctl.database import Connection
from auditctl.display import harmless
from auditctl.log import keys, target_names, transactions, user_names
from auditctl.log.filter_values import ColumnValue, Transaction, User
from auditctl.log.keys import Key

Targets = Sequence[str] | None


def resolve_targets(conn: Connection, patterns: tuple[str, ...], _: Targets) -> tuple[str, ...]:
    """Return the names of targets that names, labels and globs mean."""
    targets = target_names.read(conn)
    return tuple(sorted({name for pattern in patterns for name in target_names.find(conn, pattern, targets)}))


def resolve_keys(conn: Connection, values: tuple[Key, ...], targets: Targets) -> tuple[Key, ...]:
    """Return the keys as the targets spell them."""
    return tuple(replace(key, groups=keys.find(conn, key.text, targets), of_any=targets is None) for key in values)


def suggest_keys(conn: Connection, values: tuple[Key, ...], targets: Targets) -> str:
    """Ask for keys of the targets that are like these."""
    return _joined(keys.suggest(conn, key.text, targets) for key in values) if targets else ""


def resolve_users(conn: Connection, users: tuple[User, ...], _: Targets) -> tuple[User, ...]:
    """Return the users as the log spells their names."""
    return tuple(user_names.resolve(conn, user) for user in users)


def suggest_users(conn: Connection, users: tuple[User, ...], _: Targets) -> str:
    """Ask for users like those that nobody is."""
    return _joined(user_names.similar(conn, user) for user in users)


def doubt_users(conn: Connection, users: tuple[User, ...]) -> list[str]:
    """Say which of the users to leave out nobody is, with users like them."""
    return [
        f"Nobody is called {harmless(user.name or '')}: nothing is excluded. {user_names.similar(conn, user)}".rstrip()
        for user in users
        if not user.is_known
    ]


def resolve_columns(conn: Connection, columns: tuple[str, ...], targets: Targets) -> tuple[str, ...]:
    """Make sure that the targets have, or had, the columns."""
    target_names.require_columns(conn, columns, targets)
    return columns


def resolve_values(conn: Connection, values: tuple[ColumnValue, ...], targets: Targets) -> tuple[ColumnValue, ...]:
    """Make sure that the targets have, or had, the columns of the values."""
    target_names.require_columns(conn, [value.column for value in values], targets)
    return values


def resolve_transactions(conn: Connection, values: tuple[Transaction, ...], _: Targets) -> tuple[Transaction, ...]:
    """Return the transactions with the bounds of their cluster."""
    return tuple(transactions.resolve(conn, value) for value in values)


def _joined(questions: Iterable[str]) -> str:
    return " ".join(question for question in questions if question)
