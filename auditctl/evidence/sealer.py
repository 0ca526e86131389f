"""Seals what was committed since the last block: streams the events, hashes them, and appends blocks.

Reads in one REPEATABLE READ transaction for each interval, whose snapshot is the interval's; writes through another
connection, one transaction a block. Blocks no writer, and waits for no transaction: what has not committed yet is in a
later block. Stopped anywhere, the next run goes on after the last block that was committed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from psycopg.sql import SQL, Composed, Literal
from psycopg.types.json import Jsonb

from auditctl import database
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.evidence import canonical, note, record, stored_tree
from auditctl.evidence.block_events import BlockEvents, signed
from auditctl.evidence.capture_state import CaptureState
from auditctl.evidence.checkpoint import Checkpoint
from auditctl.evidence.leaf import record_leaf
from auditctl.evidence.merkle import Frontier
from auditctl.evidence.sealing_keys import Continuation, SealingKeys, continue_log, write_checkpoint
from auditctl.evidence.unsealed import Interval, Position, next_interval, read_position
from auditctl.evidence.visibility import NOTHING

MAX_EVENTS = 65536
"""How many events a block has at most, unless more were captured in the same microsecond."""

SUMMARIZED = 2000
"""After how many events a run has full blocks summarized; 128 blocks have a few thousand events."""

_APPEND = """
    select auditctl.append_block(
        %(record)s, %(state)s, %(secret)s, %(hashes)s, %(checks)s, %(nodes)s, %(note)s, %(is_kept)s
    )
"""


_REMOVED = """
    select (select count(*) from auditctl.erasure), (select max(erased_in) from auditctl.erasure),
           (select count(*) from auditctl.pruned)
