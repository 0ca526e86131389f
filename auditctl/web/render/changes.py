"""Writes how far a number of events differs from that of the period before, and claims no more than estimates show."""

from __future__ import annotations

import math
from dataclasses import dataclass

MINUS, ABOUT = "\N{MINUS SIGN}", "\N{ALMOST EQUAL TO}"


@dataclass(frozen=True, slots=True)
class Change:
    """A difference, as text.

    Attributes:
        text: The difference in few words, such as `+12 (+34 %)` or `new`.
        title: What it means, as a sentence without its full stop.
    """

    text: str
    title: str


def compare(now: int, before: int, spreads: tuple[float, float] = (0.0, 0.0)) -> Change:
    """Compare two numbers of events.

    Args:
        now: The number.
        before: That of the period before.
        spreads: The variance of each for each event that it estimates; zero for an exact count.
    """
    if not any(spreads):
        return _exact(now, before)
    if not before or not now:
        return _one_sided(now, before, spreads)
    margin = math.ceil(1.96 * math.sqrt(now * spreads[0] + before * spreads[1]))
    if abs(now - before) <= margin:
        return Change("no clear difference", f"The difference is within the margin of the estimates, {margin:,}")
    ratio = now / before
    percent = 196 * ratio * math.sqrt(spreads[0] / now + spreads[1] / before)
    unit = 10 ** (len(str(margin)) - 1)  # only the digits that the margin leaves
    return Change(
        f"{ABOUT} {_signed(100 * (ratio - 1))} ± {_digits(percent)} %",
        f"{ABOUT} {_signed(round((now - before) / unit) * unit)} ± {-(-margin // unit) * unit:,} events, estimated",
    )


def _exact(now: int, before: int) -> Change:
    title = f"{before:,} in the period before"
    if not before:
        return Change("new" if now else "±0", "None in the period before")
    if not now:
        return Change("gone", title)
    if now == before:
        return Change("±0", title)
    return Change(f"{_signed(now - before)} ({_signed(100 * (now / before - 1))} %)", title)


def _one_sided(now: int, before: int, spreads: tuple[float, float]) -> Change:
    """Compare with none, which an estimate cannot prove: a few events are in no sample."""
    if not before and not spreads[1]:
        return Change("new", "None in the period before")
    if not now and not spreads[0]:
        return Change("gone", f"About {before:,} in the period before")
    if not before:
        return Change("none before in the sample", "The sample of the period before has none, and there may be a few")
    return Change("none in the sample", "The sample has none, and there may be a few")


def _signed(value: float) -> str:
    sign = "+" if value >= 0 else MINUS
    return f"{sign}{abs(value):,}" if isinstance(value, int) else f"{sign}{_digits(abs(value))}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")
