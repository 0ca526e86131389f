"""Defines an engine: what reads the files of an archive, by expressions of Ibis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr.types import Table

BATCH_ROWS = 32
"""How many events are in memory at a time: some have megabytes."""


class EngineError(Exception):
    """An engine failed; the message is its own."""


class EngineMemoryError(EngineError):
    """What was asked for at once does not fit into the memory that the engine may use."""


class EngineStopped(EngineError):
    """The engine was stopped, by `Engine.stop`."""


class Engine(ABC):
    """A session of an engine; `close` ends it."""

    _is_stopped = False

    @property
    def keeps_order(self) -> bool:
        """Whether rows that nothing orders come in the order of the files, and of the rows in these."""
        return False

    @property
    def skips_by_alternatives(self) -> bool:
        """Whether it skips the parts of files that have no event of any of several conditions, joined by `or`."""
        return False

    def mount(self, filesystem: Any) -> None:  # noqa: B027 - an engine may read object stores by itself
        """Read the files of an object store through its `Files.filesystem`, if it has one, from now on."""

    @abstractmethod
    def events(self, paths: Sequence[str]) -> Table:
        """Return a table over exactly these files, with the columns of the files, and `database` and `month` as text.

        It also has `occurred_us`, which is `occurred_at` in microseconds since 1970: to compute it has no common name.

        Args:
            paths: What the engine calls the files (`Files.location`), at least one.

        Raises:
            EngineError: A file is missing, or cannot be reached.
        """

    @abstractmethod
    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """Yield the rows of an expression over `events`, in constant memory.

        Raises:
            EngineError: A file is missing, or cannot be read.
            EngineMemoryError: The rows are too large to be read at once.
            EngineStopped: The engine was stopped.
        """

    def stop(self) -> None:
        """Make what the engine reads raise EngineStopped, now and for good; may be called by another thread."""
        self._is_stopped = True

    def _unless_stopped(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield batches; raise EngineStopped in place of the next one, once the engine is stopped."""
        for batch in batches:
            self._require_running()
            yield batch

    def _require_running(self) -> None:
        if self._is_stopped:
            raise EngineStopped("the engine was stopped")

    @abstractmethod
    def close(self) -> None:
        """End the session, and free its memory."""
