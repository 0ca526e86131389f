"""Saved views: filters under a name, each login its own.

A view stores the texts of the registry's filters as they were given, so that `24h` means the last day whenever the view
is used; it is parsed and looked up again each time. Source: auditctl.saved_view and its functions
(sql/functions/10_log/saved_view.sql).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import DuplicateObject, InvalidParameterValue, UndefinedObject
from psycopg.types.json import Jsonb

from auditctl import clock, database
from auditctl.clock import Clock
from auditctl.database import Connection
from auditctl.errors import DatabaseError, UsageError
from auditctl.log import times
from auditctl.log.filter_values import require_storable
from auditctl.log.filters import BY_NAME, ZONE, FieldKind, Filters
from auditctl.text import did_you_mean, in_quotes

_REFUSED = (InvalidParameterValue.sqlstate, UndefinedObject.sqlstate)
"""The SQLSTATEs of what the functions refuse."""

Texts = Mapping[str, Sequence[str]]
"""The texts of filters, by the filter's name."""


class ViewExists(UsageError):
    """There is a view of that name, with other filters."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view.

    Attributes:
        name: Its name.
        document: The filters as stored, by name: a text, or a list where a filter is repeatable.
        saved_at: When it was saved, or replaced.
    """

    name: str
    document: Mapping[str, str | list[str]]
    saved_at: datetime

    @property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """The filters' texts, in the registry's order; not parsed, and perhaps of filters that no longer exist."""
        values = {name: self.document[name] for name in _in_order(self.document)}
        return {name: (text,) if isinstance(text, str) else tuple(text) for name, text in values.items()}

    @property
    def options(self) -> list[str]:
        """The filters as the command line takes them: `--user=alice`."""
        return [f"--{name}={text}" for name, texts in self.texts.items() for text in texts]

    def narrowed(
        self, conn: Connection, given: Texts, allowed: Collection[str] = (*BY_NAME, ZONE)
    ) -> dict[str, tuple[str, ...]]:
        """Return the view's filters together with those given beside it.

        A filter that is given replaces the view's own of that name, unless several values of it must all match: then
        they are added, and replace those of the same key. The others of the view apply as well. Its dates stay in the
        zone that it was saved with, or UTC, also where another zone is given.

        Args:
            conn: The connection, to look names up.
            given: The filters given beside the view.
            allowed: The filters that the caller has.

        Raises:
            UsageError: A filter of the view, or a name in it, no longer exists, or the caller has no such filter; or
                the view has a day such as `today`, and another zone is given.
            DatabaseError: The login may not read the log.
        """
        given = {name: tuple(texts) for name, texts in given.items() if texts}
        try:
            rests = {name: _rest(name, texts, given.get(name, ())) for name, texts in self.texts.items()}
            own = {name: rest for name, rest in rests.items() if rest}
            Filters.parse(own).resolve(conn)
        except UsageError as error:
            hint = f"Save the view with other filters, or drop it. {error.hint}".rstrip()
            raise UsageError(f"the view {in_quotes(self.name)} is no longer valid: {error}", hint=hint) from error
        if foreign := [name for name in own if name not in allowed]:
            raise UsageError(
                f"the view {in_quotes(self.name)} has the filter {foreign[0]}, which this does not have",
                hint=f"Filters: {', '.join(allowed)}.",
            )
        own |= self._own_times(own, given)
        both = {name: (*own.get(name, ()), *given.get(name, ())) for name in _in_order(own | given)}
        return {name: tuple(dict.fromkeys(texts)) for name, texts in both.items()}

    def _own_times(self, own: Texts, given: Texts) -> dict[str, tuple[str, ...]]:
        """Return the times of the view with the offsets of its own zone, where another zone is given."""
        saved = clock.parse(self.texts[ZONE][0]) if ZONE in self.texts else clock.UTC
        if ZONE not in given or clock.parse(given[ZONE][0]) == saved:
            return {}
        names = [name for name in own if name in BY_NAME and BY_NAME[name].by_clock]
        return {name: tuple(self._own_time(name, text, saved) for text in own[name]) for name in names}

    def _own_time(self, name: str, text: str, saved: Clock) -> str:
        value = times.parse(text, saved) if BY_NAME[name].field.kind is FieldKind.TIME else None
        if value is None or isinstance(value, times.Day | times.Month):
            hint = f"Leave out --tz, or give --{name} beside the view."
            raise UsageError(f"the view {in_quotes(self.name)} means {text} in {saved.name}", hint=hint)
        return saved.iso(value.moment) if isinstance(value, times.At) else text


