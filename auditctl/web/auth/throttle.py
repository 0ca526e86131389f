"""Failed sign-ins, counted: who guesses waits, and is refused after a while. Kept in memory."""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections import deque
from collections.abc import Callable

from auditctl.web.errors import TooManyAttempts

WINDOW_SECONDS = 900.0
"""How long a failure counts."""

LIMITS = {"pair": 5, "address": 20, "login": 50}
"""How many failures count for a login from one address, for an address, and for a login from anywhere.

The last is high, so that a stranger cannot lock somebody out at once.
"""

HOME_PREFIX = 64
"""How much of an IPv6 address counts: whoever has one has all that begin alike (RFC 6177)."""

DELAY_SECONDS = 1.0
"""How long the answer to a failure takes at least, whatever the reason."""

_REMEMBERED = 10_000


class Throttle:
    """Counts attempts before they are made, so that many at once gain nothing; a success takes its own back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._attempts: dict[bytes, deque[float]] = {}

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
            for key, times in zip(_keys(address, login), counted, strict=True):
                times.append(now)
                self._attempts[key] = times
            self._forget(now)

    def succeed(self, address: str, login: str) -> None:
        """Take the attempt back, and forgive what this login did from this address before."""
        self.take_back(address, login)
        with self._lock:
            self._attempts.pop(_keys(address, login)[0], None)

    def take_back(self, address: str, login: str) -> None:
        """Take an attempt back that was no guess: nobody could look at the password."""
        with self._lock:
            for key in _keys(address, login):
                if times := self._attempts.get(key):
                    times.pop()

    def __len__(self) -> int:
        """Return how many logins and addresses are remembered, and pairs of them."""
        return len(self._attempts)

    def _recent(self, key: bytes, now: float) -> deque[float]:
        """Return the attempts that still count; nothing is remembered for a look."""
        times = self._attempts.get(key, deque())
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        return times

    def _forget(self, now: float) -> None:
        """Keep the memory bounded, whatever names and addresses are tried."""
        if len(self._attempts) > _REMEMBERED:
            self._attempts = {key: times for key in self._attempts if (times := self._recent(key, now))}
        while len(self._attempts) > 2 * _REMEMBERED:
            self._attempts.pop(next(iter(self._attempts)))


def _keys(address: str, login: str) -> tuple[bytes, ...]:
    """Return what is counted, in the order of `LIMITS`: hashes, so that a long name costs no more than a short one."""
    home = _home(address)
    return tuple(
        hashlib.sha256(repr(key).encode("utf-8", "surrogatepass")).digest()
        for key in (("pair", home, login), ("address", home), ("login", login))
    )


def _home(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed.packed, HOME_PREFIX), strict=False))
