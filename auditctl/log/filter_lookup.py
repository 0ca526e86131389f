"""Looks the values of filters up, one function for each kind, and suggests others for those that events do not have.

Each takes where to look, the values of a filter, and the names of the targets that are looked at, None for all, and
raises UsageError where a value cannot be meant, and DatabaseError where the login may not read the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from auditctl.display import harmless
from auditctl.log.filter_values import ColumnValue, Reason, Transaction, User
from auditctl.log.keys import Key
from auditctl.log.known_names import KnownNames, Targets


def resolve_targets(names: KnownNames, patterns: tuple[str, ...], _: Targets) -> tuple[str, ...]:
    """Return the names of targets that names, labels and globs mean."""
    return names.find_targets(patterns)


def resolve_keys(names: KnownNames, values: tuple[Key, ...], targets: Targets) -> tuple[Key, ...]:
    """Return the keys as the targets spell them."""
    return tuple(replace(key, groups=names.find_key(key.text, targets), of_any=targets is None) for key in values)


def suggest_keys(names: KnownNames, values: tuple[Key, ...], targets: Targets) -> str:
    """Ask for keys of the targets that are like these."""
    return _joined(names.find_near_keys(key.text, targets) for key in values) if targets else ""


def resolve_users(names: KnownNames, users: tuple[User, ...], _: Targets) -> tuple[User, ...]:
    """Return the users as events spell their names."""
    return tuple(names.find_user(user) for user in users)


def suggest_users(names: KnownNames, users: tuple[User, ...], _: Targets) -> str:
    """Ask for users like those that nobody is."""
    return _joined(names.find_similar_users(user) for user in users)


def doubt_users(names: KnownNames, users: tuple[User, ...]) -> list[str]:
    """Say which of the users to leave out nobody is, with users like them."""
    return [
        f"Nobody is called {harmless(user.name or '')}: nothing is excluded. {names.find_similar_users(user)}".rstrip()
        for user in users
        if not user.is_known
    ]


def resolve_columns(names: KnownNames, columns: tuple[str, ...], targets: Targets) -> tuple[str, ...]:
    """Make sure that the targets have, or had, the columns."""
    names.require_columns(columns, targets)
    return columns


def resolve_values(names: KnownNames, values: tuple[ColumnValue, ...], targets: Targets) -> tuple[ColumnValue, ...]:
    """Make sure that the targets have, or had, the columns of the values."""
    names.require_columns([value.column for value in values], targets)
    return values


def resolve_transactions(names: KnownNames, values: tuple[Transaction, ...], _: Targets) -> tuple[Transaction, ...]:
    """Return the transactions with the bounds of their cluster."""
    return tuple(names.find_transaction(value) for value in values)


def resolve_reasons(names: KnownNames, values: tuple[Reason, ...], _: Targets) -> tuple[Reason, ...]:
    """Return the reasons with what lower case is."""
    return tuple(replace(value, ascii_databases=names.find_ascii_databases()) for value in values)


def _joined(questions: Iterable[str]) -> str:
    return " ".join(question for question in questions if question)
