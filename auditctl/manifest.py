"""Makes the manifest of an export: who exported what and when, the file's hash, and what was captured in that time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from auditctl import coverage as log_coverage
from auditctl import remarks
from auditctl.capture import rule_history
from auditctl.database import Connection, read_transaction
from auditctl.errors import UsageError
from auditctl.evidence import exported_event
from auditctl.log.export import ExportRequest, ExportResult
from auditctl.log.exported import DIGEST, KIND, SUFFIX, VERSION, RecordedExport, columns_of, digest, file_name
from auditctl.log.filters import Filters
from auditctl.log.formats import BY_NAME
from auditctl.log.selection import Order
from auditctl.log.snapshot import Snapshot
from auditctl.text import iso_utc

__all__ = ["DIGEST", "SUFFIX", "build", "coverage", "of_recorded", "text"]

_EXPORT = """
    select b.occurred_at, b.db_user, b.actor from auditctl.event as b
     where b.action = 'EVENT' and b.target = 'auditctl.export' and b.target_id is null and b.event_id = %s
"""

_DATABASE = """
    select current_database()::text, d.oid::bigint, c.system_identifier::text,
           current_setting('server_version'), session_user::text, now()
      from pg_database as d, pg_control_system() as c
     where d.datname = current_database()
"""


def build(
    conn: Connection,
    request: ExportRequest,
    result: ExportResult,
    name: str,
    evidence: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the manifest of a complete export.

    Args:
        conn: The connection.
        request: What was asked for.
        result: What was written.
        name: The file's name, without its folder.
        evidence: The checkpoint by which its rows were proved; None if they were not.

    Returns:
        What JSON can hold, with the digest of all the rest as its last member.

    Raises:
        DatabaseError: The login may not read the log or the rules.
    """
    with read_transaction(conn):
        database, oid, system, version, login, now = conn.execute(_DATABASE).fetchone() or ("", 0, "", "", "", None)
        at, login, actor = conn.execute(_EXPORT, [result.event_id]).fetchone() or (now, login, None)
        covered, evidence = coverage(conn, request.filters, at), evidence or _evidence(conn, request)
        known = remarks.coverage_of(conn, request.filters.resolve(conn), at)
    document = {
        "kind": KIND,
        "version": VERSION,
        "file": {
            "name": name, "format": request.format.name, "order": str(request.order), "raw": request.raw,
            "columns": None if request.columns is None else list(request.columns),
            "rows": result.events, "bytes": result.size, "sha256": result.sha256,
        },
        "export": {"event_id": result.event_id, "login": login, "actor": actor, "at": iso_utc(at), "zone": "UTC"},
        "database": {"name": database, "oid": oid, "system_identifier": system, "server_version": version},
        "selection": request.filters.describe(),
        "filters": request.filters.as_dict(),
        "committed_since": None if request.committed_since is None else str(request.committed_since),
        "snapshot": None if result.snapshot is None else str(result.snapshot),
        "first_event_id": result.first_event_id,
        "last_event_id": result.last_event_id,
        "coverage": covered,
        "not_recorded": [*known.gaps, *known.details],
        "evidence": evidence,
    }  # fmt: skip
    return {**document, DIGEST: digest(document)}


def of_recorded(conn: Connection, export: RecordedExport) -> dict[str, Any]:
    """Return the manifest of an export that the log has.

    Raises:
        UsageError: The log does not know a table or column of its filters any more.
        DatabaseError: The login may not read the log or the rules.
    """
    try:
        request, result = _of_events(export)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"export {export.event_id} was not recorded by auditctl", hint="Somebody called auditctl.record_export."
        ) from error
    name = file_name(export.at, request.filters.texts.get("target", ()), request.format, request.filters.clock)
    return build(conn, request, result, name)


def _of_events(export: RecordedExport) -> tuple[ExportRequest, ExportResult]:
    """Return what an export asked for and wrote, by its two events, which any reader may have recorded otherwise."""
    asked, facts = export.request, export.facts
    texts = {name: [value] if isinstance(value, str) else value for name, value in asked["filters"].items()}
    since = asked.get("committed_since")
    request = ExportRequest(
        Filters.parse(texts), BY_NAME[asked["format"]], Order(asked["order"]), asked["raw"],
        committed_since=None if since is None else Snapshot.parse(since), columns=columns_of(asked),
    )  # fmt: skip
    snapshot = facts.get("snapshot")
    result = ExportResult(
        facts["rows"], facts["bytes"], export.event_id, facts["sha256"],
        snapshot=None if snapshot is None else Snapshot.parse(snapshot),
        first_event_id=facts.get("first_event_id"), last_event_id=facts.get("last_event_id"),
    )  # fmt: skip
    return request, result


def text(document: Mapping[str, Any]) -> str:
    """Return a manifest as the text of its file."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def coverage(conn: Connection, filters: Filters, now: datetime) -> list[dict[str, Any]]:
    """Return what rules stated about each target that filters select, in their time.

    It is what the log has of rules, not of what somebody did to triggers.

    Args:
        conn: The connection.
        filters: The filters, of which targets and times count.
        now: The time of the export; aware.
    """
    resolved = filters.resolve(conn)
    since, until = (
        resolved.values[name][0].at(now) if name in resolved.values else None for name in ("since", "until")
    )
    return [
        {
            "target": target,
            "captured": [
                {
                    "since": iso_utc(period.since), "until": None if period.until is None else iso_utc(period.until),
                    "actions": [action.lower() for action in period.stated.actions],
                    "exclude": list(period.stated.exclude), "mask": list(period.stated.mask),
                }
                for period in periods
                if (until is None or period.since < until)
                and (since is None or period.until is None or period.until > since)
            ],
        }
        for target, periods in log_coverage.periods(
            conn, log_coverage.registered(conn, resolved), rule_history.read(conn)
        ).items()
    ]  # fmt: skip


def _evidence(conn: Connection, request: ExportRequest) -> dict[str, Any] | None:
    """Return the newest checkpoint of the sealed log, and up to where it reaches; None if the log is not sealed.

    It says why the rows have no proofs, where no file with the format and columns of the export can have them.
    """
    row = conn.execute(
        "select c.note, c.tree_size, b.number, b.snapshot::text from auditctl.checkpoint as c "
        "join auditctl.block as b on b.first_leaf + b.events + 1 = c.tree_size order by c.tree_size desc limit 1"
    ).fetchone()
    names = ("checkpoint", "tree_size", "block", "snapshot", "proofs")
    if row is None:
        return None
    obstacle = exported_event.obstacle(request.format, request.columns)
    return dict(zip(names, (*row, None), strict=True)) | ({"not_proved": obstacle} if obstacle else {})
