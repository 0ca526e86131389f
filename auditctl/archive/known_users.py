"""The users of archived events, and the logins that these came through.

A name is asked for by itself, which the files' Bloom filters answer. What is like a name, only their columns tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from auditctl.log.user_names import MAX_COMPARED, Spelling, Users

if TYPE_CHECKING:
    from ibis.expr.types import Table

Row = dict[str, Any]

Read = Callable[[Callable[["Table"], "Table"]], Iterable[Row]]
"""Returns the rows of a query over all events."""


class ArchivedUsers(Users):
    """The users of an archive.

    Args:
        read: Reads the archive.
    """

    def __init__(self, read: Read) -> None:
        self._read = read

    def spelled(self, names: Sequence[str]) -> list[Spelling]:
        """Return those of some names that actors or logins have: for each kind of actor one."""
        logins = {name for name in names if self._has_login(name)}
        actors = [Spelling(name, kind, name in logins) for name in sorted(names) for kind in self._kinds(name)]
        return [*actors, *(Spelling(name, None, True) for name in names if name in logins)]

    def actors_like(self, name: str) -> set[str]:
        """Return actors to compare with a name: all if they are few, else those that begin like it."""
        actors = self._actors
        if len(actors) < MAX_COMPARED:
            return set(actors)
        alike = sorted(actor for actor in actors if actor.lower()[:2] == name.lower()[:2])
        return {*alike[:MAX_COMPARED], *(actor for actor in alike if actor.lower() == name.lower())}

    def logins(self) -> set[str]:
        """Return logins to compare with a name."""
        return set(sorted(self._logins)[:MAX_COMPARED])

    def _has_login(self, name: str) -> bool:
        found = self._read(lambda events: events.filter(events.db_user == name).select("event_id").limit(1))
        return next(iter(found), None) is not None

    def _kinds(self, name: str) -> list[str]:
        found = self._read(lambda events: events.filter(events.actor == name).select("actor_kind").distinct())
        return sorted(row["actor_kind"] for row in found)

    @cached_property
    def _actors(self) -> frozenset[str]:
        found = self._read(lambda events: events.select("actor").distinct())
        return frozenset(row["actor"] for row in found if row["actor"] is not None)

    @cached_property
    def _logins(self) -> frozenset[str]:
        return frozenset(row["db_user"] for row in self._read(lambda events: events.select("db_user").distinct()))