def _in_order(names: Collection[str]) -> list[str]:
    """Return names of filters in the registry's order, others last."""
    order = list(BY_NAME)
    return sorted(names, key=lambda name: (order.index(name) if name in BY_NAME else len(order), name))


def _rest(name: str, texts: tuple[str, ...], given: Sequence[str]) -> tuple[str, ...]:
    """Return the texts of a view's filter that also apply where others are given."""
    row = BY_NAME.get(name)
    if row is None or not given or not row.is_conjunctive:
        return () if given else texts
    keys = {row.key_of(text) for text in given}
    return tuple(text for text in texts if not row.is_paired or row.key_of(text) not in keys)


def read(conn: Connection, person: str = "") -> list[SavedView]:
    """Return the views of the session's login, by name.

    Args:
        conn: The connection.
        person: The visitor that a proxy named; empty for the login itself.

    Raises:
        DatabaseError: The login may not read the log.
    """
    rows = conn.execute("select name, filters, saved_at from auditctl.saved_views(%s)", [person])
    return [SavedView(*row) for row in rows]


def find(conn: Connection, name: str, person: str = "") -> SavedView:
    """Return a view of the session's login.

    Args:
        conn: The connection.
        name: Its name.
        person: As in `read`.

    Raises:
        UsageError: No view has that name.
        DatabaseError: The login may not read the log.
    """
    views = {view.name: view for view in read(conn, person)}
    if name not in views:
        hint = did_you_mean(name, views) or "Each login has views of its own."
        raise UsageError(f"the view {in_quotes(name)} does not exist", hint=hint)
    return views[name]


def save(conn: Connection, name: str, filters: Filters, person: str = "", *, replace: bool = False) -> bool:
    """Save filters under a name; return whether the name is new.

    Args:
        conn: The connection.
        name: 1 to 200 bytes of text, without control characters.
        filters: At least one; a table or column in it must exist.
        person: As in `read`.
        replace: Whether a view of that name may be replaced.

    Raises:
        ViewExists: There is one of that name with other filters.
        UsageError: No filters, a name that the log does not know, or a limit of views.
        DatabaseError: The login may not read the log, or the server is read-only.
    """
    if not filters.texts:
        raise UsageError("a view has at least one filter", hint="Filter first.")
    require_storable("name of a view", name)
    filters.resolve(conn)
    query = "select auditctl.save_view(%s, %s, %s, %s)"
    with _usage_errors():
        row = conn.execute(query, [name, Jsonb(filters.as_dict()), person, replace]).fetchone()
    return bool(row and row[0])


def drop(conn: Connection, name: str, person: str = "") -> None:
    """Drop a view of the session's login.

    Raises:
        UsageError: No view has that name.
        DatabaseError: The login may not read the log, or the server is read-only.
    """
    require_storable("name of a view", name)
    with _usage_errors():
        conn.execute("select auditctl.drop_view(%s, %s)", [name, person])


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Raise `UsageError` for what the functions refuse."""
    try:
        with database.errors_translated():
            yield
    except DatabaseError as error:
        if error.sqlstate == DuplicateObject.sqlstate:
            raise ViewExists(str(error), hint=error.hint) from error
        if error.sqlstate in _REFUSED:
            raise UsageError(str(error), hint=error.hint) from error
        raise
