"""The text of jsonb, read without a database as the database reads it."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from auditctl.log import jsonb_text
from tests.support.drawn_events import draw_json
from tests.support.odd_events import COLUMNS, SAME

if TYPE_CHECKING:
    import psycopg


def test_values_are_equal_where_they_are_in_the_database(conn: psycopg.Connection) -> None:
    draw = random.Random(18)
    texts = [*(text for some in SAME for text in some), *(draw_json(draw) for _ in range(200))]
    written = [row[0] for row in conn.execute("select t::jsonb::text from unnest(%s::text[]) as t", [texts])]
    normal = [jsonb_text.normal(text) for text in written]
    assert [jsonb_text.canonical(text) for text in texts] == normal
    for some in SAME:
        assert len({jsonb_text.canonical(text) for text in some}) == 1
    # Equal values have equal texts, and others have not.
    equal = "select array_agg(t) from unnest(%s::text[]) as t group by t::jsonb"
    groups = {frozenset(row[0]) for row in conn.execute(equal, [texts])}
    by_text: dict[str, set[str]] = {}
    for text, key in zip(texts, normal, strict=True):
        by_text.setdefault(key, set()).add(text)
    assert set(map(frozenset, by_text.values())) == groups


def test_members_are_those_that_the_database_finds(conn: psycopg.Connection) -> None:
    draw = random.Random(4)
    keys = [*COLUMNS, "", "a", "missing"]
    members = [[json.dumps(draw.choice(keys)) + ":" + draw_json(draw) for _ in range(5)] for _ in range(60)]
    texts = [f"{{{','.join(some)}}}" for some in members] + [draw_json(draw) for _ in range(200)]
    query = (
        "select t::jsonb::text, k, (t::jsonb -> k)::text, t::jsonb ->> k, t::jsonb ? k"
        " from unnest(%s::text[]) as t, unnest(%s::text[]) as k"
    )
    found = 0
    for text, key, member, as_text, is_there in conn.execute(query, [texts, keys]):
        value = jsonb_text.member(text, key)
        assert (value, jsonb_text.as_text(value), jsonb_text.has(text, key)) == (member, as_text, is_there), (text, key)
        found += member is not None
    assert found > 100


def test_a_deep_value_takes_no_recursion() -> None:
    deep = "[" * 50_000 + "1.50" + "]" * 50_000
    assert jsonb_text.canonical(deep) == deep.replace("1.50", "1.5")
    assert jsonb_text.member(f'{{"n": {deep}}}', "n") == deep


@pytest.mark.parametrize("text", ['{"n": ', '{"n": "x', '{"n": [1', "}}", '{"n": "\\x"}', ""])
def test_a_text_that_was_altered_is_no_crash(text: str) -> None:
    jsonb_text.as_text(jsonb_text.member(text, "n"))
    assert jsonb_text.has(text, "m") is False
