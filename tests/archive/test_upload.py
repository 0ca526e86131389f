"""Ctrl-C at the worst moment: while the store completes an object."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from auditctl.archive.upload import Upload

if TYPE_CHECKING:
    from types import FrameType


class SlowStore:
    """A filesystem that interrupts the program when it completes an object, and completes it all the same."""

    def __init__(self) -> None:
        self.objects: set[str] = set()
        self.interrupted = threading.Event()
        self.closed = False

    def open(self, key: str, mode: str, block_size: int) -> SlowStore:
        self.key = key
        return self

    def write(self, data: bytes) -> int:
        return len(data)

    def tell(self) -> int:
        return 1

    def close(self) -> None:
        # Again, as Python may miss a signal that comes when it begins to wait.
        while not self.interrupted.wait(0.1):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        self.objects.add(self.key)

    def rm_file(self, key: str) -> None:
        self.objects.remove(key)


def test_an_object_that_appears_after_the_interruption_is_removed() -> None:
    store = SlowStore()

    def interrupt(number: int, frame: FrameType | None) -> None:
        store.interrupted.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        upload = Upload(store, "key", (OSError,))
        upload.start()
        upload.write(b"data")
        with pytest.raises(KeyboardInterrupt):
            upload.finish()
        upload.undo()
    finally:
        signal.signal(signal.SIGINT, before)
    assert store.objects == set()
