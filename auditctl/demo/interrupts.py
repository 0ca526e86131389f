"""Delays Ctrl-C and the other signals that end a program, while the server starts or stops.

Never ignores one: a delayed signal is raised as soon as it is allowed.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a request to end by another process, and a closed terminal."""


class Interrupts:
    """Delays signals inside its context, except in blocks of `allowed()`.

    A signal that this process already ignored, as under nohup, stays ignored. Works in the main thread only.

    Attributes:
        pending: Whether a signal arrived that was not raised yet.
    """

    def __init__(self) -> None:
        self.pending = False
        self._is_allowed = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.pending and kind is not KeyboardInterrupt:
            # Also in place of another error: Ctrl-C in a terminal reaches the programs that were just started.
            raise KeyboardInterrupt

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let the first signal interrupt the block.

        Raises:
            KeyboardInterrupt: A signal arrived during the block, or before it.
        """
        try:
            self._is_allowed = True
            if self.pending:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_allowed = False

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        self.pending = True
        if self._is_allowed:
            self._is_allowed = False
            raise KeyboardInterrupt
