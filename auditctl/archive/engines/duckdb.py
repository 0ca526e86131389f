"""The engine DuckDB, in this process. It loads no extension, and reads no file but those that are listed."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import ibis

from auditctl.archive.columns import COLUMNS, DATABASE, MICROSECONDS, MONTH
from auditctl.archive.engines.engine import BATCH_ROWS, Engine, EngineError, EngineMemoryError, EngineStopped
from auditctl.archive.engines.spill_folder import SpillFolder

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr.types import Table

_TYPES = {"int64": "int64", "time": "timestamp('UTC', 6)", "string": "string", "binary": "binary"}

_SETTINGS: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "enable_external_file_cache": False,
    "memory_limit": "1GB",
    "max_temp_directory_size": "100GB",
}

_MATERIALIZED_LATE = 5_000
"""Up to how many rows of a page are found by their time and number alone, before their other columns are read."""


_PATTERN = re.compile(r"[*?\[]")
"""What DuckDB takes for a pattern in the path of a file."""

# Its own names of folders count those above the archive, too, such as /backup/database=old/archive.
_FROM_PATH = (
    f"url_decode(regexp_extract(filename, '{DATABASE}=([^/]*)/[^/]*/[^/]*$', 1)) as {DATABASE},"
    f" regexp_extract(filename, '{MONTH}=([^/]*)/[^/]*$', 1) as {MONTH}"
)

_INTERRUPTED_EVERY = 0.1
"""How often queries are interrupted that are to stop, in seconds."""


class DuckDB(Engine):
    """A session of DuckDB, in memory; what is too large for it goes to a temporary folder of its own."""

    keeps_order = True

    def __init__(self) -> None:
        self._folder = SpillFolder()
        self._conn = duckdb.connect(":memory:", config={**_SETTINGS, "temp_directory": str(self._folder.path)})
        # Global, so that cursors have them, too.
        self._conn.execute(
            f"set global late_materialization_max_rows = {_MATERIALIZED_LATE}; set global timezone = 'UTC'"
        )
        self._backend: Any = ibis.duckdb.from_connection(self._conn)
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        self._changed = threading.Condition()

    def mount(self, filesystem: Any) -> None:
        """Read files through a filesystem, instead of an extension that DuckDB would download."""
        if filesystem and not any(self._conn.filesystem_is_registered(name) for name in _names(filesystem)):
            self._conn.register_filesystem(filesystem)

    def events(self, paths: Sequence[str]) -> Table:
        """Return a table over exactly these files."""
        files = ", ".join("'{}'".format(_PATTERN.sub(r"[\g<0>]", path).replace("'", "''")) for path in paths)
        names = ", ".join(column.name for column in COLUMNS)
        query = (  # nothing but names of ours and quoted paths
            f"select {names}, {_FROM_PATH}, epoch_us(occurred_at) as {MICROSECONDS}"  # noqa: S608
            f" from read_parquet([{files}], filename = true, hive_partitioning = false)"
        )
        types = {column.name: _TYPES[column.type] for column in COLUMNS}
        others = {DATABASE: "string", MONTH: "string", MICROSECONDS: "int64"}
        table: Table = self._backend.sql(query, schema=ibis.schema({**types, **others}))
        return table

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """Yield the rows of an expression."""
        try:
            with self._cursor() as cursor:
                reader = cursor.sql(str(self._backend.compile(table))).to_arrow_reader(BATCH_ROWS)
                yield from self._unless_stopped(reader)
        except (duckdb.Error, OSError) as error:
            if self._is_stopped:
                raise EngineStopped(str(error)) from error
            # Arrow passes on the text of an error alone.
            is_full = isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error)
            raise (EngineMemoryError if is_full else EngineError)(str(error)) from error

    def stop(self) -> None:
        """Interrupt each query, and refuse others."""
        super().stop()
        threading.Thread(target=self._interrupt, daemon=True).start()

    def _interrupt(self) -> None:
        """Interrupt queries until none runs: one that is about to begin does not notice the first time."""
        with self._changed:
            while self._cursors:
                for cursor in self._cursors:
                    cursor.interrupt()
                self._changed.wait(_INTERRUPTED_EVERY)

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a cursor for one result, so that several can be read in turns."""
        with self._conn.cursor() as cursor:
            with self._changed:
                self._require_running()
                self._cursors.add(cursor)
            try:
                yield cursor
            finally:
                with self._changed:
                    self._cursors.remove(cursor)
                    self._changed.notify_all()

    def close(self) -> None:
        """End the session."""
        self._conn.close()
        self._folder.close()


def _names(filesystem: Any) -> Sequence[str]:
    return (filesystem.protocol,) if isinstance(filesystem.protocol, str) else filesystem.protocol


def start() -> Engine:
    """Start a session."""
    return DuckDB()
