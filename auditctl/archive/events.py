"""Turns events into the columns of an archive, and back: what comes back are the canonical bytes that went in.

Source of an event: `copy (select <projection> from auditctl.event as e ...) to stdout (format binary)`. Its fields are
the canonical bytes of the table's columns, and then what follows from them, as PostgreSQL writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_interface
from typing import Any

import pyarrow as pa
from psycopg import Copy
from psycopg.sql import SQL, Composed

from auditctl.archive import packed
from auditctl.archive.columns import COLUMNS, SCHEMA_VERSION, Column
from auditctl.evidence import canonical
from auditctl.evidence.canonical import Fields
from auditctl.text import in_quotes

VERSION_KEY = b"auditctl.archive"
"""The key of a file's metadata with the version of its columns."""

EventRow = tuple[bytes | None, ...]
"""The canonical bytes of an event, in the order of `canonical.COLUMNS`; then the texts of its address and details."""

_OWN = len(canonical.COLUMNS)
_ADDRESS, _DETAILS = _OWN, _OWN + 1
_AS_BYTES = ("bytea",) * (_OWN + 2)
_PLACES = {name: place for place, name in enumerate(canonical.COLUMNS)}
_IP = _PLACES["ip"]

# From 2000, as PostgreSQL counts, to 1970.
_EPOCHS = 946_684_800_000_000
_LEAST, _MOST = -(2**63) + _EPOCHS, 2**63 - 1 - _EPOCHS

_TYPES: dict[str, Callable[[], pa.DataType]] = {
    "int64": pa.int64,
    "time": lambda: pa.timestamp("us", tz="UTC"),
    "string": pa.string,
    "binary": pa.binary,
}


def schema() -> pa.Schema:
    """Return the schema of the files, with the version in its metadata."""
    fields = [pa.field(column.name, _TYPES[column.type](), nullable=column.is_nullable) for column in COLUMNS]
    return pa.schema(fields, metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()})


def projection(alias: str = "e") -> Composed:
    """Return the columns of an event for COPY in binary format, from auditctl.event under that alias."""
    return SQL(
        "{own}, pg_catalog.abbrev({alias}.ip), (select s.details from auditctl.sentence({alias}.action,"
        " {alias}.old_values, {alias}.new_values, {alias}.context) as s)"
    ).format(own=canonical.projection(alias), alias=SQL(alias))


def rows(copy: Copy) -> Iterator[EventRow]:
    """Return the rows of a COPY of `projection`."""
    copy.set_types(_AS_BYTES)
    return copy.rows()


def fields_of(row: EventRow) -> Fields:
    """Return the canonical bytes of an event."""
    return row[:_OWN]


def to_batch(events: Sequence[EventRow]) -> pa.RecordBatch:
    """Return events as a batch of the files' columns."""
    exact: list[bytes | None] = [None] * len(events)
    sources = list(zip(*events, strict=True)) if events else [()] * (_OWN + 2)
    arrays = [_array(column, sources, exact) for column in COLUMNS if column.name != "exact"]
    for place, event in enumerate(events):
        if exact[place] is not None:
            exact[place] = packed.pack(event[:_OWN])
    return pa.RecordBatch.from_arrays([*arrays, pa.array(exact, pa.binary())], schema=schema())


def from_batch(batch: pa.RecordBatch) -> Iterator[Fields]:
    """Yield the canonical bytes of each event of a batch, in its order.

    Raises:
        ValueError: A value cannot be one that `to_batch` wrote.
    """
    columns = [_bytes_of(name, batch) for name in canonical.COLUMNS]
    exact = batch.column("exact").to_pylist()
    _require_addresses(batch)
    for place, fields in enumerate(zip(*columns, strict=True)):
        data = exact[place]
        yield fields if data is None else _unpacked(data, batch.slice(place, 1))


