"""An engine that is stopped ends at once, whatever it does, and reads nothing more."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, cast

import pytest

from auditctl.archive import engines
from auditctl.archive.engines import EngineStopped
from auditctl.archive.engines.on_demand import OnDemand
from tests.web.serving import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from ibis.expr.types import Table

    from auditctl.archive.engines import Engine
    from auditctl.archive.engines.duckdb import DuckDB


@pytest.fixture
def duckdb() -> Iterator[DuckDB]:
    with engines.session("duckdb") as engine:
        yield cast("DuckDB", engine)


def numbers(engine: DuckDB, count: int) -> Table:
    import ibis

    return engine._backend.sql(f"select range as number from range({count})", schema=ibis.schema({"number": "int64"}))


def test_a_query_that_runs_is_interrupted(duckdb: DuckDB) -> None:
    table = numbers(duckdb, 10**6)
    endless = table.cross_join(table).filter(lambda both: both.number + both.number_right < 0)
    raised: list[BaseException] = []

    def read() -> None:
        with pytest.raises(EngineStopped) as caught:
            list(duckdb.batches(endless))
        raised.append(caught.value)

    thread = threading.Thread(target=read)
    thread.start()
    wait_until(lambda: bool(duckdb._cursors))
    duckdb.stop()
    thread.join()
    assert raised
    with pytest.raises(EngineStopped):
        list(duckdb.batches(table))


def test_rows_that_were_found_end_at_the_next_batch(duckdb: DuckDB) -> None:
    batches = duckdb.batches(numbers(duckdb, 100))
    next(batches)
    duckdb.stop()
    with pytest.raises(EngineStopped):
        next(batches)


def test_an_engine_on_demand_begins_with_the_first_file(duckdb: DuckDB) -> None:
    begun: list[str] = []

    def start() -> AbstractContextManager[Engine]:
        begun.append("begun")
        return closing(duckdb)

    with closing(OnDemand(start)) as engine:
        engine.mount(None)
        assert not begun
        assert engine.keeps_order
        assert begun == ["begun"]
