"""Filters in combination, compared with plain Python over the whole log."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from auditctl.log.filters import FILTERS
from tests.log.test_filters import found
from tests.support.filter_cases import RANDOM, random_events
from tests.support.recorded import minutes, record

if TYPE_CHECKING:
    import psycopg

pytestmark = pytest.mark.slow


def test_random_combinations_select_what_plain_python_selects(conn: psycopg.Connection) -> None:
    source = random.Random(4)
    made = random_events(source)
    log = list(zip(record(conn, *made), made, strict=True))
    names = [row.name for row in FILTERS]
    selected = 0
    for count in range(60):
        chosen = {names[count]} if count < len(names) else set(source.sample(names, source.randint(2, 4)))
        texts, tests = {}, []
        for name in sorted(chosen):
            texts[name], test = RANDOM[name](source)
            tests.append(test)
        # The store's own events lie outside of the time of these.
        texts.setdefault("until", [minutes(1000).isoformat()])
        expected = [identity for identity, event in log if all(test(event) for test in tests)]
        assert found(conn, **texts) == expected, texts
        selected += bool(expected)
    assert selected > 25
