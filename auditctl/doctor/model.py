"""Defines checks and findings, and turns a row of a check's query into a finding."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from auditctl import resources
from auditctl.actions import Action
from auditctl.capture.model import Catalog
from auditctl.capture.plan import ChangeKind, Plan
from auditctl.capture.resolve import Resolution
from auditctl.capture.rule_keys import Rule
from auditctl.capture.scope import Scope
from auditctl.names import TRIGGER_SCHEMA

ResultRow = Mapping[str, Any]
"""One result of a check: `object`, and a value for each name in the check's sentences."""

FormerColumns = Mapping[str, Mapping[str, str | None]]
"""For each table its columns that were renamed or dropped: the former name, and the name now or None."""

AS = "as "
"""The start of a remedy that the asking login cannot carry out; who can do so follows."""

AS_SUPERUSER = f"{AS}a superuser: "
"""The start of one that only a superuser can carry out."""

COMMAND = "auditctl "
"""How a remedy starts that is typed into a shell; any other is SQL, or a sentence."""


class Right(StrEnum):
    """What it takes to carry a remedy out. A superuser can carry out every one."""

    NOBODY = "nobody"
    """No right in the database: it is done to the server."""

    ADMINISTRATOR = "administrator"
    """To be an administrator, or to act as auditctl_owner."""

    CONFIGURATION = "configuration"
    """To change what is audited of the tables concerned: as an administrator, or as auditctl_owner and their owner."""

    INSTALLER = "installer"
    """To act as auditctl_owner; where the coverage guard protects the store, to be a superuser."""

    OWNER = "owner"
    """To own an object: the result's `owner`, or else auditctl_owner, says who does."""

    GRANTOR = "grantor"
    """To grant a role: the result's `via` says which, its `grantor` who granted it."""

    SUPERUSER = "superuser"
    """To be a superuser."""


class Severity(StrEnum):
    """How much a finding matters, the worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTICE = "notice"

    @property
    def help(self) -> str:
        """What it says, as a sentence."""
        return _HELP[self]

    @property
    def plural(self) -> str:
        """The noun for several findings of it."""
        return self.value if self is Severity.CRITICAL else f"{self.value}s"


_HELP = {
    Severity.CRITICAL: "Events are or may be missing now, or may have been changed.",
    Severity.WARNING: "Somebody can weaken a promise.",
    Severity.NOTICE: "Worth knowing.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that weakens a promise.

    Attributes:
        severity: How much it matters.
        check: The check's name.
        object: What it is about.
        meaning: What it means, as a sentence.
        remedy: What to do: a command for the shell, SQL, or a sentence where neither can help.
    """

    severity: Severity
    check: str
    object: str
    meaning: str
    remedy: str

    @property
    def is_code(self) -> bool:
        """Whether the remedy is to be run as it stands, in a shell or in SQL, and no sentence."""
        is_statement = self.remedy.endswith(";") and self.remedy[:1].islower()
        return self.remedy.startswith(COMMAND) or (is_statement and not self.remedy.startswith(AS))


@dataclass(frozen=True, slots=True)
class LostTable:
    """A table that capture does not follow, although it was part of an audited table or has its former name.

    Attributes:
        rule: The rule that would audit it as the other table is audited.
        target: The name of the audited table.
        kind: `table`, `view` or `materialized view`.
    """

    rule: Rule
    target: str
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class ClearTarget:
    """Events of a target that hold in the clear what its rule hid when they were written.

    Attributes:
        target: The registered name.
        events: How many.
        since: When the first was recorded.
        until: When the last was recorded.
        columns: The columns, sorted.
    """

    target: str
    events: int
    since: datetime
    until: datetime
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClearValues:
    """What events show although a rule hid it.

    Attributes:
        targets: The targets of such events, by name.
        examined_since: The time of the oldest event that was examined; None if all were.
    """

    targets: tuple[ClearTarget, ...] = ()
    examined_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The stored rules compared with what the database has.

    Attributes:
        catalog: What the database has.
        resolution: The rules, the tables they cover, and what does not fit.
        plan: What `apply` would change if no rule had a problem.
        detached: Tables that were part of an audited one, which have a check of their own.
        renamed: Tables with the former name of an audited one.
        granted: Who must be allowed to execute a function: its name, a space, the role's name.
        forged: The object ids of tables, and actions, of functions that are not as their digests say.
        changed_templates: The actions whose functions are made from another template than this tool's.
        former_columns: The columns of audited tables that were renamed or dropped while the guard was off.
        clear_values: What events hold in the clear although a rule hid it.
        limits: The tables that were looked at; None for all.
    """

    catalog: Catalog
    resolution: Resolution
    plan: Plan
    detached: tuple[LostTable, ...]
    renamed: tuple[LostTable, ...]
    granted: tuple[str, ...]
    forged: frozenset[tuple[int, Action]]
    changed_templates: tuple[str, ...]
    former_columns: FormerColumns
    clear_values: ClearValues
    limits: Scope | None = None

    @property
    def detached_names(self) -> frozenset[str]:
        """The names of the tables that were part of an audited one."""
        return frozenset(table.rule.name for table in self.detached)

    @property
    def needed_functions(self) -> list[str]:
        """The names of generated functions that rules need, of broken rules as well."""
        unneeded = {c.relation for c in self.plan.pending if c.kind is ChangeKind.DROP}
        return [name for name in self.catalog.functions if f"{TRIGGER_SCHEMA}.{name}" not in unneeded]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look for. Its query, in sql/queries/doctor, returns nothing where all is well.

    Attributes:
        name: As findings carry it.
        severity: Of its findings; a row may say otherwise.
        title: What it finds, as a phrase, for the reference.
        meaning: What a finding means to an auditor, as one sentence; `{name}` stands for a value of the row.
        remedy: What to do, in the same way; a row may say otherwise. Values are already quoted for SQL, and are quoted
            here for a shell.
        since: The first major version of PostgreSQL that has what is looked at.
        until: The last one.
        query_name: The name of its query, where it is not the check's; the query has the check's as a parameter.
        find: Finds the rows where a query cannot: by comparing with the rules.
        examine: Which of its query's rows are findings, given the day, where that is in files; only the command asks.
        needs: What it takes to carry the remedy out; a row may say otherwise.
        otherwise: What can be done where nobody is a superuser, as a sentence like the remedy; empty for nothing.
        may_be_accepted: Whether somebody may accept its findings; not where events may be missing or changed.
    """

    name: str
    severity: Severity
    title: str
    meaning: str
    remedy: str
    needs: Right
    since: int = 14
    until: int = 99
    query_name: str = ""
    find: Callable[[Coverage], Sequence[ResultRow]] | None = None
    examine: Callable[[Sequence[ResultRow], date], Sequence[ResultRow]] | None = None
    otherwise: str = ""
    may_be_accepted: bool = True

    @property
    def query(self) -> str:
        """The text of its query."""
        return resources.sql_text(f"queries/doctor/{self.query_name or self.name}.sql")

    def finding(self, row: ResultRow) -> Finding:
        """Return what a row means."""
        remedy = row.get("remedy")
        if remedy is None:
            quote = shlex.quote if self.remedy.startswith(COMMAND) else str
            remedy = self.remedy.format_map({name: quote(str(value)) for name, value in row.items()})
        return Finding(
            Severity(row.get("severity", self.severity)),
            self.name,
            str(row["object"]),
            self.meaning.format_map(row),
            remedy,
        )
