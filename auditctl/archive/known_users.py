"""The users of archived events, and the logins that these came through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from auditctl.log.user_names import MAX_COMPARED, Spelling, Users

Row = dict[str, Any]


@dataclass(slots=True)
class ArchivedUsers(Users):
    """The users of an archive.

    Attributes:
        read: Returns each actor with its kind and login, once; asked for at most once, as it reads all events.
    """

    read: Callable[[], Iterable[Row]]
    _rows: list[Row] | None = field(default=None, init=False)

    def spelled(self, names: Sequence[str]) -> list[Spelling]:
        """Return those of some names that actors or logins have: for each kind of actor one."""
        logins = {row["db_user"] for row in self._all()}
        kinds = {(row["actor"], row["actor_kind"]) for row in self._all() if row["actor"] in names}
        actors = [Spelling(name, kind, name in logins) for name, kind in sorted(kinds)]
        return [*actors, *(Spelling(name, None, True) for name in names if name in logins)]

    def actors_like(self, name: str) -> set[str]:
        """Return actors to compare with a name: all if they are few, else those that begin like it."""
        actors = {row["actor"] for row in self._all() if row["actor"] is not None}
        if len(actors) < MAX_COMPARED:
            return actors
        alike = sorted(actor for actor in actors if actor.lower()[:2] == name.lower()[:2])
        return {*alike[:MAX_COMPARED], *(actor for actor in alike if actor.lower() == name.lower())}

    def logins(self) -> set[str]:
        """Return logins to compare with a name."""
        return set(sorted({row["db_user"] for row in self._all()})[:MAX_COMPARED])

    def _all(self) -> list[Row]:
        if self._rows is None:
            self._rows = list(self.read())
        return self._rows