"""


class SealingBusy(DatabaseError):
    """Another process is sealing this log."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A block that was committed.

    Attributes:
        number: Its number.
        events: How many events it has.
        first_event_id: The smallest event_id; None without events.
        last_event_id: The largest event_id; None without events.
        tree_size: How many leaves the tree has now.
        root: The root hash of the tree now, in hex.
    """

    number: int
    events: int
    first_event_id: int | None
    last_event_id: int | None
    tree_size: int
    root: str


@dataclass(slots=True)
class Sealer:
    """Seals a log through two connections of an administrator, which it keeps between runs.

    Attributes:
        reader: Reads the log; in autocommit.
        writer: Appends blocks; in autocommit.
        keys: The keys, and what is accepted.
    """

    reader: Connection
    writer: Connection
    keys: SealingKeys
    _capture: CaptureState = field(default_factory=CaptureState, init=False)
    _tree: Frontier | None = field(default=None, init=False)
    _not_summarized: int = field(default=0, init=False)
    _summarized: str | None = field(default=None, init=False)

    def run(self) -> Iterator[Sealed]:
        """Seal all that is committed now; yield each block when it is committed.

        Raises:
            SealingBusy: Another process is sealing.
            UsageError: The keys do not fit the log.
            EvidenceError: The log forked.
            DatabaseError: A statement failed, or the login may not.
            OutputError: The checkpoint beside the key cannot be written.
        """
        is_done = False
        while not is_done:
            with self._transaction():
                position = read_position(self.reader)
                continuation = continue_log(self.reader, position, self.keys)
                begun = _Begun(position, continuation, next_interval(self.reader, position))
                is_done = begun.interval.snapshot == position.current_snapshot
                if begun.is_due:
                    yield from self._seal(begun)
        self._summarize()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with database.errors_translated(), self.reader.transaction():
            self.reader.execute("set transaction isolation level repeatable read")
            (by,) = self.reader.execute("select auditctl.begin_sealing()").fetchone() or (None,)
            if by is not None:
                raise SealingBusy(f"another seal is running: {by}", hint="One process seals a log at a time.")
            # The snapshot is older than the lock: it may still have what an erasure or upkeep removed before that.
            if self.reader.execute(_REMOVED).fetchone() != self.writer.execute(_REMOVED).fetchone():
                raise SealingBusy("values were erased, or events deleted, as sealing began", hint="Run it again.")
            try:
                yield
            except BaseException:
                self._tree = None
                raise

    def _seal(self, begun: _Begun) -> Iterator[Sealed]:
        if self._tree is None or self._tree.size != begun.position.tree_size:
            self._tree = stored_tree.frontier(self.reader, begun.position.tree_size)
        blocks = _Blocks(self, self._tree, self._capture.read(self.reader), begun)
        for part, until in self._parts(begun.interval):
            is_needed = part.events or until or blocks.from_time or begun.continuation.facts or begun.interval.begins
            if is_needed or blocks.is_state_new:
                self._not_summarized += len(part.events)
                yield blocks.append(part, until)

    def _summarize(self) -> None:
        """Have new events summarized, which VACUUM does later: each run would read all that are not."""
        if self._not_summarized >= SUMMARIZED:
            self._not_summarized = 0
            with database.errors_translated():
                query = "select auditctl.summarize_month(%s)"
                (self._summarized,) = self.writer.execute(query, [self._summarized]).fetchone() or (None,)

    def _parts(self, interval: Interval) -> Iterator[tuple[BlockEvents, str | None]]:
        """Divide the events of an interval by time; with each part comes where the next begins, None for the last."""
        part, last = BlockEvents(), None
        if interval.previous_snapshot != NOTHING:
            # The summary index finds the newest events, whether or not the table was ever analyzed.
            self.reader.execute("set local enable_seqscan = off")
        with self.reader.cursor() as cursor, cursor.copy(_copy(interval)) as copy:
            for fields in canonical.rows(copy):
                if len(part.events) >= MAX_EVENTS and fields[1] != last:
                    until = record.iso_time(signed(fields[1] or b""))
                    if until is not None:
                        yield part, until
                        part = BlockEvents()
                part.add(fields)
                last = fields[1]
        yield part, None


def _copy(interval: Interval) -> Composed:
    condition = interval.condition
    if interval.from_time is not None:
        time = Literal(interval.from_time)
        condition = SQL("({}) and occurred_at >= {}::timestamptz").format(condition, time)
    return SQL(
        "copy (select {} from auditctl.event where {} order by occurred_at, event_id) to stdout (format binary)"
    ).format(canonical.projection(), condition)


@dataclass(frozen=True, slots=True)
class _Begun:
    """What one interval is sealed by."""

    position: Position
    continuation: Continuation
    interval: Interval

    @property
    def is_due(self) -> bool:
        """Whether a block is due, or a transaction has ended since the last one."""
        block = self.position.block
        is_same = block is not None and block.is_last_part and block.snapshot == self.position.current_snapshot
        return bool(self.continuation.facts) or not is_same


class _Blocks:
    """The blocks of one interval, appended one after the other."""

    def __init__(self, sealer: Sealer, tree: Frontier, state: str, begun: _Begun) -> None:
        self._writer, self._keys = sealer.writer, sealer.keys.keys
        self._tree, self._state, self._capture = tree, state, record.digest(state.encode())
        self._place, self._continuation, self._interval = begun.position.place, begun.continuation, begun.interval
        last = begun.position.block
        self._number = last.number if last else 0
        self._record = last.record if last else None
        self._last_capture = json.loads(last.record).get("capture") if last else None
        self._extra = {**(begun.interval.begins or {}), **begun.continuation.facts}
        self.from_time = begun.interval.from_time

    @property
    def is_state_new(self) -> bool:
        """Whether the state of capture is not that of the last block."""
        return self._capture != self._last_capture

    def append(self, part: BlockEvents, until: str | None) -> Sealed:
        """Append a block with these events, sign its checkpoint, and write it beside the key."""
        part.sort()
        first_leaf = self._tree.size
        text = record.write(self._facts(part, until, first_leaf))
        leaves = [*part.leaves, record_leaf(text)]
        nodes = self._tree.extend(leaves)
        root = self._tree.root()
        signed = note.sign(str(Checkpoint(self._keys.origin, self._tree.size, root)), self._continuation.signers)
        with database.errors_translated():
            self._writer.execute(
                _APPEND,
                {
                    "record": text,
                    "state": self._state if self.is_state_new else None,
                    "secret": part.secret,
                    "hashes": b"".join(leaves),
                    "checks": part.checks,
                    "nodes": Jsonb([{"level": one.level, "index": one.place, "hash": one.hash.hex()} for one in nodes]),
                    "note": signed,
                    "is_kept": bool(self._continuation.facts),
                },
            )
        write_checkpoint(self._keys, signed)
        self._number += 1
        self._record, self._last_capture, self.from_time, self._extra = text, self._capture, until, {}
        self._continuation = Continuation({}, self._keys.signers)
        return Sealed(
            self._number, len(part.events), part.first_event_id, part.last_event_id, self._tree.size, root.hex()
        )

    def _facts(self, part: BlockEvents, until: str | None, first_leaf: int) -> dict[str, Any]:
        ((now,),) = self._writer.execute("select clock_timestamp()").fetchall()
        interval = self._interval
        return {
            "number": self._number + 1,
            "incarnation": interval.incarnation,
            **self._place,
            "first_leaf": first_leaf,
            "events": len(part.events),
            "previous_snapshot": interval.previous_snapshot,
            "snapshot": interval.snapshot,
            "from_time": self.from_time,
            "until_time": until,
            "is_last_part": until is None,
            "first_event_id": part.first_event_id,
            "last_event_id": part.last_event_id,
            "sealed_at": record.iso(now),
            "secret_sha256": sha256(part.secret).hexdigest(),
            "capture": self._capture,
            "previous": record_leaf(self._record).hex() if self._record is not None else None,
            **self._extra,
        }
