"""Events of an archive, in order: pages, databases, and files that are not as they were."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from auditctl.archive import archive, files, pages, search
from auditctl.archive.engines import Engine, EngineMemoryError
from auditctl.archive.manifest import ArchiveError
from auditctl.archive.search import ArchiveSelection, Search
from auditctl.errors import UsageError
from auditctl.log import archive_predicates
from auditctl.log.archive_predicates import ArchivePredicate
from auditctl.log.filter_values import User
from auditctl.log.selection import Order
from tests.support.archived import archive_month
from tests.support.recorded import START, Recorded, record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import psycopg
    from ibis.expr.types import Table
    from pyarrow import RecordBatch

    from auditctl.archive.texts import Position

MONTHS = ("2026-03", "2026-04", "2026-05")
RARE = ArchivePredicate(lambda events: events.target == "rare")
ODD = ArchivePredicate(lambda events: events.event_id.notnull(), accepts=lambda event: event["event_id"] % 2 == 1)


def fill(conn: psycopg.Connection) -> None:
    """Events of three months; two of the same microsecond, and one of another target in the first."""
    times = [START.replace(month=month) + timedelta(hours=hour) for month in (3, 4, 5) for hour in (0, 1, 1, 2)]
    record(conn, *(Recorded(at=time) for time in times))
    record(conn, Recorded(at=START, target="rare"))


def searched(engine: Engine, folder: Path | str, database: str | None = None) -> Search:
    return Search(archive.read(files.at(str(folder)), database), engine)


def positions(found: Search, selection: ArchiveSelection) -> list[Position]:
    return [event.position for event in found.events(selection)]


def archived(conn: psycopg.Connection, path: Path | str) -> None:
    fill(conn)
    for month in MONTHS:
        archive_month(conn, path, month)


@pytest.fixture
def place(conn: psycopg.Connection, archive_path: str) -> str:
    """An archive in each kind of place."""
    archived(conn, archive_path)
    return archive_path


@pytest.fixture
def folder(conn: psycopg.Connection, tmp_path: Path) -> Path:
    """An archive whose files a test alters."""
    archived(conn, tmp_path)
    return tmp_path


def in_the_log(conn: psycopg.Connection) -> list[tuple[int, int]]:
    """Time and number of each event, as the log has them, oldest first."""
    return conn.execute(
        "select (extract(epoch from occurred_at) * 1000000)::bigint, event_id from auditctl.event"
        " where target not like 'auditctl.%' order by 1, 2"
    ).fetchall()


@pytest.mark.parametrize("order", list(Order))
def test_pages_of_seven_are_one_query(
    engine: Engine, conn: psycopg.Connection, place: str, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CHUNK", 3)
    logged = in_the_log(conn)
    found, after = searched(engine, place), None
    read: list[Position] = []
    while page := positions(found, ArchiveSelection(order=order, after=after, limit=7)):
        assert len(page) in (7, len(logged) - len(read))
        read += page
        after = pages.parse_cursor(pages.cursor_text(page[-1], ["shop"]), ["shop"])
    whole = positions(found, ArchiveSelection(order=order))
    assert read == whole
    assert [place[:2] for place in whole] == (logged if order is Order.ASC else logged[::-1])


@pytest.mark.parametrize("order", list(Order))
def test_what_python_decides_fills_the_pages(
    engine: Engine, conn: psycopg.Connection, place: str, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CHUNK", 2)
    found, logged = searched(engine, place), in_the_log(conn)
    expected = [one for one in (logged if order is Order.ASC else logged[::-1]) if one[1] % 2 == 1]
    for limit in (None, 4):
        assert [place[:2] for place in positions(found, ArchiveSelection((ODD,), order, limit=limit))] == expected[
            :limit
        ]


def test_a_rare_event_is_found_in_all_months(engine: Engine, place: str) -> None:
    (event,) = searched(engine, place).events(ArchiveSelection((RARE,), limit=50))
    assert (event.texts["target"], event.texts["user"]) == ("rare", "alice")


def test_a_user_is_asked_for_by_one_column_after_the_other(
    engine: Engine, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine.skips_by_alternatives:
        pytest.skip("this engine skips what has neither by itself")
    asked: list[str] = []
    batches = engine.batches

    def watched(table: Table) -> Iterator[RecordBatch]:
        asked.append(repr(table))
        return batches(table)

    monkeypatch.setattr(engine, "batches", watched)
    found = searched(engine, place)
    nobody = archive_predicates.user([User("nobody")])
    assert positions(found, ArchiveSelection((nobody,))) == []
    assert asked and not [text for text in asked if "actor ==" in text and "db_user ==" in text]
    asked.clear()
    assert len(positions(found, ArchiveSelection((archive_predicates.user([User("alice")]),)))) == 13
    assert not [text for text in asked if "actor ==" in text and "db_user ==" in text]


def test_equal_numbers_of_several_databases_are_told_apart(
    engine: Engine, conn: psycopg.Connection, place: str
) -> None:
    archive_month(conn, place, "2026-04", database="a/b c")
    found, after, read = searched(engine, place), None, []
    databases = found.archive.databases
    assert databases == ("a/b c", "shop")
    while page := positions(found, ArchiveSelection(after=after, limit=3)):
        read += page
        after = pages.parse_cursor(pages.cursor_text(page[-1], databases), databases)
    assert read == sorted(read, reverse=True) == positions(found, ArchiveSelection())
    assert sorted({place[2] for place in read}) == list(databases)
    assert len(read) == len(set(read)) == 17
    (first, *_) = positions(found, ArchiveSelection(limit=1))
    with pytest.raises(UsageError, match="names no database"):
        pages.parse_cursor(pages.cursor_text(first, ["shop"]), databases)
    both = next(place[1] for place in read if place[2] == "a/b c")
    with pytest.raises(UsageError, match="several databases"):
        pages.event(found, both)
    assert pages.event(searched(engine, place, "a/b c"), both).texts["database"] == "a/b c"
    with pytest.raises(UsageError, match="no database"):
        searched(engine, place, "other")


@dataclass
class SmallEngine(Engine):
    """An engine that has memory for few rows of a query."""

    engine: Engine
    rows: int

    keeps_order = True

    def events(self, paths: Sequence[str]) -> Table:
        return self.engine.events(paths)

    def batches(self, table: Table) -> Iterator[RecordBatch]:
        left = self.rows
        for batch in self.engine.batches(table):
            yield batch.slice(0, left)
            left -= batch.num_rows
            if left < 0:
                raise EngineMemoryError

    def close(self) -> None:
        self.engine.close()


@pytest.mark.parametrize("order", list(Order))
def test_events_that_do_not_fit_into_memory_are_read_a_few_at_a_time(
    engine: Engine, folder: Path, order: Order
) -> None:
    archive_of_all = searched(engine, folder).archive
    whole = positions(Search(archive_of_all, engine), ArchiveSelection(order=order))
    assert positions(Search(archive_of_all, SmallEngine(engine, 2)), ArchiveSelection(order=order)) == whole
    with pytest.raises(ArchiveError, match="an event is too large for the memory of the engine"):
        positions(Search(archive_of_all, SmallEngine(engine, 0)), ArchiveSelection(order=order))


def test_what_no_manifest_names_is_ignored(engine: Engine, conn: psycopg.Connection, folder: Path) -> None:
    month = folder / "database=shop" / "month=2026-04"
    shutil.copy(month / "part-0001.parquet", month / "part-0002.parquet")
    shutil.copytree(month, folder / "database=shop" / "month=2026-06", ignore=shutil.ignore_patterns("_*"))
    assert len(positions(searched(engine, folder), ArchiveSelection())) == len(in_the_log(conn))


@pytest.mark.parametrize("name", ["a*c", "a?c", "a[b]c", "it's", "database=other/month=2020-01", "%41"])
def test_the_name_of_the_archive_means_no_other_files_and_no_other_database(
    engine: Engine, conn: psycopg.Connection, folder: Path, name: str
) -> None:
    shutil.copytree(folder / "database=shop", folder / "abc" / "database=shop")
    shutil.move(folder / "database=shop", folder / name / "database=shop")
    found = positions(searched(engine, folder / name), ArchiveSelection(order=Order.ASC))
    assert [(*place, "shop") for place in in_the_log(conn)] == found


def test_an_archive_that_is_not_there_is_empty(engine: Engine, archive_path: str) -> None:
    assert positions(searched(engine, archive_path, "shop"), ArchiveSelection()) == []


def test_a_missing_file_is_named(engine: Engine, folder: Path) -> None:
    (folder / "database=shop/month=2026-04/part-0001.parquet").unlink()
    with pytest.raises(ArchiveError, match=r"month=2026-04/part-0001\.parquet is missing"):
        positions(searched(engine, folder), ArchiveSelection())


def test_an_altered_file_is_named(engine: Engine, folder: Path) -> None:
    path = folder / "database=shop/month=2026-04/part-0001.parquet"
    whole = path.read_bytes()
    for damaged in (whole[:-1], bytes(len(whole)), whole[:40] + bytes(len(whole) - 80) + whole[-40:]):
        path.write_bytes(damaged)
        with pytest.raises(ArchiveError, match=r"month=2026-04/part-0001\.parquet was altered"):
            positions(searched(engine, folder), ArchiveSelection())


def test_an_altered_manifest_is_named(folder: Path) -> None:
    path = folder / "database=shop/month=2026-04/_manifest.json"
    path.write_text(path.read_text().replace('"rows": 4', '"rows": 5'))
    with pytest.raises(ArchiveError, match=r"month=2026-04/_manifest\.json was altered"):
        archive.read(files.at(str(folder)))
