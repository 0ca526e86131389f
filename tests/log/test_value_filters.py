"""Filters by value find what plain SQL finds over the recorded values."""

from __future__ import annotations

import itertools
import json
import random
from contextlib import suppress
from typing import TYPE_CHECKING

from auditctl.log.filters import Filters
from tests.log.test_filters import found
from tests.support.recorded import Recorded, minutes, record

if TYPE_CHECKING:
    import psycopg

COLUMNS = ("status", "a=b", '"q', "", "na'me %s {}")
VALUES = (
    "closed", "5", 5, 5.0, "05", True, "true", None, "null", "", {"$masked": True}, {"a": [1, None]}, [1], "[1]",
    "é\u202e",
    {"$json": None}, "a=b", '"', "12.50", "x" * 2000,
)  # fmt: skip

SQL_OF = {
    "was": "old_values -> %(c)s = any (%(v)s::jsonb[])",
    "became": "new_values -> %(c)s = any (%(v)s::jsonb[])",
    "changed": "old_values -> %(c)s = any (%(v)s::jsonb[]) or new_values -> %(c)s = any (%(v)s::jsonb[])",
}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def option(column: str, value: str) -> str:
    quoted = column.replace('"', '""')
    return f'"{quoted}"={value}' if "=" in column or '"' in column else f"{column}={value}"


def test_filters_by_value_find_what_sql_finds(conn: psycopg.Connection) -> None:
    source = random.Random(7)
    columns = [column for column in COLUMNS if column]

    def image() -> str:
        return json.dumps({column: source.choice(VALUES) for column in source.sample(columns, 3)})

    record(
        conn,
        *(
            Recorded(
                at=minutes(count),
                action=action,
                old=None if action == "CREATE" else image(),
                new=None if action == "DELETE" else image(),
            )
            for count, action in zip(range(300), itertools.cycle(["CREATE", "UPDATE", "DELETE", "EVENT"]), strict=False)
        ),
    )
    total = 0
    for (name, condition), column in itertools.product(SQL_OF.items(), columns):
        value = text_of(source.choice(VALUES))
        for one in {value, "5", "null"}:
            means = [json.dumps(one), *([one, json.dumps({"$json": None})] if one == "null" else [])]
            with suppress(ValueError):
                means += [json.dumps(json.loads(one))]
            query = (
                f"select event_id from auditctl.event where target = 'billing.customer' and ({condition}) order by 1"
            )
            expected = [row[0] for row in conn.execute(query.encode(), {"c": column, "v": means})]
            assert found(conn, target="billing.customer", **{name: option(column, one)}) == expected, (
                name,
                column,
                one,
            )
            total += len(expected)
    assert total > 300


def test_several_values_of_a_column_are_alternatives_and_several_columns_all_match(conn: psycopg.Connection) -> None:
    one, two, three = record(
        conn,
        Recorded(old='{"status": "open", "n": 1}', new='{"status": "closed", "n": 5}'),
        Recorded(old='{"status": "open", "n": 1}', new='{"status": "void", "n": "5"}', at=minutes(1)),
        Recorded(old='{"status": "closed"}', new='{"status": "open"}', at=minutes(2)),
    )
    assert found(conn, became=["status=closed", "status=void"]) == [one, two]
    assert found(conn, became=["status=closed", "n=5"]) == [one]
    assert found(conn, became="n=5") == [one, two]
    assert found(conn, became='n="5"') == [two]
    assert found(conn, was="status=open", became="status=closed") == [one]
    assert found(conn, changed="status=closed") == [one, three]
    filters = Filters.parse({"became": ["status=closed", "status=void", "n=5"], "context": ["a=1", "b=2"]})
    assert filters.describe() == ("value after status=closed or status=void and n=5, context a=1 and b=2")


def test_numbers_are_equal_whatever_their_digits_and_masked_values_equal_nothing(conn: psycopg.Connection) -> None:
    number, _ = record(
        conn,
        Recorded(old='{"amount": 12.50}', new='{"amount": 100}'),
        Recorded(old='{"amount": {"$masked": true}}', new='{"amount": {"$masked": true}}', at=minutes(1)),
    )
    for text in ("12.5", "12.50", "1.25e1"):
        assert found(conn, was=f"amount={text}") == [number]
    assert found(conn, changed="amount=***") == found(conn, changed="amount=masked") == []
    assert found(conn, changed="amount=" + "9" * 20000) == found(conn, changed="amount=" + "[" * 5000) == []
