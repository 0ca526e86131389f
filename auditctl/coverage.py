"""Says what of the selected targets and times the log records at all: since when, when it was off, what it leaves out.

It is from the log's own events: changes of rules, installations of capture, what the coverage guard saw, and from the
triggers as they are now. What somebody did past all of these is for `doctor` and `verify` to find.

Sources: queries/rule_history.sql, queries/coverage_change.sql, queries/coverage_now.sql and
queries/event_type_history.sql.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from auditctl import durations, own_events, resources
from auditctl.actions import OPTIONS, Action
from auditctl.capture import event_type_history, event_types, outages, rule_history
from auditctl.capture.outages import Gap, Outages
from auditctl.capture.rule_history import Statement
from auditctl.database import Connection, read_transaction
from auditctl.log import target_names
from auditctl.log.filters import Filters
from auditctl.log.target_names import KnownTarget
from auditctl.names import LOOKUPS
from auditctl.retention import times
from auditctl.text import plural

MAX_TARGETS = 300
"""Of more targets than this nothing is said: a filter for one does."""

_MAX_LISTED = 8
_MAX_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Period:
    """What rules stated about a target in a time.

    Attributes:
        since: When it began; aware.
        until: When it ended; None if it goes on.
        stated: What the rules stated.
    """

    since: datetime
    until: datetime | None
    stated: Statement


@dataclass(frozen=True, slots=True)
class Coverage:
    """What there is to know beside an answer.

    Attributes:
        gaps: What was not recorded of what was searched for, each a sentence; empty if nothing is known to be missing.
            Many of one kind are one sentence.
        notes: Since when it is recorded, what is left out and how long it is kept, each a sentence.
        details: Each of those many; empty without any.
    """

    gaps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


def periods(conn: Connection, targets: Sequence[str], history: Sequence[Any]) -> dict[str, list[Period]]:
    """Return what rules stated about targets, oldest first, by `rule_history.read`. Raises DatabaseError."""
    known: dict[str, datetime] = dict(conn.execute("select target, registered_at from auditctl.target"))
    found: dict[str, list[Period]] = {target: [] for target in targets}
    for target, begun, ended, stated in rule_history.periods(
        rule_history.changes(conn, history), targets, rule_history.statement
    ):
        start = max(begun, known[target])
        if ended is None or start < ended:
            found[target].append(Period(start, ended, stated))
    return found


def registered(conn: Connection, filters: Filters) -> list[str]:
    """Return the registered tables that resolved filters select."""
    selected = filters.values.get("target")
    rows = conn.execute("select target from auditctl.target order by 1")
    return [name for (name,) in rows if selected is None or name in selected]


def read(conn: Connection, filters: Filters, now: datetime | None = None) -> Coverage:
    """Return what there is to know of the selected targets and time.

    Args:
        conn: The connection.
        filters: The filters, resolved; targets, times and the actions that they can select count.
        now: The time at which durations are evaluated; None for the clock's.

    Raises:
        DatabaseError: The login may not read the log or the rules.
    """
    now = now or datetime.now(UTC)
    with read_transaction(conn):
        targets = registered(conn, filters)
        if len(targets) > MAX_TARGETS:
            return Coverage(notes=("Choose a target to see since when it is recorded.",))
        labels = {target.name: target for target in target_names.read(conn)}
        history = rule_history.read(conn)
        stated, captured, typed = periods(conn, targets, history), outages.read(conn), event_type_history.read(conn)
        off_now: dict[str, set[Action]] = defaultdict(set)
        for name, action in conn.execute(resources.sql_text("queries/coverage_now.sql").encode()):
            off_now[name].add(Action(action))
        keep, types = times.read(conn), event_types.status(conn)
    scope, lost = _Scope(filters, now, labels), outages.of_targets(captured)
    authors = {event.at: event.who for event in captured}
    for target in targets:
        scope.add(target, stated[target], lost.get(target, Outages()), authors, off_now[target])
    scope.gaps += own_events.forged((*history, *captured, *typed))
    scope.add_types(types, event_type_history.switched_off(typed, filters.values.get("target")))
    scope.add_keep(keep)
    return scope.coverage(targets)


class _Scope:
    """Collects sentences about the part of the log that filters select."""

    def __init__(self, filters: Filters, now: datetime, labels: Mapping[str, KnownTarget]) -> None:
        values, self.clock = filters.values, filters.clock
        self.since, self.until = (values[name][0].at(now) if name in values else None for name in ("since", "until"))
        self.end = min(self.until or now, now)
        self.now, self.labels = now, labels
        self.targets: tuple[str, ...] | None = values.get("target")
        self.actions = filters.actions
        self.gaps: list[str] = []
        self.of_tables: dict[bool, dict[str, list[str]]] = {True: {}, False: {}}
        self.starts: list[datetime] = []
        self.begun: list[datetime] = []
        self.notes: list[str] = []
        self.recorded: dict[Action, list[str]] = defaultdict(list)
        self.shown = [action for action in OPTIONS.values() if self.actions is None or action in self.actions]

    def add(
        self,
        target: str,
        stated: Sequence[Period],
        lost: Outages,
        authors: Mapping[datetime, str],
        off_now: set[Action],
    ) -> None:
        """Add a registered table."""
        name = self._label(target)
        later = self.labels[target].later_name if target in self.labels else None
        spans = {action: found for action in self.shown if (found := _spans(stated, action))}
        gaps: dict[Gap, list[Action]] = defaultdict(list)
        for action, recorded in spans.items():
            self.recorded[action].append(name)
            broken = Gap(None, None, "its trigger is missing or switched off now; see auditctl doctor")
            known = [*lost.gaps[action], *filter(None, [lost.off.get(action)])]
            unknown = [broken] if action in off_now and action not in lost.off else []
            for gap in (*outages.between(recorded, authors, later), *known, *unknown):
                if outages.overlaps(gap, self.since, self.end):
                    gaps[gap].append(action)
        for gap, actions in gaps.items():
            self.of_tables[gap.is_start].setdefault(target, []).append(self._sentence(actions, name, gap))
        self.starts += [gap.until for gap in gaps if gap.is_start and gap.until]
        if open_spans := [found[0][0] for found in spans.values() if found[-1][1] is None]:
            self.begun.append(min(open_spans))
        if self.targets is not None:
            self._add_missing(name, stated, [action for action in self.shown if action not in spans])
            self._add_begun(name, spans)
            if spans:
                self._add_hidden(name, stated)

    def _add_missing(self, name: str, stated: Sequence[Period], never: list[Action]) -> None:
        if not stated:
            self.gaps.append(f"Nothing of {name} is recorded any more.")
        elif never:
            verb = "is" if len(never) == 1 else "are"
            places = self.notes if self.actions is None and len(never) < len(self.shown) else self.gaps
            places.append(f"{_listed(never)} of {name} {verb} not recorded.")

    def _add_begun(self, name: str, spans: Mapping[Action, Sequence[tuple[datetime, datetime | None]]]) -> None:
        begun: dict[datetime, list[Action]] = defaultdict(list)
        for action, recorded in spans.items():
            begun[recorded[0][0]].append(action)
        self.notes += [
            f"{_listed(actions)} of {name}: recorded since {self._shown(at)}."
            for at, actions in sorted(begun.items())
            if self.since is None or at <= self.since
        ]

    def _add_hidden(self, name: str, stated: Sequence[Period]) -> None:
        for kind, phrase in (("exclude", "never recorded (excluded)"), ("mask", "recorded without values (masked)")):
            columns = {
                column
                for period in stated
                if outages.overlaps(Gap(period.since, period.until, ""), self.since, self.end)
                for column in getattr(period.stated, kind)
            }
            if columns:
                more = f" and {len(columns) - _MAX_COLUMNS} more" if len(columns) > _MAX_COLUMNS else ""
                self.notes.append(f"Of {name} {phrase}: {', '.join(sorted(columns)[:_MAX_COLUMNS])}{more}.")

    def add_types(self, types: Sequence[event_types.EventStatus], switched_off: Mapping[str, Sequence[Gap]]) -> None:
        """Add the business events that are switched off, or were."""
        if self.actions is not None and Action.EVENT not in self.actions:
            return
        known = {name for name, gaps in switched_off.items() if gaps[-1].until is None}
        for row in (row for row in types if not row.enabled and not known & {row.name, row.decided_by}):
            if self.targets is None or row.name in self.targets:
                by = f": switched off by {row.set_by}" if row.set_by else ""
                at = f" since {self._shown(datetime.fromisoformat(row.set_at))}" if row.set_at else ""
                self.gaps.append(f"EVENT of {row.label or row.name} is not recorded{at}{by}.")
        for name, gaps in switched_off.items():
            some = [gap for gap in gaps if outages.overlaps(gap, self.since, self.end)]
            self.gaps += [self._sentence([Action.EVENT], self._label(name), gap) for gap in some]
        if LOOKUPS in (self.targets or ()):
            self.notes.append("Look-ups on the page and by auditctl are recorded; those by SQL alone are not.")

    def add_keep(self, keep: times.Retention) -> None:
        """Add how long events are kept, if the selected time reaches back to what may be deleted."""
        if keep.keep is None:
            return
        oldest = self.now - timedelta(days=durations.days(keep.keep))
        if self.since is None or self.since < oldest:
            others = ", unless a target has a longer time or a hold" if keep.targets else ""
            text = f"Events are kept {keep.keep}{others}: those before {self._shown(oldest)} may be deleted."
            (self.notes if self.since is None else self.gaps).append(text)

    def coverage(self, targets: Sequence[str]) -> Coverage:
        """Return the sentences."""
        captured: list[str] = []
        if self.targets is None and targets:
            for action in self.shown if self.actions else ():
                names = self.recorded[action]
                if len(names) < len(targets):
                    where = f"only on {', '.join(names[:_MAX_LISTED])}" if names else "on no table"
                    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
                    captured.insert(0, f"{action} is captured {where}{more}.")
        elif not targets and self.targets is None:
            self.notes.append("No table is audited yet.")
        if self.targets is None and self.begun:
            self.notes.insert(0, self._summary())
        of_tables = [sentence for kind in self.of_tables.values() for some in kind.values() for sentence in some]
        own = list(dict.fromkeys(self.gaps))
        if len(own) > _MAX_LISTED:
            own[_MAX_LISTED:] = [f"And {len(own) - _MAX_LISTED} more: choose a target to see them."]
        if len(of_tables) <= _MAX_LISTED:
            return Coverage((*captured, *of_tables, *own), tuple(self.notes))
        return Coverage((*captured, *self._brief(len(targets)), *own), tuple(self.notes), tuple(of_tables))

    def _summary(self) -> str:
        """Say since when the tables that are audited now have been."""
        first, last = (self._shown(at) for at in (min(self.begun), max(self.begun)))
        when = f"since {first}" if first == last else f"the first since {first}, the last since {last}"
        return f"{plural(len(self.begun), 'table')} {'is' if len(self.begun) == 1 else 'are'} audited, {when}."

    def _brief(self, total: int) -> Iterator[str]:
        """Yield one sentence for each kind of gap."""
        for is_start, tables in self.of_tables.items():
            some = f"{len(tables)} of {plural(total, 'audited table')}"
            if tables and is_start:
                yield f"{some}: recorded only since a later time, the last since {self._shown(max(self.starts))}."
            elif tables:
                yield f"{some}: not recorded for some of the time."

    def _sentence(self, actions: Sequence[Action], name: str, gap: Gap) -> str:
        what, is_one = f"{_listed(actions)} of {name}", len(actions) == 1
        since, until = (None if at is None else self._shown(at) for at in (gap.since, gap.until))
        if gap.is_start:
            return f"{what}: recorded only since {until}."
        if since is None:
            return f"{what} may be missing{f' before {until}' if until else ''}: {gap.cause}."
        if until is None:
            return f"{what} {'is' if is_one else 'are'} not recorded since {since}: {gap.cause}."
        return f"{what} {'was' if is_one else 'were'} not recorded from {since} to {until}: {gap.cause}."

    def _shown(self, at: datetime) -> str:
        return self.clock.text(at)

    def _label(self, target: str) -> str:
        known = self.labels.get(target)
        return known.label or target if known else target


def _spans(stated: Sequence[Period], action: Action) -> list[tuple[datetime, datetime | None]]:
    """Return when rules stated that an action is recorded, oldest first."""
    spans: list[tuple[datetime, datetime | None]] = []
    for period in stated:
        if action not in period.stated.actions:
            continue
        if spans and spans[-1][1] == period.since:
            spans[-1] = (spans[-1][0], period.until)
        else:
            spans.append((period.since, period.until))
    return spans


def _listed(actions: Sequence[Action]) -> str:
    return " and ".join(filter(None, [", ".join(actions[:-1]), actions[-1]]))
