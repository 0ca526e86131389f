"""The canonical bytes of an event's columns: those of PostgreSQL's binary format in UTF-8.

They depend on no time zone, locale, version of the server or driver. COPY in binary format delivers them; SQL computes
the same ones (sql/functions/65_evidence/leaf.sql). docs/explanation/evidence.md specifies them, with vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_interface

from psycopg import Copy
from psycopg.sql import SQL, Composed, Identifier

COLUMNS = (
    "event_id",
    "occurred_at",
    "xact_id",
    "actor_kind",
    "action",
    "actor",
    "ip",
    "db_user",
    "target",
    "target_id",
    "old_values",
    "new_values",
    "context",
)
"""The columns of auditctl.event, in the order of the table."""

UNITS = ("actor", "ip", "db_user", "target_id", "old_values", "new_values", "context")
"""The columns that have a commitment of their own, so that each can be erased: in the order of the leaf."""

JSON = ("old_values", "new_values", "context")
"""The columns of type jsonb."""

Fields = tuple[bytes | None, ...]
"""The canonical bytes of the columns, in the order of `COLUMNS`; None where a column is null."""

_AS_BYTES = ("bytea",) * len(COLUMNS)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_INFINITY = {"infinity": 2**63 - 1, "-infinity": -(2**63)}


def projection(alias: str = "event") -> Composed:
    """Return the columns for `copy (select <projection> from auditctl.event as <alias>) to stdout (format binary)`.

    The binary format of jsonb is its text behind a byte for the version, so its text is selected.
    """
    return SQL(", ").join(
        SQL("{}.{}::text" if column in JSON else "{}.{}").format(Identifier(alias), Identifier(column))
        for column in COLUMNS
    )


def rows(copy: Copy) -> Iterator[Fields]:
    """Return the canonical bytes of each row of a COPY of `projection`."""
    copy.set_types(_AS_BYTES)
    return copy.rows()


def from_row(values: Sequence[object]) -> Fields:
    """Return the canonical bytes of the columns' values, as the driver returns them.

    Args:
        values: In the order of `COLUMNS`: `occurred_at` as an aware datetime, or `infinity` or `-infinity`; `ip` as
            text or as an address; the columns of type jsonb as the text that PostgreSQL prints.

    Raises:
        ValueError: There are not 13 values, or one that should be an address or a time is not.
    """
    if len(values) != len(COLUMNS):
        raise ValueError("the row does not have 13 columns")
    pairs = zip(COLUMNS, values, strict=True)
    return tuple(None if value is None else _BYTES.get(column, _text)(value) for column, value in pairs)


def to_text(column: str, value: bytes | None) -> str | None:
    """Return the value of a column as people read it: times in UTC, text with U+FFFD for what is not valid UTF-8.

    Args:
        column: One of `COLUMNS`.
        value: Its canonical bytes; None for null.
    """
    if value is None:
        return None
    if column in ("event_id", "xact_id"):
        return str(int.from_bytes(value, "big", signed=column == "event_id"))
    if column == "occurred_at":
        return _time_text(int.from_bytes(value, "big", signed=True))
    if column == "ip":
        address = str(ip_address(value[4:]))
        return address if value[1] == 8 * value[3] else f"{address}/{value[1]}"
    return value.decode("utf-8", "replace")


def _time_text(microseconds: int) -> str:
    for name, number in _INFINITY.items():
        if microseconds == number:
            return name
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")
    except OverflowError:
        return f"{microseconds} microseconds after 2000-01-01 00:00 UTC"


def _number(value: object) -> bytes:
    return int(str(value)).to_bytes(8, "big")


def time_bytes(text: str) -> bytes:
    """Return the canonical bytes of a time in ISO 8601 with a zone; raises ValueError for what is not one."""
    return _time(datetime.fromisoformat(text))


def address_bytes(text: str) -> bytes:
    """Return the canonical bytes of an address with or without a mask; raises ValueError for what is not one."""
    return _address(text)


def _time(value: object) -> bytes:
    if isinstance(value, datetime):
        return ((value - _EPOCH) // timedelta(microseconds=1)).to_bytes(8, "big", signed=True)
    return _INFINITY[str(value)].to_bytes(8, "big", signed=True)


def _address(value: object) -> bytes:
    interface = ip_interface(str(value))
    packed = interface.packed
    return bytes((2 if interface.version == 4 else 3, interface.network.prefixlen, 0, len(packed))) + packed


def _text(value: object) -> bytes:
    return str(value).encode("utf-8", "surrogateescape")


_BYTES = {
    "event_id": lambda value: int(str(value)).to_bytes(8, "big", signed=True),
    "occurred_at": _time,
    "xact_id": _number,
    "ip": _address,
}
