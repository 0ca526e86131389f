"""What was removed from the log with an announcement: erased values, and events that upkeep deleted.

Sources: auditctl.erasure, auditctl.pruned, and the events that announce their rows. Each row must be as its event says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from auditctl.database import Connection
from auditctl.evidence.canonical import COLUMNS, UNITS, Fields
from auditctl.evidence.leaf import UNIT_SALT_BYTES, commitment, leaf_from_commitments

_MAX_EVENTS = 1 << 22
"""Of how many events of a block it is asked at most which were deleted; no block has so many."""

_ERASED = """
    select r.event_id, r.erased_in, array(select coalesce(p, '') from unnest(r.places) as p), r.reason, r.erased_by,
           array(select coalesce(u, '') from unnest(r.units) as u), r.salts, r.commitments, r.remaining,
           (e.event_id is not null), e.new_values ->> 'digest', coalesce(timestamptz_send(r.occurred_at), '')
      from auditctl.erasure as r
      left join auditctl.event as e
        on e.event_id = r.erased_in and e.target = 'auditctl.erasure' and e.action = 'EVENT'
     where r.block = any (%s)
     order by r.event_id, r.erased_in
"""

_PRUNED = """
    select p.block, p.announced_in, p.leaves, s.announced, p.restored_in_xact is not null, s.month, s.location
      from auditctl.pruned as p
      left join lateral (
               select e.new_values #>> '{sealed,digest}' as announced, e.new_values ->> 'month' as month,
                      case when e.new_values ->> 'step' = 'archive' and e.new_values ->> 'month' ~ '^[0-9]{4}-[0-9]{2}$'
                                and not exists (
                                    select from auditctl.event as d
                                     where d.target = 'auditctl.archive' and d.target_id = e.new_values ->> 'month'
                                       and d.event_id > e.event_id and d.new_values ? 'deleted_manifest'
                                       and d.new_values -> 'location' = e.new_values -> 'location'
                                )
                           then e.new_values ->> 'location' end as location
                 from auditctl.event as e
                where e.event_id = p.announced_in and e.target = 'auditctl.partition' and e.action = 'EVENT'
                limit 1
           ) as s on true
     where p.block = any (%s)
     order by p.block, p.announced_in
"""

_DIGEST = """
    select p.block, p.leaves from auditctl.pruned as p where p.announced_in = %s order by p.block
"""


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure of values of one event, the newest of that event.

    Attributes:
        event_id: The event.
        erased_in: The event that announces it.
        units: The columns of the event that were changed.
        salts: The salts of the columns, 16 bytes each.
        commitments: The sealed commitment of each column of `units`.
        remaining: The commitment to what remains of each; zeros for null.
        is_announced: Whether an event says so, with its digest.
        sentence: Who erased what, and why.
    """

    event_id: int
    erased_in: int
    units: tuple[str, ...]
    salts: bytes
    commitments: bytes
    remaining: bytes
    is_announced: bool
    sentence: str

    def leaf(self, fields: Fields) -> bytes:
        """Return the leaf hash that the event had when it was sealed, from what remains and the commitments."""
        sealed = self.sealed()
        return leaf_from_commitments(
            fields, tuple(sealed[unit] if unit in sealed else self._current(fields, unit) for unit in UNITS)
        )

    def sealed(self) -> dict[str, bytes | None]:
        """Return the sealed commitment to each column that was changed; None where it was null."""
        zeros = bytes(32)
        found = {unit: self.commitments[32 * n : 32 * n + 32] for n, unit in enumerate(self.units)}
        return {unit: None if value == zeros else value for unit, value in found.items()}

    def _current(self, fields: Fields, unit: str) -> bytes | None:
        value, place = fields[COLUMNS.index(unit)], UNIT_SALT_BYTES * UNITS.index(unit)
        return None if value is None else commitment(self.salts[place : place + UNIT_SALT_BYTES], value)

    def altered(self, fields: Fields) -> tuple[str, ...]:
        """Return the columns whose remains were altered after the erasure."""
        found = []
        for number, unit in enumerate(self.units):
            current = self._current(fields, unit) or bytes(32)
            if self.remaining[32 * number : 32 * number + 32] != current:
                found.append(unit)
        return tuple(found)


def read_erasures(conn: Connection, blocks: Sequence[int]) -> dict[tuple[int, bytes], Erasure]:
    """Return the newest erasure of each event of blocks, by its number and the bytes of its time."""
    found: dict[tuple[int, bytes], Erasure] = {}
    for row in conn.execute(_ERASED, [list(blocks)]).fetchall():
        event_id, erased_in, places, reason, by, units, salts, sealed, remaining, has_event, digest, time = row
        known = tuple(unit for unit in units if unit in UNITS)
        text = (",".join(units) + "\n").encode() + (sealed or b"") + (remaining or b"")
        what = ", ".join(places)
        found[event_id, bytes(time)] = Erasure(
            event_id,
            erased_in,
            known,
            salts or b"",
            sealed or b"",
            remaining or b"",
            has_event and len(known) == len(units) and digest == sha256(text).hexdigest(),
            f"of event {event_id}, {what} was erased by {by} (event {erased_in}): {reason}",
        )
    return found


@dataclass(slots=True)
class Pruned:
    """What upkeep deleted of the sealed events, as they had expired or were archived.

    Attributes:
        gone: The places of deleted events, by block.
        expired: How many of them had expired.
        archived: How many are in an archive, by its location and month.
        unannounced: The blocks of which no event announces the deletion.
    """

    gone: dict[int, frozenset[int]] = field(default_factory=dict)
    unannounced: list[int] = field(default_factory=list)
    expired: int = 0
    archived: Counter[tuple[str, str]] = field(default_factory=Counter)


class PrunedReader:
    """Reads what upkeep deleted; checks each announcement once."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._sound: dict[int, bool] = {}

    def read(self, blocks: dict[int, int]) -> Pruned:
        """Return what was deleted of blocks, given as numbers with how many events each had."""
        result = Pruned()
        rows = self._conn.execute(_PRUNED, [list(blocks)]).fetchall()
        for number, announced_in, leaves, digest, is_restored, month, location in rows:
            if not self._is_sound(announced_in, digest):
                result.unannounced.append(number)
            if is_restored:
                continue
            events = min(blocks[number], _MAX_EVENTS)
            if leaves is None:
                places = frozenset(range(events))
            else:
                places = frozenset(n for n in range(min(events, 8 * len(leaves))) if leaves[n // 8] >> (n % 8) & 1)
            result.gone[number] = result.gone.get(number, frozenset()) | places
            if location is None:
                result.expired += len(places)
            else:
                result.archived[location, month] += len(places)
        return result

    def _is_sound(self, announced_in: int, digest: str | None) -> bool:
        if announced_in not in self._sound:
            total = sha256()
            for block, leaves in self._conn.execute(_DIGEST, [announced_in]).fetchall():
                length = -1 if leaves is None else len(leaves)
                total.update(block.to_bytes(8, "big") + length.to_bytes(4, "big", signed=True) + (leaves or b""))
            self._sound[announced_in] = digest == total.hexdigest()
        return self._sound[announced_in]
