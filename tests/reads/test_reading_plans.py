"""What recording reads does to plans: indexes serve leakproof operators only, and nothing runs in parallel."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect
from tests.support.reading import audit_reads

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin

TABLE: LiteralString = """
    create table doc (
        id integer primary key, name text collate "C", at timestamptz, data jsonb, words tsvector, tags text[]
    );
    insert into doc
        select i, 'n' || i, now() - i * interval '1 min', jsonb_build_object('k', i), to_tsvector('simple', 'w' || i),
               array[i::text]
          from generate_series(1, 5000) as i;
    create index on doc (name); create index on doc (at); create index on doc using gin (data);
    create index on doc using gin (words); create index on doc using gin (tags); create index on doc ((lower(name)));
    grant select on doc to public; analyze doc
"""

CONDITIONS: list[tuple[LiteralString, bool]] = [
    ("id = 7", True),
    ("id between 7 and 9", True),
    ("name = 'n7'", True),
    ("at > now() - interval '2 min'", True),
    ("name like 'n77%'", False),
    ("data @> '{\"k\": 7}'", False),
    ("words @@ 'w7'::tsquery", False),
    ("tags @> array['7']", False),
    ("lower(name) = 'n7'", False),
]


@pytest.mark.parametrize(("condition", "is_leakproof"), CONDITIONS, ids=[row[0] for row in CONDITIONS])
def test_an_index_serves_a_condition_only_if_its_operator_is_leakproof(
    db: str, conn: psycopg.Connection, login: MakeLogin, condition: LiteralString, is_leakproof: bool
) -> None:
    conn.execute(TABLE)
    explain = f"explain (costs off) select * from doc where {condition}".encode()
    with connect(login("plain").dsn) as session:
        before = "\n".join(row[0] for row in session.execute(explain))
        audit_reads(db, "doc")
        after = "\n".join(row[0] for row in session.execute(explain))
    assert "Index" in before
    assert ("Index" in after) is is_leakproof, after
