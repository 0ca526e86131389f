"""The keys of one object and the names of its table, one after the other: what auditctl.object_periods computes. Pure.

Times are in microseconds since 1970; infinite ones have no limit. All bounds are inclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

Time = float
"""Microseconds since 1970, exactly up to the year 2255; or minus or plus infinity."""


@dataclass(frozen=True, slots=True)
class RenameAt:
    """A rename of a table: from then on its events have the new name."""

    at: Time
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class NamePeriod:
    """A name that a table had."""

    target: str
    since: Time
    until: Time


@dataclass(frozen=True, slots=True)
class KeyChange:
    """An update that changed a key; a key is None where a column of it is null."""

    at: Time
    target: str
    previous: str | None
    key: str | None


@dataclass(frozen=True, slots=True)
class End:
    """An event that created a row with a key, or deleted it."""

    at: Time
    target: str
    key: str
    is_delete: bool


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which an object had a key under a name of its table."""

    target: str
    key: str
    since: Time
    until: Time


Fetch = Callable[[Sequence[str]], tuple[Iterable[KeyChange], Iterable[End]]]
"""Returns the changes from and to some keys, and the ends of rows that had them, under any name of the table."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A time from which a key is followed."""

    key: str
    at: Time
    is_later: bool


def names(target: str, renames: Sequence[RenameAt]) -> list[NamePeriod]:
    """Return all names that a table has had, as auditctl.target_names does."""
    arrivals, departures = _by(renames, lambda rename: rename.new), _by(renames, lambda rename: rename.old)
    last = max((rename.at for rename in arrivals.get(target, ())), default=-inf)
    until = max((rename.at for rename in departures.get(target, ()) if rename.at > last), default=inf)
    found = []
    name, end = target, until
    while True:
        before = [rename for rename in arrivals.get(name, ()) if rename.at < end]
        start = max((rename.at for rename in before), default=-inf)
        found.append(NamePeriod(name, start, end))
        if not before:
            break
        name, end = max(before, key=lambda rename: rename.at).old, start
    start = until
    name = next((rename.new for rename in departures.get(target, ()) if rename.at == until), "")
    while name and start != inf:
        after = [rename for rename in departures.get(name, ()) if rename.at > start]
        end = min((rename.at for rename in after), default=inf)
        found.append(NamePeriod(name, start, end))
        name = min(after, key=lambda rename: rename.at).new if after else ""
        start = end
    return found


def periods(named: Sequence[NamePeriod], spellings: Sequence[str], fetch: Fetch) -> list[Period]:
    """Return the periods of all objects that ever had a key, followed through changes of the key in both directions.

    Args:
        named: The names of the table.
        spellings: The texts of the key.
        fetch: Reads what happened to some keys.
    """
    lives = _Lives(named, fetch)
    lives.load(spellings)
    pending = {step for key in spellings for change in lives.changes(key) for step in _sides(change)}
    turns: dict[_Step, Time | None] = {}
    while pending:
        lives.load([step.key for step in pending])
        found: set[_Step] = set()
        for step in pending:
            changed_at, turns[step] = lives.next_turn(step)
            times = (step.at, changed_at)
            found |= {side for one in lives.changes(step.key) if one.at in times for side in _sides(one)}
        pending = found - turns.keys()
    keys = [Period("", key, -inf, inf) for key in dict.fromkeys(spellings)]
    keys += _until_turns(turns)
    return _merged(
        Period(name.target, key.key, max(key.since, name.since), min(key.until, name.until))
        for key in keys
        for name in named
    )


class _Lives:
    """What happened to keys, read once for each."""

    def __init__(self, named: Sequence[NamePeriod], fetch: Fetch) -> None:
        self._named, self._fetch = named, fetch
        self._changes: dict[str, list[KeyChange]] = {}
        self._ends: dict[str, list[End]] = {}

    def load(self, keys: Iterable[str]) -> None:
        missing = sorted(set(keys) - self._changes.keys())
        if not missing:
            return
        self._changes |= {key: [] for key in missing}
        self._ends |= {key: [] for key in missing}
        changes, ends = self._fetch(missing)
        for change in changes:
            if self._is_here(change.target, change.at):
                for key in {change.previous, change.key} & set(missing):
                    if key is not None:
                        self._changes[key].append(change)
        for end in ends:
            if end.key in self._ends and self._is_here(end.target, end.at):
                self._ends[end.key].append(end)

    def changes(self, key: str) -> list[KeyChange]:
        return self._changes[key]

    def next_turn(self, step: _Step) -> tuple[Time | None, Time | None]:
        """Return when a row with the key next changed, unless one ended before; and when a row with it ended."""
        sign = 1 if step.is_later else -1
        beyond = [change for change in self._changes[step.key] if sign * change.at > sign * step.at]
        # Later a row gives the key up; before, it got it.
        turning = [change for change in beyond if (change.previous if step.is_later else change.key) == step.key]
        changed_at = min((change.at for change in beyond), key=lambda at: sign * at, default=None)
        ends = [
            end.at
            for end in self._ends[step.key]
            if end.is_delete == step.is_later
            and sign * end.at > sign * step.at
            and (changed_at is None or sign * end.at <= sign * changed_at)
        ]
        ended_at = min(ends, key=lambda at: sign * at, default=None)
        turns = [*(change.at for change in turning), *([] if ended_at is None else [ended_at])]
        is_near = ended_at is None or changed_at is None or ended_at == changed_at
        return changed_at if is_near else None, min(turns, key=lambda at: sign * at, default=None)

    def _is_here(self, target: str, at: Time) -> bool:
        return any(name.target == target and name.since <= at <= name.until for name in self._named)


def _sides(change: KeyChange) -> Iterator[_Step]:
    """Yield where a change leads: the previous key is followed to earlier times, the next one to later ones."""
    if change.previous is not None:
        yield _Step(change.previous, change.at, is_later=False)
    if change.key is not None:
        yield _Step(change.key, change.at, is_later=True)


def _until_turns(turns: dict[_Step, Time | None]) -> Iterator[Period]:
    """Yield the period of each step: to the next turn that a step sees, itself or one beyond."""
    nearest: dict[tuple[str, bool], Time] = {}
    # The farthest first, so that what a step does not see, those beyond do.
    for step in sorted(turns, key=lambda step: -step.at if step.is_later else step.at):
        sign, turn = 1 if step.is_later else -1, turns[step]
        seen = nearest.get((step.key, step.is_later), sign * inf)
        seen = seen if turn is None else sign * min(sign * seen, sign * turn)
        nearest[step.key, step.is_later] = seen
        yield Period("", step.key, step.at, seen) if step.is_later else Period("", step.key, seen, step.at)


def _merged(found: Iterable[Period]) -> list[Period]:
    """Return periods of which those of the same key and name do not overlap."""
    merged: list[Period] = []
    for one in sorted(found, key=lambda period: (period.target, period.key, period.since, period.until)):
        last = merged[-1] if merged else None
        if one.since > one.until:
            continue
        if last and (last.target, last.key) == (one.target, one.key) and one.since <= last.until:
            merged[-1] = Period(last.target, last.key, last.since, max(last.until, one.until))
        else:
            merged.append(one)
    return merged


def _by(renames: Iterable[RenameAt], key: Callable[[RenameAt], str]) -> dict[str, list[RenameAt]]:
    found: dict[str, list[RenameAt]] = {}
    for rename in renames:
        found.setdefault(key(rename), []).append(rename)
    return found
