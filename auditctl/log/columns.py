"""The names of an event's columns, and the choice of some of them. It never reads an event."""

from __future__ import annotations

from auditctl.errors import UsageError
from auditctl.text import did_you_mean, in_quotes

Columns = tuple[str, ...]
"""Names of columns in the order in which they are shown, none of them twice."""

COLUMNS: Columns = (
    "event_id",
    "created_on",
    "ip_address",
    "user",
    "target",
    "target_id",
    "action",
    "details",
    "reason",
    "old_values",
    "new_values",
    "db_user",
    "actor_kind",
    "xact_id",
    "context",
)
"""The columns of an event, in the order of every format."""

DATABASE = "database"
"""The column that events of an archive have beside these: it may hold several databases."""

SEPARATOR = ","


def parse(text: str, known: Columns = COLUMNS) -> Columns:
    """Parse names of columns, separated by commas; blanks around a name are left out.

    Args:
        text: The names.
        known: The columns that there are.

    Raises:
        UsageError: A name is not that of a column, or is given twice.
    """
    return require(tuple(name.strip() for name in text.split(SEPARATOR)), known)


def require(names: Columns, known: Columns = COLUMNS) -> Columns:
    """Return names of columns as they are.

    Raises:
        UsageError: A name is not that of a column, is given twice, or there are none.
    """
    for number, name in enumerate(names):
        if name not in known:
            guess = did_you_mean(name, known, before=". Did you mean ")
            raise UsageError(f"{in_quotes(name)} is not a column{guess}", hint=f"Columns: {', '.join(COLUMNS)}.")
        if name in names[:number]:
            raise UsageError(f"the column {name} is named twice", hint="Name each column once.")
    if not names:
        raise UsageError("no column is named", hint=f"Columns: {', '.join(COLUMNS)}.")
    return names
