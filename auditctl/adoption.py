"""Makes a restored or copied store sound where it is: roles, owners, privileges, rows, capture, guard and place.

One transaction: what an install does, with repairs before and after (sql/bootstrap/adopt.sql, adopted.sql), and then
`apply` of the stored rules. A dry run does all of it and rolls back, so that it lists exactly what would be done.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from auditctl import database, place, resources, revision, store
from auditctl.capture import apply
from auditctl.capture.plan import Change, ChangeKind, Plan, action_names
from auditctl.database import Connection
from auditctl.errors import ConfigurationError
from auditctl.names import ROLE_OWNER, STORE_REVISION


@dataclass(frozen=True, slots=True)
class Adoption:
    """What an adoption did, or would do.

    Attributes:
        phrase: What had happened to the store; None if it was in its place.
        steps: What was repaired, as phrases, in order.
        problems: What the rules need before capture can be brought up to date, as sentences; empty where it was.
        is_guarded: Whether the coverage guard is on now.
    """

    phrase: str | None
    steps: tuple[str, ...]
    problems: tuple[str, ...]
    is_guarded: bool


class _RolledBack(Exception):
    """Ends a dry run."""


def adopt(dsn: str = "", *, dry_run: bool = False, reason: str | None = None) -> Adoption:
    """Make the store sound in this database, and record it; may be repeated.

    Args:
        dsn: The database; its login must be a superuser, or own what was restored.
        dry_run: Whether to roll everything back at the end.
        reason: Why, recorded with each event; None for no reason.

    Raises:
        DatabaseError: No connection, or the login may not.
        StoreError: There is no store, or it is newer than this tool.
    """
    done: list[Adoption] = []
    with store.ALEMBIC, database.connect(dsn) as conn, database.waiting_for_store(conn):
        phrase = _displacement(conn)

        def finish() -> None:
            done.append(_finish(conn, phrase))
            if dry_run:
                raise _RolledBack

        try:
            store.upgrade(conn, finish, reason=reason)
        except _RolledBack:
            conn.rollback()
    return done[0]


def _displacement(conn: Connection) -> str | None:
    """Return what happened to the store; raises unless there is one that this tool knows."""
    if conn.execute("select to_regclass('auditctl.alembic_version')").fetchone() == (None,):
        revision.require(conn)
    phrase = place.displacement(conn)
    if phrase is None or conn.execute("select from auditctl.alembic_version").rowcount:
        found = revision.read(conn)
        if found is None or found > STORE_REVISION:
            revision.require(conn)
    return phrase


def _finish(conn: Connection, phrase: str | None) -> Adoption:
    """Bring capture up to date and record the adoption, at the end of its transaction."""
    conn.execute("reset role")
    planned, problems = _apply(conn)
    (noted,) = conn.execute("select current_setting('auditctl.steps', true)").fetchone() or ("",)
    (is_guarded,) = conn.execute(resources.sql_text("queries/guarded.sql").encode()).fetchone() or (False,)
    steps = [*json.loads(noted or "[]"), *_capture_steps(planned)]
    if phrase is not None:
        with database.acting_as(conn, ROLE_OWNER):
            conn.execute(
                "select auditctl_internal.insert_event('auditctl.store', %s, 'EVENT', null, %s, %s)",
                [STORE_REVISION, Jsonb({"found": phrase, "steps": steps}), f"store adopted: it {phrase}"],
            )
    return Adoption(phrase, tuple(steps), problems, is_guarded)


def _apply(conn: Connection) -> tuple[Plan | None, tuple[str, ...]]:
    """Apply the stored rules, unless they do not fit or would end the capture of a table: then say so."""
    refused: list[Change] = []

    def approve(planned: Plan) -> bool:
        refused.extend(c for c in planned.pending if c.kind is ChangeKind.DROP and c.relation_oid is not None)
        return not refused

    try:
        planned = apply.apply(conn, approve=approve)
    except ConfigurationError as error:
        return None, error.problems
    if refused:
        tables = ", ".join(dict.fromkeys(change.relation for change in refused))
        return None, (f"no rule was restored for captured tables, which stay captured as they are: {tables}",)
    return planned, ()


def _capture_steps(planned: Plan | None) -> list[str]:
    if planned is None:
        return []
    by_target: dict[str, list[Change]] = {}
    for change in planned.pending:
        by_target.setdefault(change.target, []).append(change)
    return [f"capture of {target} made anew: {action_names(done)}" for target, done in by_target.items()]
