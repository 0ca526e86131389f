"""An engine that begins where something is to be read: most pages of a log end before its archived months."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

from auditctl.archive.engines.engine import Engine

if TYPE_CHECKING:
    import pyarrow as pa
    from ibis.expr.types import Table


class OnDemand(Engine):
    """A session that begins another one as soon as that is needed; `close` ends both.

    Args:
        start: Begins the other session, and ends it with the block.
    """

    def __init__(self, start: Callable[[], AbstractContextManager[Engine]]) -> None:
        self._start = start
        self._stack = ExitStack()
        self._engine: Engine | None = None

    @property
    def keeps_order(self) -> bool:
        """What the other one says."""
        return self._started.keeps_order

    @property
    def skips_by_alternatives(self) -> bool:
        """What the other one says."""
        return self._started.skips_by_alternatives

    def mount(self, filesystem: Any) -> None:
        """Pass it on."""
        if filesystem:
            self._started.mount(filesystem)

    def events(self, paths: Sequence[str]) -> Table:
        """Pass it on."""
        return self._started.events(paths)

    def batches(self, table: Table) -> Iterator[pa.RecordBatch]:
        """Pass it on."""
        return self._started.batches(table)

    def close(self) -> None:
        """End the session."""
        self._stack.close()

    @property
    def _started(self) -> Engine:
        if self._engine is None:
            self._engine = self._stack.enter_context(self._start())
        return self._engine
