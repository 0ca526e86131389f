"""Defines an engine: what reads the files of an archive, by expressions of Ibis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
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


class Engine(ABC):
    """A session of an engine; `close` ends it."""

    keeps_order: bool = False
    """Whether rows that nothing orders come in the order of the files, and of the rows in these."""

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
        """

    @abstractmethod
    def close(self) -> None:
        """End the session, and free its memory."""
