"""Filters over an archive: each selects the events that it selects in the database, in the same order."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from psycopg.sql import SQL

from auditctl.archive import engines
from auditctl.errors import UsageError
from auditctl.log.filters import FILTERS, Filters
from auditctl.log.selection import Order, Selection
from tests.support.archived_events import matches, write_archive
from tests.support.filter_cases import RANDOM, random_events
from tests.support.odd_events import LABELS, ODD, ZONES, draw_event
from tests.support.recorded import INSERT, label, record

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from auditctl.archive.engines import Engine

    Texts = dict[str, list[str]]

pytestmark = pytest.mark.slow

NAMES = [row.name for row in FILTERS]


def draw_filters(source: random.Random, count: int) -> Texts:
    """Texts of some filters; the first combinations have one each."""
    chosen = {NAMES[count]} if count < len(NAMES) else set(source.sample(NAMES, source.randint(2, 4)))
    odd = ODD if source.random() < 0.8 else {}
    texts = {name: odd[name](source) if name in odd else RANDOM[name](source)[0] for name in sorted(chosen)}
    return {**texts, "tz": [source.choice(ZONES)]}


def fill(conn: psycopg.Connection, source: random.Random) -> None:
    record(conn, *random_events(source))
    for number in range(LABELS):
        label(conn, f"t.t{number}", f"Label {number}")
    with conn.cursor() as cursor:
        cursor.executemany(INSERT, [draw_event(source) for _ in range(500)])
        large = '{"status": "closed", "n": 1, "large": "' + "x" * 10_000_000 + '"}'
        cursor.execute(INSERT, [*draw_event(source)[:8], "UPDATE", '{"status": "open"}', large, None])


def compare(conn: psycopg.Connection, engine: Engine, path: Path, source: random.Random, combinations: int) -> int:
    """Compare what combinations select; return how many select something."""
    selected = 0
    for count in range(combinations):
        texts = draw_filters(source, count)
        try:
            filters = parsed(conn, texts)
        except UsageError:
            continue
        expected = in_database(conn, filters)
        assert matches(engine, path, filters.archive_predicates()) == expected, texts
        selected += bool(expected)
    return selected


def parsed(conn: psycopg.Connection, texts: Texts) -> Filters:
    return Filters.parse(texts).resolve(conn)


def in_database(conn: psycopg.Connection, filters: Filters) -> list[int]:
    query = Selection(filters.predicates(), Order.ASC).query(SQL("event_id"))
    return [row[0] for row in conn.execute(query)]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("seed", "combinations"), [(18, 40), *(pytest.param(seed, 200, marks=pytest.mark.slow) for seed in (1, 2, 3))]
)
def test_random_combinations_select_the_same_events(
    conn: psycopg.Connection, tmp_path: Path, seed: int, combinations: int
) -> None:
    source = random.Random(seed)
    fill(conn, source)
    path = write_archive(conn, tmp_path)
    with engines.session() as engine:
        assert compare(conn, engine, path, source, combinations) > combinations // 3