def _unpacked(data: bytes, row: pa.RecordBatch) -> Fields:
    """Return the exact bytes of an event, whose columns must be those that `to_batch` makes of them."""
    fields = packed.unpack(data)
    texts = (row.column(name)[0].as_py() for name in ("ip", "details"))
    try:
        again = to_batch([(*fields, *(None if text is None else text.encode() for text in texts))])
    except (struct.error, pa.ArrowException, IndexError):
        raise ValueError("these are not the bytes of an event") from None
    if again.drop_columns(["exact"]) != row.drop_columns(["exact"]):
        raise ValueError(f"the columns of event {row.column('event_id')[0]} are not those of its exact bytes")
    return fields


def _require_addresses(batch: pa.RecordBatch) -> None:
    """Make sure that each address as text, which people read, is the one that sorts, of which there is evidence."""
    pairs = zip(batch.column("ip").to_pylist(), batch.column("ip_sort").to_pylist(), strict=True)
    for text, sortable in set(pairs):
        address = None if text is None else ip_interface(text)
        same = None if address is None else bytes((address.version, *address.packed, address.network.prefixlen))
        if same != sortable:
            raise ValueError(f"the address {in_quotes(text or '')} is another one than its bytes")


def _array(column: Column, sources: Sequence[Sequence[bytes | None]], exact: list[bytes | None]) -> pa.Array:
    if column.name == "ip_sort":
        return pa.array([_sortable(value) for value in sources[_IP]], pa.binary())
    if column.name == "ip":
        return _texts(sources[_ADDRESS], exact)
    if column.name == "details":
        return _texts(sources[_DETAILS], exact)
    values = sources[_PLACES[column.name]]
    if column.type == "string":
        return _texts(values, exact)
    numbers: Sequence[int] = struct.unpack(f">{len(values)}q", b"".join(value or b"" for value in values))
    if column.type == "time":
        numbers = [_moment(number, place, exact) for place, number in enumerate(numbers)]
    return pa.array(numbers, pa.int64()).cast(_TYPES[column.type]())


def _texts(values: Sequence[bytes | None], exact: list[bytes | None]) -> pa.Array:
    """Return texts; where one is not valid UTF-8, it has U+FFFD, and `exact` is marked."""
    try:
        return pa.array(values, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        texts: list[str | None] = []
        for place, value in enumerate(values):
            text = None if value is None else value.decode("utf-8", "replace")
            if text is not None and text.encode() != value:
                exact[place] = b""
            texts.append(text)
        return pa.array(texts, pa.string())


def _moment(number: int, place: int, exact: list[bytes | None]) -> int:
    if not _LEAST <= number <= _MOST:
        exact[place] = b""  # infinity, and nothing else that PostgreSQL knows
        return _MOST if number > 0 else _LEAST
    return number + _EPOCHS


def _sortable(value: bytes | None) -> bytes | None:
    """Return an address as bytes that sort by family, address and length of the network.

    The first byte is 4 or 6, then come the 4 or 16 bytes of the address, then the length of the network in bits.
    """
    return None if value is None else bytes((4 if value[0] == 2 else 6,)) + value[4:] + value[1:2]


def _address(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    address = value[1:-1]
    if value[:1] not in (b"\4", b"\6") or len(address) != (4 if value[0] == 4 else 16):
        raise ValueError("ip_sort is not an address")
    return bytes((2 if value[0] == 4 else 3, value[-1], 0, len(address))) + address


def _bytes_of(name: str, batch: pa.RecordBatch) -> list[bytes | None]:
    if name == "ip":
        return [_address(value) for value in batch.column("ip_sort").to_pylist()]
    column = batch.column(name)
    if pa.types.is_string(column.type):
        return list(column.cast(pa.binary()).to_pylist())
    shift = _EPOCHS if pa.types.is_timestamp(column.type) else 0
    return [_eight(number, shift) for number in column.cast(pa.int64()).to_pylist()]


def _eight(number: Any, shift: int) -> bytes:
    try:
        return (int(number) - shift).to_bytes(8, "big", signed=True)
    except (TypeError, OverflowError):
        raise ValueError("a number is missing or too large") from None
