"""What the suite's scripts may write differently with auditctl: the registry of explained differences.

An explanation is one row. `make test-regress` prints how many differences each one explains.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.regress.compare import Difference

TABLE: Final = r"^ |^-[-+]+$|^\(\d+ rows?\)$"
"""Lines of a table that psql prints, whose width changes with its rows."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why some lines differ.

    Attributes:
        reason: One sentence.
        lines: The lines that it explains, a regular expression.
        statement: Only in the answer to such a statement, a regular expression.
        scripts: Only in these scripts; empty for all.
    """

    reason: str
    lines: str
    statement: str = ""
    scripts: tuple[str, ...] = ()

    def explains(self, difference: Difference, line: str) -> bool:
        """Whether this line of a difference is one that it explains."""
        return (
            re.search(self.lines, line) is not None
            and re.search(self.statement, difference.statement, re.IGNORECASE) is not None
            and (not self.scripts or difference.script in self.scripts)
        )


EXPLANATIONS: Final = (
    Explanation(
        "`\\d` lists the capture triggers of an audited table.",
        r"^Triggers firing always:$|^    auditctl_(create|update|delete|truncate) AFTER ",
        statement=r"\\d",
    ),
    Explanation(
        "Queries of pg_trigger and of the standard's view find the capture triggers.",
        TABLE,
        statement=r"\bpg_trigger\b|information_schema\.triggers",
    ),
    Explanation(
        "Queries of pg_locks find what the guard and capture lock.",
        TABLE,
        statement=r"\bpg_locks\b|\bmy_locks\b",
    ),
    Explanation(
        "Queries of pg_proc find the functions of auditctl.",
        TABLE,
        statement=r"\bpg_proc\b",
    ),
    Explanation(
        "Queries of pg_class, pg_index and information_schema find the relations of auditctl.",
        TABLE,
        statement=r"\bpg_class\b|\bpg_index\b|\binformation_schema\.column",
    ),
    Explanation(
        "The sanity check of PostgreSQL 14 lists every table, auditctl's too.",
        r"^\w+\|[tf]$",
        statement=r"\bpg_class\b",
        scripts=("sanity_check",),
    ),
    Explanation(
        "Queries of pg_depend find that the log is partitioned.",
        r"^[ 0-9]+\|.*\| [PS]$|^\(\d+ rows?\)$",
        statement=r"\bpg_depend\b",
    ),
    Explanation(
        "The list of rules lacks those that were refused.",
        r"^(rtest|shoelace)_\w+\|\w+\|CREATE RULE |^ +(ON|WHERE|VALUES) |^\(\d+ rows?\)$",
        statement=r"\bpg_rules\b",
        scripts=("rules",),
    ),
    Explanation(
        "Queries of pg_event_trigger find the guard's event triggers.",
        TABLE,
        statement=r"\bpg_event_trigger\b",
    ),
    Explanation(
        "`explain analyze` counts the calls of capture triggers.",
        r"^ ?Trigger auditctl_|^ *\(\d+ rows\)$",
        statement=r"explain[ (_].*analyze|explain_",
    ),
    Explanation(
        "A prepared transaction is missing that could not be serialized.",
        TABLE,
        statement=r"\bpg_prepared_xacts\b",
        scripts=("prepared_xacts",),
    ),
    Explanation(
        "The rows are missing that a refused rule of another table would have changed.",
        TABLE,
        statement=r"\bshoelace",
        scripts=("rules",),
    ),
    Explanation(
        "Event triggers of others fire for the commands with which the guard takes a table in.",
        r"^NOTICE:  .*(CREATE FUNCTION|CREATE TRIGGER|ALTER TABLE|GRANT|REVOKE|COMMENT|DROP FUNCTION|auditctl)",
        scripts=("event_trigger",),
    ),
    Explanation(
        "A message has the context of the guard's functions.",
        r"^(CONTEXT:  |SQL statement |PL/pgSQL function ).*auditctl",
    ),
)

REFUSALS: Final = (
    ("The guard refuses it with UA003, such as a rule that diverts writes.", r'ERROR:  refused: (?:\w+\.)?"?(\w+)'),
    (
        "A rule cannot make a table with triggers a view, which PostgreSQL 16 does not allow for any table.",
        r'ERROR:  could not convert table "(\w+)" to a view because it has triggers',
    ),
    (
        "Two serializable transactions that create or drop audited tables conflict in the guard's tables (40001).",
        r"ERROR:  could not serialize access due to (\S+) dependencies",
    ),
    (
        "An event trigger of others, with names that lack a schema, fails when it fires for a command of the guard.",
        r'ERROR:  relation "(dropped_objects)" does not exist',
    ),
)
"""Why statements are refused, and with which message; its group is a name, mostly the table's."""

OBJECT: Final = re.compile(r"create\s+(?:or\s+replace\s+)?(?:rule|policy|table|view|trigger)\s+(\w+)", re.IGNORECASE)
"""What a refused statement would have created."""

CONSEQUENCES: Final = "What was refused is missing afterwards, or its transaction is aborted."


@dataclass(slots=True)
class Explainer:
    """Explains the differences of one script, in order, as some follow from earlier ones.

    Attributes:
        missing: What refusals were about so far: tables, and what was not created.
    """

    missing: set[str] = field(default_factory=set)

    def explain(self, difference: Difference) -> tuple[list[str], Difference | None]:
        """Return the reasons that a difference has, and what of it has none."""
        added = "\n".join(difference.added)
        for reason, message in REFUSALS:
            if tables := re.findall(message, added):
                names = (*tables, *OBJECT.findall(difference.statement))
                self.missing.update(name.lower() for name in names)
                return [reason], None
        text = f"{difference.statement}\n{added}".lower()
        consequence = rf"\b({'|'.join(map(re.escape, self.missing))})\b|current transaction is aborted"
        if self.missing and re.search(consequence, text):
            return [CONSEQUENCES], None
        reasons = []
        left = difference
        for explanation in EXPLANATIONS:
            removed = tuple(line for line in left.removed if not explanation.explains(difference, line))
            remaining = tuple(line for line in left.added if not explanation.explains(difference, line))
            if (removed, remaining) != (left.removed, left.added):
                reasons.append(explanation.reason)
                left = replace(left, removed=removed, added=remaining)
        return reasons, left if left.removed or left.added else None
