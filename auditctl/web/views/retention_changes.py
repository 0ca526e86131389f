"""The changes of retention that forms ask for: how long events are kept, a new hold, the release of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from auditctl import durations, table_names
from auditctl.database import Connection
from auditctl.errors import ConfigurationError, UsageError
from auditctl.log import keys
from auditctl.log.filter_values import require_storable
from auditctl.retention import holds, times
from auditctl.retention.times import AS_EVERY_EVENT, EVERYTHING, Retention
from auditctl.text import in_quotes, plural
from auditctl.web.errors import BadRequest
from auditctl.web.render.row_ids import row_id
from auditctl.web.request import Parameters, Visit

FIELDS = ("target", "keep", "id", "hold", "reason", "shown", "back")
PAGES = {"": "/retention", "config": "/config"}
"""The pages that a change may lead back to, by the field `back`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What forms change: a time, a new hold, or a hold in force.

    Attributes:
        name: What the field `change` says.
        form_fields: The fields of its form, and the label of each.
        subject: What changes, in the plural.
        plan: Returns the change with what it does, from the state of the store.
        make: Makes a planned change; returns what was done, as a sentence, and the id of the row to lead to.
    """

    name: str
    form_fields: Mapping[str, str]
    subject: str
    plan: Callable[[Connection, Change], Change]
    make: Callable[[Connection, Change], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Change:
    """What a form asks for.

    Attributes:
        kind: Which, one of `KINDS`.
        fields: The form's fields, as they were typed.
        title: What it does, as a heading.
        sentences: What it changes.
        warning: What it deletes, or why it keeps nothing; empty for nothing.
        desired: All times as they would be, with `keep`.
        shown: What must be the same when it is applied: what the plan says of times, or the newest hold; empty with
            `release`.
    """

    kind: Kind
    fields: dict[str, str]
    title: str = ""
    sentences: tuple[str, ...] = ()
    warning: str = ""
    desired: Retention | None = None
    shown: str = ""

    @property
    def page(self) -> str:
        """The page to lead back to."""
        return PAGES[self.fields["back"]]


def read(visit: Visit, source: Parameters) -> Change:
    """Return the change that a form, or an address, asks for.

    Raises:
        BadRequest: The form asks for something else.
    """
    name = visit.one(source, "change")
    if name not in KINDS:
        raise BadRequest(f"{in_quotes(name)} is not a change of retention.")
    change = Change(KINDS[name], {name: visit.one(source, name, "").strip() for name in FIELDS})
    if change.fields["back"] not in PAGES:
        raise BadRequest(f"{in_quotes(change.fields['back'])} is not a page to lead back to.")
    return change


def planned(conn: Connection, asked: Change) -> Change:
    """Return the change with what it does, from the state of the store.

    Raises:
        ConfigurationError: The hold is not in force.
        UsageError: A time, a target or a key is not valid.
    """
    return asked.kind.plan(conn, asked)


def make(conn: Connection, change: Change) -> tuple[str, str]:
    """Make a planned change; return what was done, as a sentence, and the id of the row to lead to.

    Raises:
        UsageError: A hold, or its release, has no reason.
        DatabaseError: The login may not change it.
    """
    return change.kind.make(conn, change)


def _planned_release(conn: Connection, asked: Change) -> Change:
    hold = _hold(conn, asked.fields["hold"])
    what = hold.target if hold.target_id is None else f"{hold.target} with the key {in_quotes(hold.target_id)}"
    return replace(
        asked,
        title=f"Release hold {hold.hold_id}",
        sentences=(f"It holds {what}: {hold.reason}.",),
        warning="Seven days after the next run of maintain, its events are deleted if their time is over.",
    )


def _planned_time(conn: Connection, asked: Change) -> Change:
    target, text = asked.fields["target"] or EVERYTHING, asked.fields["keep"]
    require_storable("target", target)
    now = times.read(conn)
    target, doubt = _target_of_time(conn, target, now)
    others = {name: keep for name, keep in now.targets.items() if name != target}
    if text.lower() == AS_EVERY_EVENT and target != EVERYTHING:
        desired = Retention(now.keep, others)
    elif target == EVERYTHING:
        desired = Retention(durations.parse_keep(text), now.targets)
    else:
        desired = Retention(now.keep, {**others, target: durations.parse_keep(text)})
    effect = times.consequence(conn, desired, now)
    sentences = tuple(one.sentence for one in times.compare(desired, now))
    notes = tuple(f"{note}." for note in desired.notes if note not in now.notes)
    return replace(
        asked, fields={**asked.fields, "target": target}, title="Change how long events are kept",
        sentences=(*sentences, *notes), warning=" ".join(filter(None, (effect.sentence if effect else "", doubt))),
        desired=desired, shown="\n".join((*sentences, *notes)),
    )  # fmt: skip


def _target_of_time(conn: Connection, text: str, now: Retention) -> tuple[str, str]:
    """Return the target as events have it, and a warning if the log knows none: it may be still to come."""
    if text in now.by_target:
        return text, ""
    try:
        return holds.resolve_target(conn, text), ""
    except UsageError as error:
        message = str(error)
        return table_names.canonical(
            text
        ), f"{message[0].upper()}{message[1:]}. No event has this time yet. {error.hint}"


def _planned_hold(conn: Connection, asked: Change) -> Change:
    target = holds.resolve_target(conn, asked.fields["target"])
    target_id = asked.fields["id"] or None
    if target_id is not None:
        require_storable("id", target_id)
        keys.find(conn, target_id, [target])
    events, months = holds.count(conn, target, target_id), holds.count_archives(conn, target)
    files = f"the files of {plural(months, 'archived month')}, " if months else ""
    most = "at least " if events == holds.MOST_COUNTED else ""
    near = keys.suggest(conn, target_id, [target]) if target_id is not None and not (events or months) else ""
    return replace(
        asked,
        fields={**asked.fields, "target": target},
        title=f"Hold {target}" + (f" with the key {in_quotes(target_id)}" if target_id else ""),
        sentences=(
            f"It keeps {most}{plural(events, 'event')} now, {files}and those still to come, until it is released.",
        ),
        warning=f"The log has no such events yet. {near}".strip() if not (events or months) else "",
        # Of a form that is sent twice, the second finds another newest hold.
        shown=str(max((one.hold_id for one in holds.read(conn, released=True)), default=0)),
    )


def _hold(conn: Connection, text: str) -> holds.Hold:
    for one in holds.read(conn):
        if str(one.hold_id) == text:
            return one
    raise ConfigurationError([f"hold {in_quotes(text)} is not in force"], hint="It may have been released meanwhile.")


def _make_time(conn: Connection, change: Change) -> tuple[str, str]:
    differences = times.compare(change.desired, times.read(conn)) if change.desired else ()
    times.write(conn, differences)
    message = " ".join(one.sentence for one in differences) or "Nothing had to be done."
    return message, row_id("keep", change.fields["target"])


def _make_hold(conn: Connection, change: Change) -> tuple[str, str]:
    fields = change.fields
    number = holds.add(conn, fields["target"], fields["id"] or None, _required_reason(fields))
    return f"Placed hold {number}.", row_id("hold", number)


def _make_release(conn: Connection, change: Change) -> tuple[str, str]:
    holds.release(conn, int(change.fields["hold"]), _required_reason(change.fields))
    return f"Released hold {change.fields['hold']}.", "holds"


def _required_reason(fields: dict[str, str]) -> str:
    if not fields["reason"]:
        raise UsageError("a hold needs a reason", hint="Give the number of the case, for example.")
    return fields["reason"]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("keep", {"target": "Target", "keep": "Keep for"}, "times", _planned_time, _make_time),
        Kind("hold", {"target": "Target", "id": "ID", "reason": "Reason"}, "holds", _planned_hold, _make_hold),
        Kind("release", {"reason": "Reason"}, "holds", _planned_release, _make_release),
    )
}
"""Every kind, by what the field `change` says."""
