"""Failed sign-ins, counted: who guesses waits, and is refused after a while. Kept in memory."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable

from auditctl.web.errors import TooManyAttempts

WINDOW_SECONDS = 900.0
"""How long a failure counts."""

LIMITS = {"pair": 5, "address": 20, "login": 50}
"""How many failures count for a login from one address, for an address, and for a login from anywhere.

The last is high, so that a stranger cannot lock somebody out at once.
"""

DELAY_SECONDS = 1.0
"""How long the answer to a failure takes at least, whatever the reason."""

_REMEMBERED = 10_000


class Throttle:
    """Counts attempts before they are made, so that many at once gain nothing; a success takes its own back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._attempts: dict[Hashable, deque[float]] = {}

    def begin(self, address: str, login: str) -> None:
        """Count an attempt as failed until it is not.

        Raises:
            TooManyAttempts: There were too many; this one is not counted.
        """
        now = self._clock()
        with self._lock:
            counted = [self._recent(key, now) for key in _keys(address, login)]
            waits = [
                times[-limit] + WINDOW_SECONDS - now
                for times, limit in zip(counted, LIMITS.values(), strict=True)
                if len(times) >= limit
            ]
            if waits:
                raise TooManyAttempts(int(max(waits)) + 1)
            for times in counted:
                times.append(now)
            self._forget(now)

    def succeed(self, address: str, login: str) -> None:
        """Take the attempt back, and forgive what this login did from this address before."""
        with self._lock:
            pair, *others = _keys(address, login)
            self._attempts.pop(pair, None)
            for key in others:
                if times := self._attempts.get(key):
                    times.pop()

    def _recent(self, key: Hashable, now: float) -> deque[float]:
        times = self._attempts.setdefault(key, deque())
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        return times

    def _forget(self, now: float) -> None:
        """Keep the memory bounded, whatever names and addresses are tried."""
        if len(self._attempts) > _REMEMBERED:
            self._attempts = {key: times for key, times in self._attempts.items() if self._recent(key, now)}
        while len(self._attempts) > 2 * _REMEMBERED:
            self._attempts.pop(next(iter(self._attempts)))


def _keys(address: str, login: str) -> tuple[Hashable, ...]:
    return (("pair", address, login), ("address", address), ("login", login))
