"""The history of an object is the same, whichever of its months are archived."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from psycopg.sql import SQL

from auditctl import database
from auditctl.archive import archive, engines, files, history, pages
from auditctl.archive.access import ArchiveAccess
from auditctl.archive.search import ArchiveSelection, Search
from auditctl.log.selection import Cursor, Order
from tests.fixtures.engines import NEEDS_SPARK
from tests.support.archived import archive_month, move_month
from tests.support.recorded import START, Recorded, label, record

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from auditctl.archive.engines import Engine

pytestmark = pytest.mark.slow

KEYS = ("1", "2", "3", '4"\\')
NAMES = ("shop.a", "shop.b")


def draw_events(draw: random.Random) -> list[Recorded]:
    """Rows that are created, deleted and change their key, over three months, under two names of a table."""
    found = []
    for number in range(60):
        at = START.replace(month=3 + number // 20) + timedelta(minutes=number)
        name = NAMES[number >= 35]
        action = draw.choice(("CREATE", "DELETE", "UPDATE", "MOVE", "MOVE", "TRUNCATE"))
        if action == "TRUNCATE" and draw.random() < 0.5:
            found.append(Recorded(at, target=name, target_id=None, action=action, old=None, new=None))
            continue
        context = None
        if action == "MOVE":
            previous = draw.choice(KEYS).replace("\\", "\\\\").replace('"', '\\"')
            context = f'{{"previous_target_id": "{previous}", "other": {{"previous_target_id": "1"}}}}'
        elif draw.random() < 0.2:
            context = '{"note": {"previous_target_id": "1"}}'
        action = "UPDATE" if action in ("MOVE", "TRUNCATE") else action
        found.append(Recorded(at, target=name, target_id=draw.choice(KEYS), action=action, context=context))
    return found


@pytest.mark.parametrize(
    ("engine", "seed"),
    [*(("duckdb", seed) for seed in range(3)), pytest.param("spark", 0, marks=NEEDS_SPARK)],
    indirect=["engine"],
)
def test_the_history_in_an_archive_is_that_of_the_log(
    engine: Engine, conn: psycopg.Connection, archive_path: str, seed: int
) -> None:
    record(conn, *draw_events(random.Random(seed)))
    for name in NAMES:
        label(conn, name)
    renamed = START.replace(month=4) + timedelta(minutes=34, seconds=30)
    conn.execute("insert into auditctl.rename values (%s, %s, %s)", [renamed, *NAMES])
    for month in ("2026-03", "2026-04", "2026-05"):
        archive_month(conn, archive_path, month)
    search = Search(archive.read(files.at(archive_path)), engine)
    (newest,) = search.archive.newest.values()
    renames = history.renames_of((one.renamed_at, one.old_target, one.new_target) for one in newest.renames)
    for target in NAMES:
        for key in KEYS:
            life = history.of_archive(search, target, [key], renames)
            rows = conn.execute(
                "select event_id from auditctl.history(%s, %s) order by occurred_at, event_id", [target, key]
            ).fetchall()
            expected = [number for (number,) in rows]
            for order in Order:
                page = pages.ArchivePage(
                    search, ArchiveSelection((life.archived(),), order), lambda texts: (texts["event_id"],),
                    keep=partial(history.without_repeated_ends, action_of=history.action_of, order=order),
                )  # fmt: skip
                found = [int(number or 0) for (number,) in page]
                assert found == (expected if order is Order.ASC else expected[::-1]), (target, key)


@pytest.mark.parametrize("order", list(Order))
def test_parts_of_a_history_are_together_the_whole_of_it(
    db: str, conn: psycopg.Connection, tmp_path: Path, order: Order
) -> None:
    record(conn, *draw_events(random.Random(1)), *draw_events(random.Random(2)))
    for name in NAMES:
        label(conn, name)
    query = "select event_id from auditctl.history('shop.a', '1') order by occurred_at, event_id"
    whole = [row[0] for row in conn.execute(query)]
    move_month(conn, tmp_path, "2026-04")
    access = ArchiveAccess(str(tmp_path), engines.session)
    found: list[str] = []
    after: str | None = None
    with database.connect(db) as reading:
        while not found or after is not None:
            stretch = history.Stretch(order, None if after is None else Cursor.parse(after), 3)
            with access.search(reading) as search:
                life = history.of_log(reading, search, "shop.a", "1")
                page = history.page(
                    reading, search, life, stretch, SQL("event_id::text"), lambda texts: (texts["event_id"],)
                )
                some = [str(number) for (number,) in page]
            assert len(some) == 3 or page.following is None
            found, after = [*found, *some], page.following
    assert [int(number) for number in found] == (whole if order is Order.ASC else whole[::-1])
