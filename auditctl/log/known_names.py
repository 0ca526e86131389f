"""Defines where names in filters are looked up, and looks them up in the database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from auditctl.database import Connection, read_transaction
from auditctl.log import keys, target_names, transactions, user_names
from auditctl.log.filter_values import Transaction, User
from auditctl.log.keys import Spellings

Targets = Sequence[str] | None
"""The names of the targets that are looked at; None for all."""

_ASCII = "select current_database() where lower(U&'\\00C4') = U&'\\00C4'"


class KnownNames(ABC):
    """The names that events can have. Each method raises DatabaseError where the login may not read the log."""

    @abstractmethod
    def find_targets(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """Return the names of targets that names, labels and globs mean, sorted; raise UsageError for unknown ones."""

    @abstractmethod
    def find_key(self, key: str, targets: Targets) -> tuple[Spellings, ...]:
        """Return how targets spell a key; raise UsageError where none of the targets can have it."""

    @abstractmethod
    def find_near_keys(self, key: str, targets: Sequence[str]) -> str:
        """Return a question that names keys like one that no event has; empty if there is none, or an event has it."""

    @abstractmethod
    def find_user(self, user: User) -> User:
        """Return a user with the names that events have; raise UsageError where they may mean several."""

    @abstractmethod
    def find_similar_users(self, user: User) -> str:
        """Return a question that names users like one that is not known; empty if it is known, or nobody is like it."""

    @abstractmethod
    def require_columns(self, columns: Sequence[str], targets: Targets) -> None:
        """Make sure that each column is, or was, in one of the targets; raise UsageError if not."""

    @abstractmethod
    def find_transaction(self, transaction: Transaction) -> Transaction:
        """Return a transaction with the bounds of its cluster; raise UsageError where it may mean several."""

    @abstractmethod
    def find_ascii_databases(self) -> frozenset[str]:
        """Return the databases whose `lower` changes letters of ASCII alone."""


class DatabaseNames(KnownNames):
    """The names that the log of a database knows.

    Args:
        conn: A connection of a reader.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def find_targets(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """Return the names of targets that names, labels and globs mean."""
        known = target_names.read(self._conn)
        return tuple(sorted({name for text in patterns for name in target_names.find(self._conn, text, known)}))

    def find_key(self, key: str, targets: Targets) -> tuple[Spellings, ...]:
        """Return how targets spell a key."""
        return keys.find(self._conn, key, targets)

    def find_near_keys(self, key: str, targets: Sequence[str]) -> str:
        """Return a question that names keys like one that the log does not have."""
        return keys.suggest(self._conn, key, targets)

    def find_user(self, user: User) -> User:
        """Return a user with the names that the log has."""
        return user_names.resolve(user_names.DatabaseUsers(self._conn), user)

    def find_similar_users(self, user: User) -> str:
        """Return a question that names users like one that is not known."""
        return user_names.similar(user_names.DatabaseUsers(self._conn), user)

    def require_columns(self, columns: Sequence[str], targets: Targets) -> None:
        """Make sure that each column is, or was, in one of the tables."""
        target_names.require_columns(self._conn, columns, targets)

    def find_transaction(self, transaction: Transaction) -> Transaction:
        """Return a transaction with the bounds of its cluster."""
        return transactions.resolve(self._conn, transaction)

    def find_ascii_databases(self) -> frozenset[str]:
        """Return the database, if its `lower` changes letters of ASCII alone."""
        with read_transaction(self._conn):
            return frozenset(name for (name,) in self._conn.execute(_ASCII))
