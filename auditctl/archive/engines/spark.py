"""The engine Spark: the session of its own environment, which is SPARK_REMOTE for Spark Connect, else this machine."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from auditctl.archive.columns import COLUMNS, DATABASE, MICROSECONDS, MONTH
from auditctl.archive.engines.engine import BATCH_ROWS, Engine, EngineError
from auditctl.errors import UsageError

# Nothing of pandas is used here; Spark warns of it whenever it loads another module.
warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)

import ibis  # noqa: E402
import ibis.backends.pyspark  # noqa: E402
from py4j.protocol import Py4JError  # noqa: E402
from pyspark.errors import PySparkException  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql.functions import unix_micros  # noqa: E402
from pyspark.sql.types import TimestampType  # noqa: E402

if TYPE_CHECKING:
    from ibis.expr.types import Table

_TYPES = {"int64": "bigint", "time": "timestamp", "string": "string", "binary": "binary"}
_IBIS_TYPES = {"int64": "int64", "time": "timestamp('UTC', 6)", "string": "string", "binary": "binary"}

_SCHEMA = {**{column.name: column.type for column in COLUMNS}, DATABASE: "string", MONTH: "string"}

_LOGGING = (Path(__file__).parent / "log4j2.properties").as_uri()

_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.defaultJavaOptions": f'"-Dlog4j2.configurationFile={_LOGGING}"',
}
"""Settings of a session on this machine; a cluster has its own, and ignores these."""

_ERRORS = (PySparkException, Py4JError, OSError)

_PATTERN = re.compile(r"[{}\[\]*?,\\]")
"""What Spark takes for a pattern in the path of a file."""

_numbers = count(1)


class Spark(Engine):
    """A session of Spark; one that is active already is used, and goes on when this one ends."""

    skips_by_alternatives = True

    def __init__(self) -> None:
        self._is_own = SparkSession.getActiveSession() is None
        with warnings.catch_warnings():
            # A server of Spark Connect has its own settings, and says so.
            warnings.filterwarnings("ignore", "Failed to set", UserWarning)
            self._session: Any = SparkSession.builder.appName("auditctl").config(map=_SETTINGS).getOrCreate()
        self._views: list[str] = []
        # Sets the session's time zone to UTC.
        self._backend: Any = ibis.backends.pyspark.Backend.from_connection(self._session)

    def events(self, paths: Sequence[str]) -> Table:
        """Return a table over exactly these files; those of S3 are read by Hadoop's s3a."""
        view = f"auditctl_events_{next(_numbers)}"
        paths = [re.sub(r"^s3://", "s3a://", path) for path in paths]
        types = ", ".join(f"{name} {_TYPES[kind]}" for name, kind in _SCHEMA.items())
        reader = self._session.read.schema(types).option("datetimeRebaseMode", "CORRECTED")
        try:
            files = reader.option("basePath", _root(paths[0])).parquet(
                *(_PATTERN.sub(r"\\\g<0>", path) for path in paths)
            )
            files.createOrReplaceTempView(view)
        except _ERRORS as error:
            raise EngineError(_message(error)) from error
        self._views.append(view)
        query = f"select {', '.join(_SCHEMA)}, unix_micros(occurred_at) as {MICROSECONDS} from {view}"  # noqa: S608 - nothing but names of ours
        schema = {**{name: _IBIS_TYPES[kind] for name, kind in _SCHEMA.items()}, MICROSECONDS: "int64"}
        table: Table = self._backend.sql(query, schema=ibis.schema(schema))
        return table

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """Yield the rows of an expression."""
        schema = table.schema().to_pyarrow()
        try:
            rows = self._rows(str(self._backend.compile(table)))
            while some := list(islice(rows, BATCH_ROWS)):
                self._require_running()
                yield pa.RecordBatch.from_arrays(
                    [_array(values, field.type) for values, field in zip(zip(*some, strict=True), schema, strict=True)],
                    schema=schema,
                )
        except _ERRORS as error:
            raise EngineError(_message(error)) from error

    def _rows(self, query: str) -> Iterator[Sequence[Any]]:
        """Yield the rows of a query, with times in microseconds, as Python has no years before 1 and after 9999."""
        frame = self._session.sql(query)
        for field in frame.schema.fields:
            if isinstance(field.dataType, TimestampType):
                frame = frame.withColumn(field.name, unix_micros(field.name))
        rows: Iterator[Sequence[Any]] = frame.toLocalIterator()
        return rows

    def close(self) -> None:
        """End the session, if it began here."""
        try:
            if self._is_own:
                self._session.stop()
            else:
                for view in self._views:
                    self._session.catalog.dropTempView(view)
        except _ERRORS as error:
            raise EngineError(_message(error)) from error


def _root(path: str) -> str:
    """Return the archive that a file is in, from which Spark reads the names of folders as columns."""
    return path.rpartition(f"/{DATABASE}=")[0]


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_binary(kind):
        return pa.array([None if value is None else bytes(value) for value in values], kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(pa.timestamp("us", tz=kind.tz)).cast(kind)
    return pa.array(values, kind)


def _message(error: Exception) -> str:
    """Return what an error says, without the stack of Java that follows."""
    java = getattr(error, "java_exception", None)
    text = str(java.toString() if java is not None else error)
    if "S3AFileSystem" in text or 'scheme "s3' in text:
        return "Spark has no S3 file system: add org.apache.hadoop:hadoop-aws to spark.jars.packages"
    return text.partition("\n")[0]


def start() -> Engine:
    """Start a session.

    Raises:
        UsageError: Java is missing, or Spark does not start.
    """
    try:
        return Spark()
    except _ERRORS as error:
        is_java = "JAVA_GATEWAY_EXITED" in str(error) or isinstance(error, FileNotFoundError)
        raise UsageError(
            "Spark needs Java 17 or later" if is_java else f"Spark does not start: {_message(error)}",
            hint="Install it (Debian: openjdk-17-jre-headless), or set SPARK_REMOTE." if is_java
            else "Check SPARK_REMOTE and Spark's own configuration.",
        ) from error  # fmt: skip
