"""Defines the errors: what failed, on which object, what to do, and the exit code.

Every error that leaves the library is an `AuditctlError`. The class decides the exit code; the message is one
sentence that names the object; the hint is one sentence that says what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from auditctl.text import bounded


class AuditctlError(Exception):
    """auditctl failed in a way it did not expect.

    Attributes:
        exit_code: The process's exit status, as documented in docs/reference/commands.md.
        hint: What to do about it, as one sentence; empty when there is nothing to add.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None, *, hint: str = "") -> None:
        super().__init__(bounded(message or (self.__doc__ or "").strip().splitlines()[0]))
        self.hint = bounded(hint)


class UsageError(AuditctlError):
    """The command line, or an argument of a function, cannot be understood."""

    exit_code = 2


class OutputError(AuditctlError):
    """The output could not be written."""


class DriftError(AuditctlError):
    """The database differs from the rules."""

    exit_code = 3


class ConfigurationError(AuditctlError):
    """The configuration does not fit the database, or is not valid.

    Attributes:
        problems: Every problem found, each a sentence that names file and key path; never empty.
    """

    exit_code = 4

    def __init__(self, problems: Sequence[str], *, hint: str = "") -> None:
        super().__init__("\n".join(problems), hint=hint)
        self.problems = tuple(problems)


class DatabaseError(AuditctlError):
    """The database refused or could not be reached.

    Attributes:
        sqlstate: The five characters of the SQLSTATE, or None when no server answered.
    """

    exit_code = 5

    def __init__(self, message: str, *, hint: str = "", sqlstate: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate


class StoreError(AuditctlError):
    """The store is missing, or of another version than this tool."""

    exit_code = 6


class NoStoreError(StoreError):
    """The database has no store."""


class PlaceError(StoreError):
    """The store is not where it was installed: the database was restored or copied."""

    exit_code = 3


class TransactionRequired(AuditctlError):
    """The connection is in autocommit outside a transaction: the actor would be lost at once."""
