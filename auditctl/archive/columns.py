"""The columns of an archived event: one row each, with its type and how it is stored.

Text columns have what people read; canonical bytes (auditctl.evidence.canonical) come back from them exactly. Where the
columns cannot hold an event, such as text that is not valid UTF-8, `exact` has its canonical bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

SCHEMA_VERSION = 1
"""The version of these columns, in each manifest and file."""

DATABASE, MONTH = "database", "month"
"""The columns that come from the path of a file."""


MICROSECONDS = "occurred_us"
"""The column that engines compute: when an event was captured, in microseconds since 1970."""


class Stored(Enum):
    """How a column is stored: as the difference to the row before, by a dictionary of few values, or plainly."""

    DELTA = auto()
    DICTIONARY = auto()
    PLAIN = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the files.

    Attributes:
        name: Its name.
        type: `int64`, `time` (microseconds in UTC), `string` or `binary`.
        stored: How it is stored.
        has_filter: Whether each group of rows has a Bloom filter for it.
        is_nullable: Whether it may be null.
        is_own: Whether it is a column of auditctl.event; others follow from these.
    """

    name: str
    type: str
    stored: Stored = Stored.PLAIN
    has_filter: bool = False
    is_nullable: bool = True
    is_own: bool = True


COLUMNS = (
    Column("event_id", "int64", Stored.DELTA, is_nullable=False),
    Column("occurred_at", "time", Stored.DELTA, is_nullable=False),
    # Signed, as few engines read unsigned numbers: one of 2^63 or more, which no server reaches, is negative.
    Column("xact_id", "int64", Stored.DELTA, is_nullable=False),
    Column("actor_kind", "string", Stored.DICTIONARY, is_nullable=False),
    Column("action", "string", Stored.DICTIONARY, is_nullable=False),
    Column("actor", "string", Stored.DICTIONARY, has_filter=True),
    Column("ip", "string", Stored.DICTIONARY),
    Column("ip_sort", "binary", Stored.DICTIONARY, is_own=False),
    Column("db_user", "string", Stored.DICTIONARY, has_filter=True, is_nullable=False),
    Column("target", "string", Stored.DICTIONARY, has_filter=True, is_nullable=False),
    Column("target_id", "string", Stored.DICTIONARY, has_filter=True),
    Column("old_values", "string"),
    Column("new_values", "string"),
    Column("context", "string"),
    Column("details", "string", is_own=False),
    Column("exact", "binary", is_own=False),
)
"""Every column, in the order of the files: those of auditctl.event in the order of the table."""
