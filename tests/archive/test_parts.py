"""Events in files of Parquet: what comes back is what went in, whatever the values are."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg.sql import SQL

from auditctl.archive import events, files, parts
from auditctl.archive.columns import COLUMNS
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError
from auditctl.archive.packed import ContentDigest, pack, unpack
from auditctl.errors import OutputError
from tests.support.drawn_events import draw_event, fill

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.archive.events import EventRow

KEY = MonthKey("shop", "2026-05")
COPY = SQL("copy (select {} from drawn as e order by occurred_at, event_id) to stdout (format binary)")

POSSIBLE = """
    update drawn set db_user = 'app' where db_user is null;
    update drawn set action = 'EVENT'
     where 'object' <> any (array[jsonb_typeof(old_values), jsonb_typeof(new_values), jsonb_typeof(context)])
"""


@pytest.fixture
def drawn(db: str) -> list[EventRow]:
    """Events with odd values, as COPY delivers them."""
    draw = random.Random(18)
    with psycopg.connect(db) as conn:
        fill(conn, [draw_event(draw, number) for number in range(1, 400)])
        conn.execute(POSSIBLE)
        with conn.cursor().copy(COPY.format(events.projection("e"))) as copy:
            return list(events.rows(copy))


def write(folder: Path, rows: list[EventRow], part_bytes: int = parts.PART_BYTES) -> parts.PartWriter:
    writer = parts.PartWriter(files.at(str(folder)), KEY, part_bytes)
    list(writer.write(iter(rows)))
    return writer


def test_canonical_bytes_come_back_from_files(tmp_path: Path, drawn: list[EventRow]) -> None:
    writer = write(tmp_path, drawn)
    (part,) = writer.parts
    content = ContentDigest()
    back = list(parts.read(writer.files, KEY.path(part.name)))
    for fields in back:
        content.add(fields)
    assert back == [events.fields_of(row) for row in drawn]
    assert (content.hexdigest(), part.rows) == (writer.content.hexdigest(), len(drawn))
    data = (tmp_path / "database=shop/month=2026-05/part-0001.parquet").read_bytes()
    assert (part.bytes, part.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_bytes_that_are_not_valid_utf_8_come_back(tmp_path: Path, drawn: list[EventRow]) -> None:
    # As a database with the encoding SQL_ASCII may have them.
    odd = [(*row[:5], b"\xff\xfe", *row[6:]) for row in drawn]
    writer = write(tmp_path, odd)
    path = KEY.path(writer.parts[0].name)
    assert list(parts.read(writer.files, path)) == [events.fields_of(row) for row in odd]
    assert set(pq.read_table(tmp_path / path)["actor"].to_pylist()) == {"\ufffd\ufffd"}


def test_a_month_is_divided_into_files_in_the_order_of_its_events(
    tmp_path: Path, drawn: list[EventRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "GROUP_ROWS", 50)
    writer = write(tmp_path, drawn, part_bytes=1)
    assert [part.rows for part in writer.parts] == [50] * 7 + [49]
    back = [fields for part in writer.parts for fields in parts.read(writer.files, KEY.path(part.name))]
    assert back == [events.fields_of(row) for row in drawn]


def test_other_programs_read_the_columns(tmp_path: Path, drawn: list[EventRow]) -> None:
    writer = write(tmp_path, drawn)
    table = pq.read_table(tmp_path / KEY.path(writer.parts[0].name), partitioning=None)
    assert table.column_names == [column.name for column in COLUMNS]
    assert table["details"].cast("binary").to_pylist() == [row[14] for row in drawn]
    metadata = pq.read_metadata(tmp_path / KEY.path(writer.parts[0].name))
    assert {metadata.row_group(0).column(place).compression for place in range(metadata.num_columns)} == {"ZSTD"}


def test_an_address_sorts_by_family_and_value(tmp_path: Path, drawn: list[EventRow], db: str) -> None:
    writer = write(tmp_path, drawn)
    table = pq.read_table(tmp_path / KEY.path(writer.parts[0].name), partitioning=None)
    pairs = {
        (key, text) for key, text in zip(table["ip_sort"].to_pylist(), table["ip"].to_pylist(), strict=True) if key
    }
    with psycopg.connect(db) as conn:
        rows = conn.execute(
            "select abbrev(i) from unnest(%s::inet[]) as i order by family(i), host(i)::inet, masklen(i)",
            [[text for _, text in pairs]],
        ).fetchall()
    assert [text for _, text in sorted(pairs)] == [text for (text,) in rows]


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_a_byte_that_was_altered_is_found_or_harmless(tmp_path: Path, drawn: list[EventRow], place: float) -> None:
    writer = write(tmp_path, drawn)
    path = tmp_path / KEY.path(writer.parts[0].name)
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)
    try:
        back = list(parts.read(writer.files, KEY.path(writer.parts[0].name)))
    except ArchiveError as error:
        assert "part-0001.parquet" in str(error)
    else:
        assert back == [events.fields_of(row) for row in drawn]


def test_nothing_is_overwritten_and_nothing_is_left_of_a_failure(tmp_path: Path, drawn: list[EventRow]) -> None:
    path = tmp_path / KEY.path("part-0001.parquet")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not ours")
    with pytest.raises(OutputError, match="exists already"):
        write(tmp_path, drawn)
    assert path.read_bytes() == b"not ours"
    assert list(path.parent.iterdir()) == [path]


def test_packed_events_are_unpacked(drawn: list[EventRow]) -> None:
    for row in drawn:
        fields = events.fields_of(row)
        assert unpack(pack(fields)) == fields
        for damaged in (pack(fields)[:-1], pack(fields) + b"\0", b""):
            with pytest.raises(ValueError, match="not the bytes"):
                unpack(damaged)
