"""Limits failed sign-ins, by counts in memory."""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections import deque
from collections.abc import Callable

from auditctl.web.errors import TooManyAttempts

WINDOW_SECONDS = 900.0
"""How long a failed sign-in counts."""

LIMITS = {"pair": 5, "address": 20, "login": 50}
"""Maximum number of failures of a login from one address, from an address, and of a login from anywhere.

The last is high, so that strangers cannot easily lock a login out.
"""

IPV6_PREFIX = 64
"""Bits of an IPv6 address that count: one visitor usually has all addresses of that prefix (RFC 6177)."""

DELAY_SECONDS = 1.0
"""Minimum duration of the answer to a failed sign-in."""

_MAX_KEYS = 10_000


class Throttle:
    """Counts each attempt before it is made, so that parallel attempts gain nothing; a success is not counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._attempts: dict[bytes, deque[float]] = {}

    def begin(self, address: str, login: str) -> None:
        """Count an attempt; `succeed` or `take_back` undoes this.

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
            self._discard(now)

    def succeed(self, address: str, login: str) -> None:
        """Undo `begin`, and forget the failures of this login from this address."""
        self.take_back(address, login)
        with self._lock:
            self._attempts.pop(_keys(address, login)[0], None)

    def take_back(self, address: str, login: str) -> None:
        """Undo `begin`, where the password could not be checked."""
        with self._lock:
            for key in _keys(address, login):
                if times := self._attempts.get(key):
                    times.pop()

    def __len__(self) -> int:
        """Return how many logins, addresses and pairs of them have attempts."""
        return len(self._attempts)

    def _recent(self, key: bytes, now: float) -> deque[float]:
        """Return the attempts that still count."""
        times = self._attempts.get(key, deque())
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        return times

    def _discard(self, now: float) -> None:
        """Limit the memory, whatever names and addresses are tried."""
        if len(self._attempts) > _MAX_KEYS:
            self._attempts = {key: times for key in self._attempts if (times := self._recent(key, now))}
        while len(self._attempts) > 2 * _MAX_KEYS:
            self._attempts.pop(next(iter(self._attempts)))


def _keys(address: str, login: str) -> tuple[bytes, ...]:
    """Return the keys to count, in the order of `LIMITS`; hashes, so that long names take no more memory."""
    network = _network(address)
    return tuple(
        hashlib.sha256(repr(key).encode("utf-8", "surrogatepass")).digest()
        for key in (("pair", network, login), ("address", network), ("login", login))
    )


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed.packed, IPV6_PREFIX), strict=False))
