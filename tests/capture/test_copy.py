"""COPY into an audited table, in each of its formats, leaves one event for each row that stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.templates import audited, begin_with
from tests.support.replaying import changes, counted, replay, rows
from tests.support.versions import COPY_ON_ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence


TABLES = """
    create table item (id int primary key, v text);
    insert into item values (1, 'one'), (2, 'two'), (3, 'three')
"""

db_template = begin_with(audited(TABLES, "item"))


@pytest.fixture
def item(db: str) -> str:
    """An audited table with three rows that were there before."""
    return "public.item"


BEFORE = [(None, {"id": 1, "v": "one"}), (None, {"id": 2, "v": "two"}), (None, {"id": 3, "v": "three"})]


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ("text", b"4\tfour\n5\t\\N\n6\tta\\tb\n"),
        ("csv, header true", b'id,v\r\n4,four\r\n5,\r\n6,"ta\tb"\r\n'),
        ("binary", [(4, "four"), (5, None), (6, "ta\tb")]),
    ],
    ids=["text", "csv", "binary"],
)
def test_copy_leaves_an_event_for_each_row(
    conn: psycopg.Connection, item: str, options: LiteralString, written: bytes | Sequence[tuple[int, str | None]]
) -> None:
    with conn.cursor().copy(f"copy item from stdin (format {options})") as copy:
        if isinstance(written, bytes):
            copy.write(written)
        else:
            copy.set_types(["int4", "text"])
            for row in written:
                copy.write_row(row)
    assert changes(conn, item) == [
        ("CREATE", "4", None, {"id": 4, "v": "four"}, None),
        ("CREATE", "5", None, {"id": 5, "v": None}, None),
        ("CREATE", "6", None, {"id": 6, "v": "ta\tb"}, None),
    ]
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_copy_of_frozen_rows_into_a_table_emptied_in_the_same_transaction(conn: psycopg.Connection, item: str) -> None:
    with conn.transaction():
        conn.execute("truncate item")
        with conn.cursor().copy("copy item from stdin (freeze true)") as copy:
            copy.write(b"7\tseven\n")
    assert changes(conn, item) == [
        ("TRUNCATE", None, None, None, None),
        ("CREATE", "7", None, {"id": 7, "v": "seven"}, None),
    ]
    assert replay(conn, item, BEFORE) == rows(conn, item)


def test_copy_that_passes_over_what_it_cannot_read_records_the_rows_it_kept(
    conn: psycopg.Connection, item: str
) -> None:
    statement = "copy item from stdin (on_error ignore)"
    if conn.info.server_version < COPY_ON_ERROR:
        with pytest.raises(psycopg.errors.SyntaxError), conn.cursor().copy(statement):
            pass
        assert changes(conn, item) == []
        return
    with conn.cursor().copy(statement) as copy:
        copy.write(b"4\tfour\nfive\tfive\n6\tsix\n")
    assert changes(conn, item) == [
        ("CREATE", "4", None, {"id": 4, "v": "four"}, None),
        ("CREATE", "6", None, {"id": 6, "v": "six"}, None),
    ]


def test_a_copy_of_many_rows_leaves_as_many_events(conn: psycopg.Connection, item: str) -> None:
    with conn.cursor().copy("copy item from stdin") as copy:
        for number in range(10, 5010):
            copy.write_row((number, f"row {number}"))
    assert counted(conn, item) == {"CREATE": 5000}
    assert replay(conn, item, BEFORE) == rows(conn, item)
