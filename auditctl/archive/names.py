"""Looks names in filters up in an archive, without a server: in the newest manifests, and in the events.

What the log says of a name, such as that it is not known, the archive says in the same cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditctl.archive import key_texts
from auditctl.archive.known_users import ArchivedUsers
from auditctl.archive.part_errors import naming
from auditctl.archive.search import Search
from auditctl.display import shown_as
from auditctl.errors import UsageError
from auditctl.log import archive_predicates, jsonb_text, keys, target_names, transactions, user_names
from auditctl.log.filter_values import Transaction, User
from auditctl.log.filters import Filters
from auditctl.log.keys import Spellings
from auditctl.log.known_names import KnownNames, Targets
from auditctl.log.target_names import OWN_PREFIX, KnownTarget
from auditctl.text import in_quotes

if TYPE_CHECKING:
    from ibis.expr.types import BooleanValue, Table

_MAX_LISTED = 8
_SAMPLE = 500
"""How many events suggest names of columns."""


def resolve(filters: Filters, search: Search) -> Filters:
    """Return filters with names looked up in an archive.

    Raises:
        UsageError: The archive knows no such table or column, or a name may mean several.
        ArchiveError: A file is missing, or cannot be read.
    """
    return filters.resolve(ArchiveNames(search))


class ArchiveNames(KnownNames):
    """The names that an archive knows. Each method raises ArchiveError where a file is missing, or cannot be read.

    Args:
        search: The archive, and the engine that reads it.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._users = ArchivedUsers(self._rows)

    def find_targets(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """Return the names of targets that names, labels and globs mean."""
        known = self._search.archive.known_targets
        found = (target_names.resolve(text, known, *self._place(known)) for text in patterns)
        return tuple(sorted({name for some in found for name in some}))

    def find_target(self, text: str) -> str:
        """Return the name of the one target that a name or label means. Raises UsageError."""
        known = self._search.archive.known_targets
        return target_names.resolve_one(text, known, *self._place(known))

    def _place(self, known: Sequence[KnownTarget]) -> tuple[str, str]:
        """Return what messages call the archive, and which names it knows."""
        # Those of auditctl itself last.
        names = sorted(
            {target.label or target.name for target in known}, key=lambda name: (name.startswith(OWN_PREFIX), name)
        )
        listed = f"It knows: {', '.join(names[:_MAX_LISTED])}." if names else "It is empty."
        return f"the archive {self._search.archive.name}", listed

    def find_key(self, key: str, targets: Targets) -> tuple[Spellings, ...]:
        """Return how targets spell a key."""
        by_texts: dict[tuple[str, ...], Spellings] = {}
        for manifest in self._search.archive.newest.values():
            for target in manifest.targets:
                if targets is None or target.name in targets:
                    found = key_texts.find(key, target)
                    texts = found.spellings
                    if found.ignores_case:
                        texts = tuple(dict.fromkeys((*texts, *self._in_any_case(key, target.name))))
                    group = by_texts.setdefault(texts, Spellings([], list(texts), found.fault, found.columns))
                    group.targets.append(target.name)
        groups = tuple(by_texts.values())
        if targets and any(group.fault for group in groups):
            groups = tuple(replace(group, fault=group.fault and self._fault(group)) for group in groups)
        keys.require_possible(key, groups, targets)
        return groups

    def _in_any_case(self, key: str, target: str) -> list[str]:
        rows = self._rows(
            lambda events: (
                events.filter(events.target == target, events.target_id.lower() == key.lower())
                .select("target_id")
                .distinct()
            )
        )
        return sorted(row["target_id"] for row in rows)

    def _fault(self, group: Spellings) -> str | None:
        """Return why a key cannot be one; None if events have it, of a time when the key had other types."""
        has_events = self._any(
            lambda events: events.target.isin(group.targets) & events.target_id.isin(group.spellings)
        )
        return None if has_events else group.fault

    def find_near_keys(self, key: str, targets: Sequence[str]) -> str:
        """Return a question that names keys like one that no event has."""
        groups = self.find_key(key, targets)
        if any(
            self._any(lambda events, one=group: events.target.isin(one.targets) & events.target_id.isin(one.spellings))
            for group in groups
        ):
            return ""
        first = f"[{jsonb_text.string(key)}, "

        def like(events: Table) -> Table:
            plain = events.target_id.re_replace("[^0-9A-Za-z]+", "").lower().re_replace("^0+", "")
            is_like = (plain == _folded(key)) if _folded(key) else events.target_id.strip() == key.strip()
            return (
                events.filter(events.target.isin(list(targets)), is_like | events.target_id.startswith(first))
                .select("target_id")
                .distinct()
            )

        near = [in_quotes(text) for text in sorted(row["target_id"] for row in self._rows(like))[:3]]
        return f"Did you mean the key {' or '.join(near)}?" if near else ""

    def find_user(self, user: User) -> User:
        """Return a user with the names that events have."""
        if user.name is None:
            return user
        names: list[str] = []
        for name in shown_as(user.name):
            is_user = archive_predicates.user([replace(user, spellings=(name,))])
            ways = is_user.alternatives or (is_user.expression,)
            if not (user.is_exact and names) and any(map(self._any, ways)):
                names.append(name)
        if names:
            return replace(user, spellings=tuple(names), is_known=True)
        return user_names.resolve(self._users, user)

    def find_similar_users(self, user: User) -> str:
        """Return a question that names users like one that is not known."""
        return user_names.similar(self._users, user)

    def require_columns(self, columns: Sequence[str], targets: Targets) -> None:
        """Make sure that each column is, or was, in one of the targets."""
        known = [one for manifest in self._search.archive.newest.values() for one in manifest.targets]
        present = {name for one in known if targets is None or one.name in targets for name in one.key_columns}
        for column in columns:
            if column not in present and not self._was_recorded(column, targets):
                names = sorted(present | self._sample(targets))
                listed = f"Events have: {', '.join(names[:_MAX_LISTED])}." if names else ""
                raise target_names.no_column(column, targets, names, listed)

    def _was_recorded(self, column: str, targets: Targets) -> bool:
        needle = jsonb_text.string(column)

        def named(events: Table) -> Table:
            found = events.new_values.contains(needle).fill_null(False) | events.old_values.contains(needle)
            return events.filter(found & _about(events, targets)).select("old_values", "new_values")

        return any(
            jsonb_text.has(row["new_values"], column) or jsonb_text.has(row["old_values"], column)
            for row in self._rows(named)
        )

    def _sample(self, targets: Targets) -> set[str]:
        """Return the columns that some events have."""

        def some(events: Table) -> Table:
            return events.filter(_about(events, targets)).select("old_values", "new_values").limit(_SAMPLE)

        return {name for row in self._rows(some) for text in row.values() for name in jsonb_text.keys(text)}

    def find_transaction(self, transaction: Transaction) -> Transaction:
        """Return a transaction with the bounds of its cluster."""
        adoptions = [
            (row["database"], row["event_id"])
            for row in self._rows(_adoptions)
            if jsonb_text.has(row["new_values"], "found")
        ]
        databases = self._search.archive.databases
        if len(databases) > 1 and (adoptions or transaction.event is not None):
            raise UsageError(
                "the archive has several databases, whose numbers are not the same",
                hint=f"Choose one with --database: {', '.join(databases)}.",
            )
        numbers = sorted(number for _, number in adoptions)
        return transactions.within_cluster(transaction, numbers, lambda: self._newest(transaction.number, numbers))

    def _newest(self, number: int, adoptions: Sequence[int]) -> list[int]:
        newest: list[int] = []
        for first, end in zip((None, *adoptions), (*adoptions, None), strict=True):
            made = archive_predicates.xact([Transaction(number, first=first, end=end)]).expression
            newest += self._last(made)
        return sorted(newest, reverse=True)

    def _last(self, condition: Callable[..., BooleanValue]) -> list[int]:
        rows = self._rows(lambda events: events.filter(condition(events)).aggregate(last=events.event_id.max()))
        return [row["last"] for row in rows if row["last"] is not None]

    def find_ascii_databases(self) -> frozenset[str]:
        """Return the databases whose `lower` changes letters of ASCII alone."""
        found = self._search.archive.newest.items()
        return frozenset(name for name, manifest in found if manifest.store.get("lower_is_ascii") is True)

    def _any(self, condition: Callable[..., BooleanValue]) -> bool:
        rows = self._rows(lambda events: events.filter(condition(events)).select("event_id").limit(1))
        return next(rows, None) is not None

    def _rows(self, query: Callable[..., Table]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a query over all events, newest month first where a few are enough."""
        parts = [part for month in reversed(self._search.archive.months) for part in reversed(month.parts)]
        if parts:
            with naming(parts):
                for batch in self._search.engine.batches(query(self._search.table(parts))):
                    yield from batch.to_pylist()


def _adoptions(events: Table) -> Table:
    is_store = (events.target == "auditctl.store") & (events.action == "EVENT")
    return events.filter(is_store).select("database", "event_id", "new_values")


def _about(events: Table, targets: Targets) -> BooleanValue:
    return archive_predicates.anything(events) if targets is None else events.target.isin(list(targets))


def _folded(key: str) -> str:
    return "".join(letter for letter in key if letter.isascii() and letter.isalnum()).lower().lstrip("0")
