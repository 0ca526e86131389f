"""Numbers rules in their order, so that few of those that have a number already get another. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence


def assign(names: Sequence[str], stored: Mapping[str, int]) -> list[int]:
    """Return ascending positions for rules in an order.

    Args:
        names: The rules, in order.
        stored: The positions that rules have now.

    Returns:
        For each rule its position; below zero for a new rule before all others.
    """
    kept = _longest_rise(names, stored)
    first = next((number for number, name in enumerate(names) if name in kept), None)
    position = -1 if first is None else stored[names[first]] - first - 1
    positions = []
    for name in names:
        # A rule that comes too early for its place gets the next number, and so do those after it, as far as needed.
        position = max(stored[name], position + 1) if name in kept else position + 1
        positions.append(position)
    return positions


def _longest_rise(names: Sequence[str], stored: Mapping[str, int]) -> set[str]:
    """Return the largest set of rules whose positions are ascending already."""
    ends: list[int] = []
    last: list[str] = []
    links: dict[str, str | None] = {}
    for name in names:
        if name in stored:
            place = bisect_left(ends, stored[name])
            links[name] = last[place - 1] if place else None
            ends[place : place + 1], last[place : place + 1] = [stored[name]], [name]
    rise = set()
    name_in_chain = last[-1] if last else None
    while name_in_chain is not None:
        rise.add(name_in_chain)
        name_in_chain = links[name_in_chain]
    return rise
