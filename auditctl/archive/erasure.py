"""Erases values of events that are in files of an archive alone, together with those that are in the table.

One transaction records all of it; the files are written anew before it ends, and replace the old ones after it.
Source: sql/functions/65_evidence/erase_archived.sql.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from psycopg import adapt, pq
from psycopg.sql import SQL, Composable
from psycopg.types.json import Jsonb

from auditctl import database, place
from auditctl.archive import archive, archived_events, dropped_months, erased_columns, events, origin
from auditctl.archive.archived_events import FoundMonth
from auditctl.archive.manifest import ArchiveError, Manifest
from auditctl.archive.month_files import MonthFiles
from auditctl.archive.month_rewriter import ErasedEvent, MonthRewriter, own_salt
from auditctl.database import Connection
from auditctl.errors import OutputError
from auditctl.evidence import canonical
from auditctl.evidence.block_events import signed
from auditctl.evidence.canonical import Fields
from auditctl.evidence.leaf import SALT_BYTES, unit_salts
from auditctl.names import ROLE_OWNER
from auditctl.retention import erasure
from auditctl.retention.erasure import ErasedValue, Erasure

Report = Callable[[str, int, int], None]
"""Takes the month, and how many events of how many are read."""

_EVENT = SQL(
    "row(%b::bigint, %b::timestamptz, %b::xid8, %b::auditctl.actor_kind, %b::auditctl.action, %b::text, %b::inet,"
    " %b::text, %b::text, %b::text, %b::jsonb, %b::jsonb, %b::jsonb)::auditctl.event"
)

_OWN = len(canonical.COLUMNS) + 2

_SHOWN = 100
"""How many characters of a value are shown."""

_JSON = tuple(canonical.COLUMNS.index(name) for name in canonical.JSON)
_VERSION = b"\1"  # of jsonb in binary format


class _Sent(bytes):
    """A value in PostgreSQL's binary format."""


class _SentDumper(adapt.Dumper):
    format = pq.Format.BINARY
    oid = 0

    def dump(self, obj: Any) -> bytes:
        return bytes(obj)


@dataclass(frozen=True, slots=True)
class _Step:
    """What becomes of one event: as it was, as it is, and what the database says of it."""

    former: Fields
    row: events.EventRow
    erasure: Erasure
    documents: str | None


def plan(
    conn: Connection, numbers: Sequence[int], columns: Sequence[str]
) -> tuple[tuple[Erasure, ...], tuple[ErasedValue, ...]]:
    """Return what `erase` would erase, by event, and the values.

    Args:
        conn: A connection whose login may act as auditctl_owner.
        numbers: Numbers of events, in the table and in the archive.
        columns: As `retention.erasure.plan`.

    Raises:
        UsageError, DatabaseError: As `retention.erasure.plan`.
        ArchiveError: The files are not those that the log recorded.
        OutputError: A file cannot be read.
    """
    months = archived_events.find(conn, erasure.find_absent(conn, numbers))
    rest, chosen, by_month = _divided(conn, months, numbers, columns)
    planned = list(erasure.plan(conn, rest, chosen)) if chosen is not None else []
    values = list(erasure.read_values(conn, planned)) if planned else []
    for month, own in by_month:
        with erasure.mistakes_explained(), database.transaction(conn), database.acting_as(conn, ROLE_OWNER):
            for step in _steps(conn, month, own, "", {}, is_dry=True):
                planned.append(step.erasure)
                values += [_value(step, name) for name in step.erasure.places]
    return tuple(sorted(planned, key=_by_number)), tuple(sorted(values, key=_by_number))


