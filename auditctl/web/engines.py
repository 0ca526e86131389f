"""Lends the engines that read archived months for pages: few at a time, and none for longer than a page may take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

from auditctl.archive import engines
from auditctl.archive.engines import Engine
from auditctl.web.errors import Busy

Stopping = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Takes what stops an engine, and calls it if the client disconnects during the block."""

WAIT_SECONDS = 10.0
"""How long a request waits for its turn."""


class Engines:
    """Begins and ends engines; safe for threads.

    Args:
        most: How many there are at a time; each may take a gigabyte of memory.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._running: set[Engine] = set()

    @contextmanager
    def lend(self, stopping: Stopping, timeout: timedelta | None = None) -> Iterator[Engine]:
        """Lend an engine for the block; it stops when the client disconnects.

        Args:
            stopping: What stops it if the client disconnects, such as `Visit.stopping`.
            timeout: After which time it stops; None for no limit.

        Raises:
            Busy: All are in use.
        """
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise Busy
        try:
            with (
                engines.session() as engine,
                self._registered(engine),
                stopping(engine.stop),
                _stopped_after(engine, timeout),
            ):
                yield engine
        finally:
            self._free.release()

    def stop(self) -> None:
        """Stop all that run."""
        with self._lock:
            for engine in self._running:
                engine.stop()

    @contextmanager
    def _registered(self, engine: Engine) -> Iterator[None]:
        with self._lock:
            self._running.add(engine)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(engine)


@contextmanager
def _stopped_after(engine: Engine, timeout: timedelta | None) -> Iterator[None]:
    if timeout is None:
        yield
        return
    timer = threading.Timer(timeout.total_seconds(), engine.stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
