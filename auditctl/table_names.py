"""Parses and quotes names of tables, and globs over them.

A name is `table` or `schema.table`. A part in double quotes is taken literally; an unquoted part may be a glob
(`*`, `?`, `[abc]`; see auditctl/globs.py) and is tried as written first, then in lower case, as SQL would read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from auditctl import globs
from auditctl.errors import UsageError
from auditctl.names import IDENTIFIER_BYTES
from auditctl.text import in_quotes, is_glob

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_NEEDS_QUOTES = re.compile(r'[."*?\[\]]')


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a name: its text, and whether it is a glob."""

    text: str
    is_glob: bool = False
    is_quoted: bool = False

    def matches(self, name: str) -> bool:
        """Whether an identifier matches."""
        return globs.pattern(self.text).fullmatch(name) is not None if self.is_glob else name == self.text

    def covers(self, other: Part) -> bool:
        """Whether every identifier that the other part matches also matches this one."""
        if other.is_glob:
            return self.is_glob and globs.covers(self.text, other.text)
        return self.matches(other.text)

    def overlaps(self, other: Part) -> bool:
        """Whether some identifier matches both parts."""
        if self.is_glob and other.is_glob:
            return globs.overlap(self.text, other.text)
        return other.matches(self.text) if other.is_glob else self.matches(other.text)

    def example(self) -> str | None:
        """Return an identifier that matches; None where none does."""
        return globs.example(self.text) if self.is_glob else self.text

    def __str__(self) -> str:
        return self.text if self.is_glob else quoted(self.text)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A name or glob; schema is None where none was written."""

    schema: Part | None
    table: Part

    @property
    def is_glob(self) -> bool:
        """Whether it may mean several tables."""
        return self.table.is_glob or (self.schema is not None and self.schema.is_glob)

    def matches(self, schema: str, table: str) -> bool:
        """Whether a relation matches; without a schema, in any schema."""
        return self.table.matches(table) and (self.schema is None or self.schema.matches(schema))

    def covers(self, other: Pattern) -> bool:
        """Whether every relation that the other pattern matches also matches this one."""
        if self.schema is not None and (other.schema is None or not self.schema.covers(other.schema)):
            return False
        return self.table.covers(other.table)

    def overlaps(self, other: Pattern) -> bool:
        """Whether some relation could match both patterns."""
        if self.schema is not None and other.schema is not None and not self.schema.overlaps(other.schema):
            return False
        return self.table.overlaps(other.table)

    def example(self) -> tuple[str, str] | None:
        """Return a schema and a name that it matches; None where it matches none."""
        schema, table = (part.example() if part else "" for part in (self.schema, self.table))
        return None if schema is None or table is None else (schema, table)

    def lowered(self) -> Pattern:
        """Return the pattern with unquoted parts in lower case."""
        return Pattern(self.schema and _lower(self.schema), _lower(self.table))

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}" if self.schema else str(self.table)


class Patterns:
    """A list of patterns that finds those that match a relation without trying each of them."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._wide: list[tuple[int, Pattern]] = []
        self._by_schema: dict[str, list[tuple[int, Pattern]]] = {}
        self._reaching: dict[str, tuple[dict[str, list[int]], list[tuple[int, Part]]]] = {}
        for number, pattern in enumerate(patterns):
            schema = pattern.schema
            pairs = self._wide if schema is None or schema.is_glob else self._by_schema.setdefault(schema.text, [])
            pairs.append((number, pattern))

    def matching(self, schema: str, table: str) -> list[int]:
        """Return the positions of the patterns that match a relation, in order."""
        if schema not in self._reaching:
            self._reaching[schema] = self._find(schema)
        exact, parts = self._reaching[schema]
        return sorted([*exact.get(table, ()), *(number for number, part in parts if part.matches(table))])

    def _find(self, schema: str) -> tuple[dict[str, list[int]], list[tuple[int, Part]]]:
        """Return the patterns that reach a schema: those of one table by its name, and the others."""
        exact: dict[str, list[int]] = {}
        parts = []
        wide = [pair for pair in self._wide if pair[1].schema is None or pair[1].schema.matches(schema)]
        for number, pattern in [*wide, *self._by_schema.get(schema, ())]:
            if pattern.table.is_glob:
                parts.append((number, pattern.table))
            else:
                exact.setdefault(pattern.table.text, []).append(number)
        return exact, parts


@lru_cache(maxsize=4096)
def parse(text: str) -> Pattern:
    """Parse a name or glob.

    Raises:
        UsageError: It is not a name: empty, with too many parts, with a NUL byte, or too long for PostgreSQL.
    """
    if "\0" in text:
        raise UsageError("a table's name cannot contain a NUL byte")
    parts: list[Part] = []
    position = 0
    while True:
        match = _PART.match(text, position)
        if match is None:
            break
        parts.append(_part(match, text))
        position = match.end()
        if position == len(text) or text[position] != ".":
            break
        position += 1
    if position != len(text) or len(parts) not in (1, 2) or text.endswith("."):
        raise UsageError(
            f"{in_quotes(text)} is not a table name",
            hint='Write schema.table; put a part that contains a dot in double quotes: "my.schema".table',
        )
    return Pattern(parts[0] if len(parts) == 2 else None, parts[-1])


def canonical(text: str) -> str:
    """Return a name in quotes, or a glob with parts in quotes, as it is registered; any other text as it is.

    The database does the same (auditctl.canonical_target).
    """
    if '"' not in text:
        return text
    try:
        return str(parse(text))
    except UsageError:  # the name of a business event may be any text
        return text


def qualified(schema: str, table: str) -> str:
    """Return the name under which a table is registered: each part in quotes only where it would be ambiguous."""
    return f"{quoted(schema)}.{quoted(table)}"


def quoted(part: str) -> str:
    """Return a part of a name, in double quotes where it contains a dot, a quote or a wildcard."""
    return '"' + part.replace('"', '""') + '"' if _NEEDS_QUOTES.search(part) else part


def commented_target(comment: str) -> str | None:
    """Return the target that a capture function's comment names; None if the comment is not ours."""
    head, _, target = comment.partition(" of ")
    return target if head.startswith("auditctl: ") and target else None


def _part(match: re.Match[str], whole: str) -> Part:
    if match[1] is not None:
        part = Part(match[1].replace('""', '"'), is_quoted=True)
    else:
        part = Part(match[2], is_glob=is_glob(match[2]))
    if not part.is_glob and len(part.text.encode()) > IDENTIFIER_BYTES:
        raise UsageError(
            f"{in_quotes(whole)} is too long: a name has at most {IDENTIFIER_BYTES} bytes",
            hint="Look the name up with: auditctl tables --all",
        )
    return part


def _lower(part: Part) -> Part:
    return part if part.is_quoted else Part(part.text.lower(), part.is_glob)
