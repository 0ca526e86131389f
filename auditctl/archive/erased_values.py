"""What was erased of the events of a month: kept in the archive, as upkeep deletes it from the store with the events.

Source: auditctl.erasure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.sql import SQL, Composed

from auditctl.database import Connection
from auditctl.evidence.block_events import signed
from auditctl.evidence.canonical import UNITS, Fields
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.removals import Erasure, read_erasures

_ROWS = SQL(
    "select e.event_id, timestamptz_send(e.occurred_at), json_agg(to_jsonb(e) order by e.erased_in)::text"
    " from auditctl.erasure as e where {} group by e.event_id, e.occurred_at"
)


@dataclass(frozen=True, slots=True)
class Erasures:
    """The erasures of events.

    Attributes:
        newest: The newest erasure of each event that was sealed before it, by number and the bytes of its time.
        documents: All rows of auditctl.erasure of each event of the month, as JSON, by number and microseconds.
    """

    newest: dict[tuple[int, bytes], Erasure]
    documents: Mapping[tuple[int, int], str]

    def require_sound(self, fields: Fields) -> Erasure:
        """Return the erasure of an event.

        Raises:
            EvidenceError: No event announces it, or what remains was altered.
        """
        erasure = self.newest[signed(fields[0] or b""), fields[1] or b""]
        if not erasure.is_announced:
            problem = f"values of event {erasure.event_id} were erased, and no event announces it as it is"
        elif columns := erasure.altered(fields):
            problem = f"event {erasure.event_id} was altered after its erasure: {', '.join(columns)}"
        else:
            return erasure
        raise EvidenceError(problem, hint="The month was not archived. See what differs: auditctl verify")


def read(conn: Connection, blocks: Sequence[int], condition: Composed) -> Erasures:
    """Return the erasures of events of blocks that meet a condition on `e.occurred_at`."""
    documents = {
        (event_id, signed(bytes(time))): text for event_id, time, text in conn.execute(_ROWS.format(condition))
    }
    return Erasures(read_erasures(conn, blocks) if documents else {}, documents)


def parse(document: str) -> Erasure | None:
    """Return the newest erasure of an event from what the archive has of it; None if it was sealed after that.

    Raises:
        ValueError: It is not such a document.
    """
    try:
        row: dict[str, Any] = json.loads(document)[-1]
        if row["block"] is None:
            return None
        units = tuple(unit for unit in row["units"] if unit in UNITS)
        what = ", ".join(map(str, row["places"]))
        salts, commitments, remaining = (_bytes(row[name]) for name in ("salts", "commitments", "remaining"))
        return Erasure(
            int(row["event_id"]), int(row["erased_in"]), units, salts, commitments, remaining, True,
            f"of event {row['event_id']}, {what} was erased by {row['erased_by']} (event {row['erased_in']}):"
            f" {row['reason']}",
        )  # fmt: skip
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise ValueError("what was erased of an event cannot be read") from None


def _bytes(text: str | None) -> bytes:
    return bytes.fromhex((text or "").removeprefix("\\x"))
