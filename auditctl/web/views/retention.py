"""`/retention`: how long events are kept and what the log takes; administrators set times and holds after a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace

from psycopg.errors import QueryCanceled
from starlette.responses import RedirectResponse, Response

from auditctl import durations, table_names
from auditctl import reason as stated_reason
from auditctl.database import Connection
from auditctl.errors import AuditctlError, ConfigurationError, DatabaseError, UsageError
from auditctl.log import keys
from auditctl.log.filter_values import require_storable
from auditctl.log.filters import Filters
from auditctl.log.stats import model
from auditctl.log.stats.count import count_events
from auditctl.retention import holds, maintain, times
from auditctl.retention.times import AS_EVERY_EVENT, EVERYTHING, Retention
from auditctl.text import in_quotes, plural
from auditctl.web import error_pages
from auditctl.web.errors import BadRequest
from auditctl.web.request import Visit

KINDS = ("keep", "hold", "release")
"""What the forms of the page change: a time, a new hold, a hold in force."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a form asks for.

    Attributes:
        kind: One of `KINDS`.
        fields: The form's fields, as they were typed.
        title: What it does, as a heading.
        sentences: What it changes.
        warning: What it deletes, or why it keeps nothing; empty for nothing.
        desired: All times as they would be, with `keep`.
    """

    kind: str
    fields: dict[str, str]
    title: str = ""
    sentences: tuple[str, ...] = ()
    warning: str = ""
    desired: Retention | None = None

    @property
    def shown(self) -> str:
        """What the plan says of times, which must be the same when it is applied; empty for holds."""
        return "\n".join(self.sentences) if self.kind == "keep" else ""


def retention(visit: Visit) -> Response:
    """Show times, holds, what upkeep deletes next, and the size of the log by target and month."""
    with visit.connection() as conn:
        stored, in_force = times.read(conn), holds.read(conn)
        statistics = count_events(conn, Filters.parse({}), estimate=True)
        due = _due(conn)
    return visit.page(
        "retention.html",
        times={name: durations.format_keep(keep) for name, keep in stored.by_target.items()},
        notes=stored.notes,
        holds=in_force,
        due=due,
        statistics=statistics,
        by_target=sorted(model.grouped(statistics.groups, ("target",)), key=lambda group: -group.events),
        by_month=model.grouped(statistics.groups, ("month",)),
        messages=visit.signed_in.take_messages(),
    )


def _due(conn: Connection) -> tuple[maintain.DueStep, ...] | None:
    """Return what upkeep would do; None if counting it takes longer than a page may."""
    try:
        return maintain.due(conn)
    except DatabaseError as error:
        if error.sqlstate != QueryCanceled.sqlstate:
            raise
        return None


def plan(visit: Visit) -> Response:
    """Show what a change would do, without doing it."""
    asked = _asked(visit)
    with visit.connection() as conn:
        try:
            return _plan_page(visit, _planned(conn, asked))
        except AuditctlError as error:
            return _plan_page(visit, replace(asked, title="Nothing to plan"), error)


def apply(visit: Visit) -> Response:
    """Make the change, which is recorded."""
    asked = _asked(visit)
    why = asked.fields.get("reason", "").strip() or None
    if why:
        stated_reason.require_reason(why)
    with visit.connection() as conn:
        try:
            change = _planned(conn, asked)
            if change.shown != asked.fields["shown"]:
                return _plan_page(visit, change, _outdated())
            with stated_reason.stated(conn, why):
                message = _make(conn, change)
        except AuditctlError as error:
            return _plan_page(visit, replace(asked, title="Nothing was changed"), error)
    visit.signed_in.notify(message)
    return RedirectResponse(visit.url("/retention"), 303)


def _outdated() -> AuditctlError:
    return ConfigurationError(["the times changed after the plan was shown"], hint="This is the plan now.")


def _asked(visit: Visit) -> Change:
    kind = visit.one(visit.form, "change")
    if kind not in KINDS:
        raise BadRequest(f"{in_quotes(kind)} is not a change of retention.")
    names = ("target", "keep", "id", "hold", "reason", "shown")
    return Change(kind, {name: visit.one(visit.form, name, "").strip() for name in names})


def _planned(conn: Connection, asked: Change) -> Change:
    """Return the change with what it does, from the state of the store."""
    match asked.kind:
        case "keep":
            return _planned_time(conn, asked)
        case "hold":
            return _planned_hold(conn, asked)
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
        desired=desired,
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
    events = holds.count(conn, target, target_id)
    most = "at least " if events == holds.MOST_COUNTED else ""
    near = keys.suggest(conn, target_id, [target]) if target_id is not None and not events else ""
    return replace(
        asked,
        fields={**asked.fields, "target": target},
        title=f"Hold {target}" + (f" with the key {in_quotes(target_id)}" if target_id else ""),
        sentences=(f"It keeps {most}{plural(events, 'event')} now, and those still to come, until it is released.",),
        warning=f"The log has no such events yet. {near}".strip() if not events else "",
    )


def _hold(conn: Connection, text: str) -> holds.Hold:
    for one in holds.read(conn):
        if str(one.hold_id) == text:
            return one
    raise ConfigurationError([f"hold {in_quotes(text)} is not in force"], hint="It may have been released meanwhile.")


def _make(conn: Connection, change: Change) -> str:
    """Make the change; return what was done, as a sentence."""
    fields = change.fields
    match change.kind:
        case "keep":
            differences = times.compare(change.desired, times.read(conn)) if change.desired else ()
            times.write(conn, differences)
            return " ".join(one.sentence for one in differences) or "Nothing had to be done."
        case "hold":
            number = holds.add(conn, fields["target"], fields["id"] or None, _required_reason(fields))
            return f"Placed hold {number}."
    holds.release(conn, int(fields["hold"]), _required_reason(fields))
    return f"Released hold {fields['hold']}."


def _required_reason(fields: dict[str, str]) -> str:
    if not fields["reason"]:
        raise UsageError("a hold needs a reason", hint="Give the number of the case, for example.")
    return fields["reason"]


def _plan_page(visit: Visit, change: Change, trouble: AuditctlError | None = None) -> Response:
    status = error_pages.status_of(trouble) if trouble else 200
    return visit.page("retention_plan.html", status, change=change, trouble=trouble)
