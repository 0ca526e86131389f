"""What the log knows: the tables that a name or glob means, and the columns they have.

Turns what people call a table (its name, its label, a glob) into the names that events carry, so that the log is
searched by plain comparisons; what nothing is known of is an error, not an empty answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from psycopg.sql import SQL

from auditctl import resources
from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.log import predicates
from auditctl.names import SCHEMA
from auditctl.text import did_you_mean, is_glob

OWN = f"{SCHEMA}."
"""How the names start under which auditctl records what it does itself; no table in that schema is audited."""

_LISTED = 8
"""How many names a hint lists."""


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """A table that was ever audited, or what a business event names.

    Attributes:
        name: As events carry it, such as `billing.customer`.
        label: What people see; None where they see the name.
    """

    name: str
    label: str | None

    @property
    def table(self) -> str:
        """The name without its schema."""
        return self.name.rpartition(".")[2]


def read(conn: Connection) -> list[KnownTarget]:
    """Return every target the log knows, by name (queries/known_target.sql); auditctl's own as well.

    Raises:
        DatabaseError: The login may not read the log.
    """
    names = SQL(resources.sql_text("queries/event_target.sql"))
    query = SQL(resources.sql_text("queries/known_target.sql")).format(event_target=names)
    with read_transaction(conn):
        return [KnownTarget(name, label) for name, label in conn.execute(query)]


def resolve(text: str, known: Sequence[KnownTarget]) -> list[str]:
    """Return the names that a text means, in order, at least one.

    Tried in turn: the exact name or label, a glob over both, the name and the label in whatever case, and the
    table's name without its schema, which must then be the only one.

    Raises:
        UsageError: Nothing is known of that name, or two schemas have such a table.
    """
    folded = text.lower()
    ways: list[Callable[[KnownTarget], bool]] = [
        # Both at once: a business event cannot hide a table by taking its label for a name.
        lambda target: text in (target.name, target.label),
        partial(_matches, text),
        lambda target: target.name == folded,
        lambda target: (target.label or "").lower() == folded,
    ]
    for way in ways:
        if found := [target.name for target in known if way(target)]:
            return found
    for name in (text, folded):
        named = [target.name for target in known if target.table == name]
        # A table comes before what auditctl records of itself, such as auditctl.role.
        if found := [target for target in named if not target.startswith(OWN)] or named:
            if len(found) > 1:
                raise UsageError(f"{text!r} may mean {' or '.join(found)}", hint="Write the name with its schema.")
            return found
    raise UsageError(f"the log knows no table {text!r}", hint=_target_hint(text, known))


def resolve_one(text: str, known: Sequence[KnownTarget]) -> str:
    """Return the one name that a text means.

    Raises:
        UsageError: Nothing is known of that name, or it means several.
    """
    found = resolve(text, known)
    if len(found) > 1:
        raise UsageError(f"{text!r} means several tables: {', '.join(found[:_LISTED])}", hint="Name one of them.")
    return found[0]


def require_columns(conn: Connection, wanted: Sequence[str], targets: Sequence[str] | None) -> None:
    """Make sure that each column is one of the tables' (queries/known_column.sql), or once was.

    Args:
        conn: The connection.
        wanted: Names of columns.
        targets: Names of the tables to look at; None for all that were ever audited.

    Raises:
        UsageError: No table has such a column, and no update ever changed one.
        DatabaseError: The login may not read the log.
    """
    query = SQL(resources.sql_text("queries/known_column.sql"))
    with read_transaction(conn):
        present = {column for target, column in conn.execute(query) if targets is None or target in targets}
    for column in wanted:
        if column not in present and not _was_recorded(conn, column, targets):
            where = f"no table in {', '.join(targets[:_LISTED])}" if targets else "no audited table"
            hint = _close(column, present) or "List the columns in psql with: \\d SCHEMA.TABLE"
            raise UsageError(f"{where} has a column {column!r}", hint=hint)


def _matches(pattern: str, target: KnownTarget) -> bool:
    if not is_glob(pattern):
        return False
    return fnmatchcase(target.name, pattern) or (target.label is not None and fnmatchcase(target.label, pattern))


def _was_recorded(conn: Connection, column: str, targets: Sequence[str] | None) -> bool:
    wanted = [predicates.column([column]), *([] if targets is None else [predicates.target(targets)])]
    query = SQL("select exists (select from auditctl.activity where {})").format(predicates.all_of(wanted))
    with read_transaction(conn):
        return conn.execute(query).fetchone() == (True,)


def _target_hint(text: str, known: Sequence[KnownTarget]) -> str:
    if all(target.name.startswith(OWN) for target in known):
        return "Nothing was audited yet; start with: auditctl enable SCHEMA.TABLE"
    names = {name for target in known for name in (target.name, target.label, target.table) if name}
    return _close(text, names) or "List the audited tables with: auditctl tables"


def _close(text: str, names: Iterable[str]) -> str:
    by_folded = {name.lower(): name for name in sorted(names)}
    return did_you_mean(text.lower(), by_folded, most=3)
