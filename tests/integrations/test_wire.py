"""What the user of `acting_as` costs on the wire, for each framework: statements and round trips, against none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.db import transaction
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from auditctl import acting_as
from auditctl.integrations.sqlalchemy import instrument
from bench.markdown import grid
from tests.fixtures import templates
from tests.integrations import django_shop, drivers, shop
from tests.integrations.recorded import THING
from tests.integrations.wire import Traffic, Wire

if TYPE_CHECKING:
    from tests.fixtures.databases import Login

pytestmark = pytest.mark.slow

db_template = templates.begin_with(templates.audited(THING, "thing"))

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "applications.md"
START, END = "<!-- generated: make docs -->\n", "<!-- end of generated -->\n"

READ, WRITE, READ_FIRST, MANY = WORKS = (
    "only reads", "begins with a write", "reads, then writes", "writes 100 rows by one call",
)  # fmt: skip
"""What a transaction does; in autocommit, each statement is one."""

VALUES = [str(number) for number in range(100)]

Counts = Mapping[str, Traffic]
"""What goes over the wire, by what a transaction does; it did it once before."""


def by_driver(kind: str, wire: Wire, login: Login, *, in_block: bool = False) -> Counts:
    app = drivers.Application(kind, login)

    async def do(work: str) -> None:
        async with app.session() as session, session.transaction() if in_block else nullcontext():
            if work in (READ, READ_FIRST):
                await session.fetch("select count(*) from thing where v = 'x'")
            if work in (WRITE, READ_FIRST):
                await session.add("x")
            if work == MANY:
                await session.add_many(VALUES)

    async def serve() -> Counts:
        counts = {}
        async with app.opened():
            app.instrument()
            for work in WORKS:
                await do(work)
                with wire.counting() as counts[work]:
                    await do(work)
        return counts

    return asyncio.run(serve())


def by_sqlalchemy(kind: str, wire: Wire, login: Login) -> Counts:
    app = shop.Application(kind, login, pool_size=1)
    instrument(app.engine)

    def do(work: str, session: Session) -> None:
        if work in (READ, READ_FIRST):
            session.scalars(select(shop.Thing).where(shop.Thing.v == "x")).all()
        if work in (WRITE, READ_FIRST):
            session.add(shop.Thing(v="x"))
        if work == MANY:
            session.execute(insert(shop.Thing), [{"v": value} for value in VALUES])

    try:
        return dict(zip(WORKS, app.count(wire, [partial(do, work) for work in WORKS]), strict=True))
    finally:
        app.sync.dispose()


def by_django(wire: Wire, login: Login, *, in_block: bool) -> Counts:
    things = django_shop.Thing.objects

    def do(work: str) -> None:
        with transaction.atomic() if in_block else nullcontext():
            if work in (READ, READ_FIRST):
                list(things.filter(v="y"))
            if work in (WRITE, READ_FIRST):
                things.create(v="x")
            if work == MANY:
                things.bulk_create([django_shop.Thing(v=value) for value in VALUES])

    counts = {}
    with django_shop.connected(login):
        for work in WORKS:
            do(work)
            with wire.counting() as counts[work]:
                do(work)
    return counts


FRAMEWORKS: Mapping[str, Sequence[Any]] = {
    "psycopg, sync or async": [partial(by_driver, kind) for kind in ("psycopg", "psycopg async")],
    "psycopg in autocommit, sync or async": [
        partial(by_driver, kind) for kind in ("psycopg autocommit", "psycopg async autocommit")
    ],
    "asyncpg, in `transaction()`": [partial(by_driver, "asyncpg", in_block=True)],
    "asyncpg, outside of it": [partial(by_driver, "asyncpg")],
    "SQLAlchemy with psycopg, sync or async": [
        partial(by_sqlalchemy, "psycopg"),
        partial(by_sqlalchemy, "psycopg async"),
    ],
    "SQLAlchemy with asyncpg": [partial(by_sqlalchemy, "asyncpg")],
    "Django, in `atomic()`": [partial(by_django, in_block=True)],
    "Django, outside of it": [partial(by_django, in_block=False)],
}


@pytest.fixture
def wire(web: Login) -> Iterator[Wire]:
    with Wire(web.dsn).opened() as opened:
        yield opened


def costs(measure: Callable[[Wire, Login], Counts], wire: Wire, login: Login) -> list[tuple[int, int]]:
    """How many statements and round trips more a user costs than none, for each work."""
    without = measure(wire, login)
    with acting_as("alice", request_id="4f2a"):
        named = measure(wire, login)
    assert [traffic for traffic in named.values() if "ERROR" in traffic.statements] == []
    return [
        (len(named[work].statements) - len(before.statements), named[work].round_trips - before.round_trips)
        for work, before in without.items()
    ]


def test_each_framework_costs_on_the_wire_what_the_page_says(wire: Wire, web: Login, update_golden: bool) -> None:
    through = type(web)(web.name, wire.dsn)
    rows = []
    for title, measures in FRAMEWORKS.items():
        first, *others = (costs(measure, wire, through) for measure in measures)
        assert [other for other in others if other != first] == []
        assert first[0] == (0, 0)
        rows.append((title, *(f"{statements}, {trips}" for statements, trips in first)))
    table = grid(("", *WORKS), rows)
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(START)
    page = f"{before}{START}\n{table}\n{END}{rest.partition(END)[2]}"
    if update_golden:
        PAGE.write_text(page, "utf-8")
    assert text == page or update_golden, "run: make docs"