def erase(
    conn: Connection, numbers: Sequence[int], columns: Sequence[str], reason: str,
    report: Report = lambda _month, _done, _total: None, require_alone: Callable[[], object] = lambda: None,
) -> tuple[Erasure, ...]:  # fmt: skip
    """Erase what `plan` returns, all or nothing, and write the files of archived events anew without it.

    Another connection makes sure that nobody else changes the archive: `exclusive.alone`. `require_alone` raises if
    that one was lost.

    Raises:
        UsageError, DatabaseError, ArchiveError, OutputError: As `plan`. Nothing was erased, unless the message says
            that the erasure is recorded and only old files are left.
        PlaceError: The store was restored or copied: holds may be missing until it is adopted.
    """
    place.require(conn)
    dropped_months.settle(conn, dropped_months.read(conn))
    months = archived_events.find(conn, erasure.find_absent(conn, numbers))
    store = origin.read(conn)
    folders = [MonthFiles(month.files, month.record.key, store) for month in months]
    written: list[tuple[MonthFiles, Manifest]] = []
    is_ready = False
    try:
        with erasure.mistakes_explained(), database.transaction(conn):
            conn.execute("set transaction isolation level read committed")
            conn.execute("select set_config('idle_in_transaction_session_timeout', '0', true)")
            rest, chosen, by_month = _divided(conn, months, numbers, columns)
            done = list(erasure.erase(conn, rest, chosen, reason)) if chosen is not None else []
            with database.acting_as(conn, ROLE_OWNER):
                conn.execute("select auditctl_internal.lock_erasure()")
                for month, own in by_month:
                    folder = folders[months.index(month)]
                    if steps := _steps(conn, month, own, reason, _proofs(conn, month), is_dry=False):
                        folder.manifest()
                        written.append((folder, _rewritten(conn, month, folder, steps, report)))
                        done += [step.erasure for step in steps]
            require_alone()
            _require_written(written)
            is_ready = True
    except BaseException:
        # Whether a transaction that breaks while it ends was committed, only the log knows: the next run asks it.
        if not is_ready:
            _undo(months, folders)
        raise
    _settle(written)
    return tuple(sorted(done, key=_by_number))


def _settle(written: Sequence[tuple[MonthFiles, Manifest]]) -> None:
    """Replace the old files of all months, as far as possible."""
    failed: list[OutputError] = []
    for folder, manifest in written:
        try:
            folder.settle(manifest.digest)
        except OutputError as error:
            failed.append(error)
    if not failed:
        _require_written(written)
    else:
        raise OutputError(
            f"the erasure is recorded, but the old files are still there: {failed[0]}",
            hint="Once files can be written and removed there, finish it with: auditctl maintain",
        )


def _require_written(written: Sequence[tuple[MonthFiles, Manifest]]) -> None:
    for folder, manifest in written:
        if archive.month(folder.files, folder.key, manifest.digest).manifest.digest != manifest.digest:
            raise ArchiveError(
                f"what was written into {folder.files.shown(folder.key.folder)} was removed meanwhile",
                hint="If the log has no such erasure, run it again. Look with: auditctl log --target auditctl.erasure",
            )


def _by_number(one: Erasure | ErasedValue) -> int:
    return one.event_id


def _value(step: _Step, name: str) -> ErasedValue:
    """Return a value as queries/erasure_values.sql does for an event of the table."""
    kind, column = name.split(".", 1)
    texts = dict(zip(canonical.COLUMNS, map(canonical.to_text, canonical.COLUMNS, step.former), strict=True))
    if kind == "event":
        found = [texts[column] or ""]
    else:
        images = (erased_columns.parsed(texts[image]) for image in ("old_values", "new_values"))
        found = [_text(image[column]) for image in images if isinstance(image, dict) and column in image]
    is_key = kind == "values" and texts["target_id"] in found
    return ErasedValue(step.erasure.event_id, name, " → ".join(text[:_SHOWN] for text in found), is_key)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _divided(
    conn: Connection, months: Sequence[FoundMonth], numbers: Sequence[int], columns: Sequence[str]
) -> tuple[list[int], Sequence[str] | None, list[tuple[FoundMonth, Sequence[str]]]]:
    """Return the numbers of events in the table, the columns to erase there, None for nothing, and those by month."""
    archived = {number for month in months for number in month.events}
    rest = [number for number in numbers if number not in archived]
    # A number that nothing has is refused in the table.
    groups = [erased_columns.of_table(conn, rest)] if rest else []
    groups += [erased_columns.of_archived(month.events.values()) for month in months]
    chosen = erased_columns.divide(columns, groups)
    by_month = zip(months, chosen[len(chosen) - len(months) :], strict=True)
    return rest, chosen[0] if rest else None, [(month, own) for month, own in by_month if own is not None]


