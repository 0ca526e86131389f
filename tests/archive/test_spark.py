"""The engine Spark: it reads what DuckDB reads, whatever the values are, and says what is missing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from auditctl.archive import engines
from auditctl.archive.engines import EngineError
from tests.archive.test_archive_filters import compare, fill
from tests.fixtures.engines import NEEDS_SPARK
from tests.support.archived_events import write_archive
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from auditctl.archive.engines import Engine

pytestmark = NEEDS_SPARK


def read(engine: Engine, table: Any) -> Any:
    return pa.Table.from_batches(engine.batches(table), table.schema().to_pyarrow())


def test_random_combinations_select_the_same_events(conn: psycopg.Connection, spark: Engine, tmp_path: Path) -> None:
    source = random.Random(18)
    fill(conn, source)
    path = write_archive(conn, tmp_path)
    assert compare(conn, spark, path, source, 200) > 200 // 3


def test_events_are_those_that_duckdb_reads(conn: psycopg.Connection, spark: Engine, tmp_path: Path) -> None:
    fill(conn, random.Random(18))
    path = str(write_archive(conn, tmp_path / "a [b]{c}*, ä?'%20"))
    with engines.session("duckdb") as duckdb:
        expected = read(duckdb, duckdb.events([path]).order_by("occurred_at", "event_id"))
    found = read(spark, spark.events([path]).order_by("occurred_at", "event_id"))
    assert found.schema == expected.schema
    assert found.equals(expected)


def test_a_session_that_was_there_goes_on(spark: Engine, tmp_path: Path) -> None:
    with engines.session("spark") as other, pytest.raises(EngineError, match="does not exist"):
        other.events([f"{tmp_path}/database=a/month=2026-05/part-0001.parquet"])
    with pytest.raises(EngineError, match="no S3 file system: add org"):
        spark.events(["s3://bucket/database=a/month=2026-05/part-0001.parquet"])


STARTED = """
from auditctl.archive import engines
from auditctl.errors import AuditctlError
try:
    with engines.session("spark") as engine:
        table = engine.events([{path!r}])
        found = table.filter(table.database == "shop", table.target == "billing.customer")
        print(sum(batch.num_rows for batch in engine.batches(found)))
except AuditctlError as error:
    print(f"{{error}} ({{error.hint}})")
"""


def started(path: Path, **environment: str) -> tuple[str, str]:
    """Count events in a process of its own; return what it writes."""
    run = subprocess.run(
        [sys.executable, "-c", STARTED.format(path=str(path))],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    return run.stdout.strip(), run.stderr


def test_the_environment_decides_which_session_it_is(conn: psycopg.Connection, tmp_path: Path) -> None:
    record(conn, Recorded(), Recorded())
    path = write_archive(conn, tmp_path)
    output, messages = started(path)
    assert output == "2"
    # Java's own remark about a module cannot be switched off.
    assert [line for line in messages.splitlines() if "incubator" not in line] == []
    output, messages = started(path, SPARK_REMOTE="local[1]")
    assert output == "2", messages
    output, messages = started(path, JAVA_HOME=str(tmp_path))
    assert output == "Spark needs Java 17 or later (Install it (Debian: openjdk-17-jre-headless), or set SPARK_REMOTE.)"
