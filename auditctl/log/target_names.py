"""Finds the targets that a name or glob means, and checks names of columns, against what the log knows.

Turns what people call a table (its name, its label, a glob) into the names that events carry, so that the log is
searched by plain comparisons. An unknown name is an error, not an empty answer.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from psycopg.rows import class_row
from psycopg.sql import SQL

from auditctl import resources, table_names
from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.log import predicates, value_predicates
from auditctl.names import SCHEMA
from auditctl.table_names import Pattern
from auditctl.text import did_you_mean, in_quotes, is_glob

OWN_PREFIX = f"{SCHEMA}."
"""The prefix of the targets under which auditctl records its own actions; no table in that schema is audited."""

_MAX_LISTED = 8
"""How many names a message lists."""

_LISTED = "List the audited tables with: auditctl tables"


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """A table that was ever audited, or the target of a business event.

    Attributes:
        name: As events carry it, such as `billing.customer`.
        label: The name that people read; None where that is `name`.
        later_name: The next name of a table that was renamed.
    """

    name: str
    label: str | None
    later_name: str | None = None

    @property
    def parts(self) -> tuple[str, str]:
        """The schema and the table, without quotes; of a business event, what is before and after the last dot."""
        schema, dot, table = self.name.rpartition(".")
        if '"' in self.name:
            with suppress(UsageError):  # the name of a business event may be any text
                pattern = table_names.parse(self.name)
                return pattern.schema.text if pattern.schema else "", pattern.table.text
        return (schema, table) if dot else ("", table)

    @property
    def table(self) -> str:
        """The name without its schema."""
        return self.parts[1]


def read(conn: Connection) -> list[KnownTarget]:
    """Return every target the log knows, auditctl's own included, by name (queries/known_target.sql).

    Raises:
        DatabaseError: The login may not read the log.
    """
    names = SQL(resources.sql_text("queries/event_target.sql"))
    query = SQL(resources.sql_text("queries/known_target.sql")).format(event_target=names)
    with read_transaction(conn), conn.cursor(row_factory=class_row(KnownTarget)) as cursor:
        return cursor.execute(query).fetchall()


def resolve(text: str, known: Sequence[KnownTarget], place: str = "the log", listed: str = _LISTED) -> list[str]:
    """Return the names of the targets that a text means, in order, at least one.

    Tried in turn: the exact name or label, a glob over both, a name with parts in quotes as in SQL, the name and the
    label in any case, and the table's name without its schema, which must then be unique.

    Args:
        text: The text.
        known: What is known.
        place: What knows it, for messages.
        listed: How all names are listed, as a sentence.

    Raises:
        UsageError: No such target is known, or two schemas have such a table.
    """
    folded = text.lower()
    tests: list[Callable[[KnownTarget], bool]] = [
        # Both at once: a business event cannot hide a table by using its label as a name.
        lambda target: text in (target.name, target.label),
        partial(_matches, text),
        # Business events are named in this form: see auditctl_internal.event_name.
        lambda target: target.name == unicodedata.normalize("NFKC", text),
        *(partial(_is_named, pattern) for pattern in _quoted(text)),
        lambda target: target.name == folded,
        lambda target: (target.label or "").lower() == folded,
    ]
    for test in tests:
        if names := [target.name for target in known if test(target)]:
            return names
    for table in dict.fromkeys((_unquoted(text), _unquoted(folded))):
        same_table = list(dict.fromkeys(target.name for target in known if target.table == table))
        # A table comes before auditctl's own targets, such as auditctl.role.
        if names := [name for name in same_table if not name.startswith(OWN_PREFIX)] or same_table:
            if len(names) > 1:
                raise UsageError(
                    f"{in_quotes(text)} may mean {' or '.join(names)}", hint="Write the name with its schema."
                )
            return names
    raise UsageError(f"{place} knows no table {in_quotes(text)}", hint=_target_hint(text, known, listed))


def find(conn: Connection, text: str, known: Sequence[KnownTarget]) -> list[str]:
    """Return what `resolve` does; of a table that the log does not know, but the database, the error says so.

    Raises:
        UsageError: As `resolve`, or the table exists and was never audited (queries/every_table.sql).
    """
    try:
        return resolve(text, known)
    except UsageError:
        tables = [KnownTarget(name, None) for name in _tables(conn)]
        names = [target.name for target in tables if text.lower() in (target.table, target.table.lower())]
        with suppress(UsageError):
            names = resolve(text, tables)
        if not names or any(text in (target.name, target.table, target.label) for target in known):
            raise
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise UsageError(
            f"{names[0]}{more} is not audited: nothing that happened to it is in the log",
            hint=f"To record it from now on: auditctl enable {shlex.quote(text if more else names[0])}",
        ) from None


def _tables(conn: Connection) -> list[str]:
    """Return the names of all tables of the database, as they would be registered."""
    with read_transaction(conn):
        return [
            table_names.qualified(*row) for row in conn.execute(resources.sql_text("queries/every_table.sql").encode())
        ]


def resolve_one(text: str, known: Sequence[KnownTarget], place: str = "the log", listed: str = _LISTED) -> str:
    """Return the name of the one target that a text means; a label means the present name of its table.

    Raises:
        UsageError: The place knows no such target, or the text means several.
    """
    names = _without_former(text, resolve(text, known, place, listed), known)
    if len(names) > 1:
        raise UsageError(
            f"{in_quotes(text)} means several tables: {', '.join(names[:_MAX_LISTED])}", hint="Name one of them."
        )
    return names[0]


def _without_former(text: str, names: list[str], known: Sequence[KnownTarget]) -> list[str]:
    """Leave former names of tables out of names that have a text as their label."""
    labelled = {target.name: target for target in known if (target.label or "").lower() == text.lower()}
    if len(names) < 2 or not labelled.keys() >= set(names):
        return names
    later = {target.name: target.later_name for target in known}

    def is_former(name: str) -> bool:
        seen = {name}
        while (after := later.get(name)) is not None and after not in seen:
            if after in names:
                return True
            seen.add(name := after)
        return False

    return [name for name in names if not is_former(name)] or names


def require_columns(conn: Connection, columns: Sequence[str], targets: Sequence[str] | None) -> None:
    """Make sure that each column is in one of the tables (queries/known_column.sql), or once was.

    Args:
        conn: The connection.
        columns: Names of columns.
        targets: Names of the tables to look at; None for all that were ever audited.

    Raises:
        UsageError: No table has such a column, and no event ever had one.
        DatabaseError: The login may not read the log.
    """
    query = SQL(resources.sql_text("queries/known_column.sql"))
    with read_transaction(conn):
        present = {column for target, column in conn.execute(query) if targets is None or target in targets}
    for column in columns:
        if column not in present and not _was_recorded(conn, column, targets):
            raise no_column(column, targets, present, "List the columns in psql with: \\d SCHEMA.TABLE")


def no_column(column: str, targets: Sequence[str] | None, present: Iterable[str], listed: str) -> UsageError:
    """Return the error for a column that none of some targets has; the hint names others, or else how to list them."""
    where = f"no table in {', '.join(targets[:_MAX_LISTED])}" if targets else "no audited table"
    return UsageError(f"{where} has a column {in_quotes(column)}", hint=_suggestion(column, present) or listed)


def _quoted(text: str) -> list[Pattern]:
    """Return the ways to read a schema and table with a part in quotes: the other as written and in lower case."""
    pattern = _pattern(text)
    return [] if pattern is None or pattern.schema is None else list(dict.fromkeys((pattern, pattern.lowered())))


def _unquoted(text: str) -> str:
    """Return a name without its quotes, if it has no schema."""
    pattern = _pattern(text)
    return text if pattern is None or pattern.schema is not None else pattern.table.text


def _pattern(text: str) -> Pattern | None:
    if '"' not in text:
        return None
    try:
        return table_names.parse(text)
    except UsageError:
        return None


def _is_named(pattern: Pattern, target: KnownTarget) -> bool:
    return pattern.matches(*target.parts)


def _matches(pattern: str, target: KnownTarget) -> bool:
    if not is_glob(pattern):
        return False
    return fnmatchcase(target.name, pattern) or (target.label is not None and fnmatchcase(target.label, pattern))


def _was_recorded(conn: Connection, column: str, targets: Sequence[str] | None) -> bool:
    conditions = [value_predicates.recorded(column), *([] if targets is None else [predicates.target(targets)])]
    query = SQL("select exists (select from auditctl.activity where {})").format(predicates.conjunction(conditions))
    with read_transaction(conn):
        return conn.execute(query).fetchone() == (True,)


def _target_hint(text: str, known: Sequence[KnownTarget], listed: str) -> str:
    if listed == _LISTED and all(target.name.startswith(OWN_PREFIX) for target in known):
        return "Nothing was audited yet; start with: auditctl enable SCHEMA.TABLE"
    names = {name for target in known for name in (target.name, target.label, target.table) if name}
    return _suggestion(text, names) or listed


def _suggestion(text: str, names: Iterable[str]) -> str:
    return did_you_mean(text.lower(), {name.lower(): name for name in sorted(names)}, most=3)