def _undo(months: Sequence[FoundMonth], folders: Sequence[MonthFiles]) -> None:
    for month, folder in zip(months, folders, strict=True):
        with suppress(Exception):
            folder.settle(month.record.manifest)


def _proofs(conn: Connection, month: FoundMonth) -> dict[int, dict[str, Any]]:
    """What proves the events, as auditctl_internal.erase_archived takes it."""
    proofs = {}
    for number, node in archived_events.leaves(month).items():
        if node.event is not None:
            query = "select b.first_leaf from auditctl.block as b where b.number = %s"
            (first,) = conn.execute(query, [node.event.block]).fetchone() or (0,)
            salt = own_salt(node.event)
            proofs[number] = {
                "block": node.event.block, "place": node.leaf - first, "leaf": node.hash.hex(),
                "salts": (unit_salts(salt) if len(salt) == SALT_BYTES else salt).hex(),
            }  # fmt: skip
    return proofs


def _rewritten(
    conn: Connection, month: FoundMonth, folder: MonthFiles, steps: Sequence[_Step], report: Report
) -> Manifest:
    """Write a month anew, and record that."""
    erased = {
        step.erasure.event_id: ErasedEvent(step.row, _salts(step.documents), step.documents or "") for step in steps
    }
    total = month.manifest.rows
    rewriter = MonthRewriter(month, folder, erased, lambda done: report(month.record.month, done, total))
    manifest = rewriter.write()
    former, new = (
        _array(rows) for rows in ([step.former for step in steps], [events.fields_of(step.row) for step in steps])
    )
    query = SQL("select auditctl_internal.record_rewrite(%s, {}, {}, %s, %s)").format(former[0], new[0])
    parameters = [month.record.archive_id, *former[1], *new[1], manifest.content, manifest.digest]
    with _cursor(conn) as cursor:
        cursor.execute(query, parameters)
    return manifest


def _steps(
    conn: Connection, month: FoundMonth, columns: Sequence[str], reason: str, proofs: dict[int, Any], *, is_dry: bool
) -> list[_Step]:
    array, parameters = _array(list(month.events.values()))
    query = SQL(
        "select {}, r.places, r.recorded, r.block, r.documents, e.occurred_at, (r.former).target_id, e.event_id"
        " from auditctl_internal.erase_archived({}, %s, %s::text[], %s, %s) as r"
        " cross join lateral (select (r.erased).*) as e"
    ).format(events.projection("e"), array)
    with _cursor(conn) as cursor:
        cursor.execute(query, [*parameters, Jsonb(proofs), list(columns), reason, is_dry], binary=True)
        result, steps = cursor.pgresult, []
        for place_, (*_, places, recorded, block, documents, occurred_at, target_id, number) in enumerate(cursor):
            row = tuple(result.get_value(place_, column) if result else None for column in range(_OWN))
            target = (row[canonical.COLUMNS.index("target")] or b"").decode(errors="replace")
            own = Erasure(number, occurred_at, target, target_id, month.shown, tuple(places), recorded, block)
            steps.append(_Step(month.events[signed(row[0] or b"")], row, own, documents))
    return steps


def _array(rows: Sequence[Fields]) -> tuple[Composable, list[Any]]:
    """Return events as an array of SQL, and its parameters."""
    values = [
        None if value is None else _Sent(_VERSION + value if place_ in _JSON else value)
        for fields in rows
        for place_, value in enumerate(fields)
    ]
    return SQL("array[{}]::auditctl.event[]").format(SQL(", ").join([_EVENT] * len(rows))), values


def _cursor(conn: Connection) -> Any:
    cursor = conn.cursor()
    cursor.adapters.register_dumper(_Sent, _SentDumper)
    return cursor


def _salts(documents: str | None) -> bytes:
    text = json.loads(documents)[-1]["salts"] if documents else None
    return bytes.fromhex((text or "").removeprefix("\\x"))
