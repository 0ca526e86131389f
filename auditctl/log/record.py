"""Records business events: actions that change no row, such as a login or a report that was opened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from psycopg import errors

from auditctl import database
from auditctl.actions import Action
from auditctl.database import Connection
from auditctl.errors import DatabaseError, UsageError
from auditctl.log.filter_values import require_storable
from auditctl.text import has_visible

BUSINESS_ACTIONS = (Action.EVENT, Action.READ)
"""The actions of business events; the others are recorded by capture alone."""

MAX_DATA_BYTES = 1_048_576
"""The size of data that the database accepts."""

_ARGUMENT_ERROR = "record_event "
"""The prefix of the database's own messages about an argument."""

_NOT_JSONB = frozenset(
    error.sqlstate
    for error in (
        errors.InvalidTextRepresentation, errors.UntranslatableCharacter, errors.NumericValueOutOfRange,
        errors.StatementTooComplex, errors.ProgramLimitExceeded,
    )
)  # fmt: skip
"""SQLSTATEs of JSON that JSONB cannot store: a NUL, half a character, too many digits or levels."""


@dataclass(frozen=True, slots=True)
class BusinessEvent:
    """A business event to record.

    Attributes:
        target: Its subject, such as `billing.invoice` or `auth.login`.
        target_id: The subject's key; None if it has none.
        summary: One sentence for people; may be None for a READ, which is then displayed as `read`.
        data: Details as JSON text; None for none.
        action: EVENT or READ.
        actor: The user; None for the one that the session names.
        ip: The client's address; None for the one that the session names.
    """

    target: str
    target_id: str | None = None
    summary: str | None = None
    data: str | None = None
    action: Action = Action.EVENT
    actor: str | None = None
    ip: IPv4Address | IPv6Address | None = None


@dataclass(frozen=True, slots=True)
class RecordResult:
    """The outcome of recording a business event.

    Attributes:
        event_id: The event; None where its type is switched off.
        is_believed: Whether the given user and address are trusted; True where none were given.
    """

    event_id: int | None
    is_believed: bool


def record_event(conn: Connection, event: BusinessEvent) -> RecordResult:
    """Record an event (function auditctl.record_event), in a transaction of its own.

    Raises:
        UsageError: A value cannot be stored, or the target is auditctl's own; nothing is recorded.
        DatabaseError: The login may not record events.
    """
    _require_valid(event)
    names = {"actor": event.actor, "ip": None if event.ip is None else str(event.ip)}
    with database.transaction(conn):
        for name, value in names.items():
            if value is not None:
                conn.execute("select pg_catalog.set_config(%s, %s, true)", [f"auditctl.{name}", value])
        event_id = _insert(conn, event)
        is_believed = not any(names.values()) or conn.execute("select auditctl.names_actor()").fetchone() == (True,)
    return RecordResult(event_id, is_believed)


def require_json(text: str, place: str) -> str:
    """Return the text if it is valid JSON.

    Args:
        text: The text.
        place: Where the text comes from, for the message.

    Raises:
        UsageError: It is not JSON, or too long.
    """
    hint = 'Write JSON such as \'{"channel": "mail"}\'; text goes in double quotes.'
    if len(text.encode("utf-8", "replace")) > MAX_DATA_BYTES:
        raise UsageError(f"{place} is larger than 1 MB", hint="Record where the data can be found, or a digest of it.")
    try:
        # The text itself is stored, so that numbers keep their digits.
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{place} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})", hint=hint
        ) from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{place} is not JSON: {reason}", hint=hint) from None
    return text


def _require_valid(event: BusinessEvent) -> None:
    if event.action not in BUSINESS_ACTIONS:
        raise UsageError(
            f"{event.action} cannot be recorded by hand",
            hint="Row changes are recorded by capture alone; use EVENT or READ.",
        )
    if not event.target:
        raise UsageError("the target is empty", hint="Name what the event is about, for example billing.invoice.")
    if event.summary is None and event.action is not Action.READ:
        raise UsageError("the event has no summary", hint="Add one: a sentence of what happened.")
    for name in ("target", "target_id", "summary", "actor"):
        if getattr(event, name) is not None:
            require_storable(name, getattr(event, name), may_be_empty=name == "target_id")
    if event.actor is not None and not has_visible(event.actor):
        raise UsageError("the actor has no visible character", hint="Leave it out for nobody.")
    if event.data is not None:
        require_json(event.data, "data")


def _insert(conn: Connection, event: BusinessEvent) -> int | None:
    arguments = [event.target, event.target_id, event.summary, event.data, str(event.action)]
    try:
        with database.errors_translated():
            row = conn.execute(
                "select auditctl.record_event(%s, %s, %s, %s::jsonb, %s::auditctl.action)", arguments
            ).fetchone()
    except DatabaseError as error:
        if error.sqlstate in _NOT_JSONB:
            hint = "JSONB holds no \\u0000, no half of a character, and no number of unlimited length."
            raise UsageError(f"the data cannot be stored: {error}", hint=hint) from error
        if str(error).startswith(_ARGUMENT_ERROR):
            raise UsageError(f"record {str(error).removeprefix(_ARGUMENT_ERROR)}", hint=error.hint) from error
        raise
    return None if row is None else row[0]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")
