"""Verifies the log against its evidence: in one snapshot of the database, and in constant memory.

Trusts nothing but PostgreSQL itself: reads the store's tables and the catalogs, and calls no function of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from auditctl.database import Connection, read_transaction
from auditctl.errors import StoreError, UsageError
from auditctl.evidence import blocks, capture_changes, capture_state
from auditctl.evidence.blocks import Block
from auditctl.evidence.chain import Anchor, Chain
from auditctl.evidence.event_check import EventCheck, read_contents
from auditctl.evidence.findings import Finding, Report
from auditctl.evidence.policy import Policy
from auditctl.evidence.sealed_events import Attribution, read_places
from auditctl.evidence.strays import report_strays
from auditctl.evidence.trusted_keys import TrustedKeys

_TAIL = """
    select count(*), array_agg(t.event_id) filter (where t.is_future)
      from (select e.event_id, e.xact_id >= pg_snapshot_xmax(pg_current_snapshot()) as is_future
              from auditctl.event as e where {}) as t
"""


class NotSealed(StoreError):
    """The log is not sealed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is verified.

    Attributes:
        policy: The keys that count; None without a key.
        anchors: Checkpoints that are kept elsewhere.
        since: Only events of blocks that were sealed since; None for all. The tree is always checked wholly.
        block: Only the events of one block; None for all.
    """

    policy: Policy | None = None
    anchors: tuple[Anchor, ...] = ()
    since: datetime | None = None
    block: int | None = None

    def has(self, block: Block) -> bool:
        """Whether the events of a block are compared."""
        is_new = self.since is None or datetime.fromisoformat(block.sealed_at) >= self.since
        return is_new and self.block in (None, block.number)


def verify(conn: Connection, choice: Choice, progress: Callable[[int, str], None]) -> Report:
    """Return what differs between the log and its evidence.

    Args:
        conn: The connection of a login that may read the log.
        choice: What is verified.
        progress: Is called with the number of events so far, and where it is.

    Raises:
        NotSealed: There is no evidence, and no checkpoint that says there was.
        UsageError: The log has no such block.
        DatabaseError: A statement failed, or the login may not read the log.
    """
    report = Report()
    with read_transaction(conn):
        stored = conn.execute(
            "select c.tree_size, c.note from auditctl.checkpoint as c order by c.tree_size"
        ).fetchall()
        first = next(blocks.read(conn), None)
        if first is None and not stored and not choice.anchors:
            hint = "Make a key and seal the log: auditctl keygen --output FILE; auditctl seal --key FILE"
            raise NotSealed("the log is not sealed", hint=hint)
        trusted = TrustedKeys(choice.policy, report)
        chain = Chain(conn, report, trusted, list(choice.anchors), dict(stored))
        if first is not None:
            _check_blocks(conn, choice, chain, progress, first)
        chain.finish()
    if choice.block is not None and choice.block > chain.number and not report.findings:
        raise UsageError(f"the log has no block {choice.block}", hint=f"Its last block is {chain.number}.")
    return report


def _check_blocks(
    conn: Connection, choice: Choice, chain: Chain, progress: Callable[[int, str], None], first: Block
) -> None:
    report = chain.report
    attribution = Attribution(read_places(conn, [first]))
    events = EventCheck(conn, attribution, report, progress)
    states = capture_changes.States(conn, report)
    for group in blocks.groups(blocks.read(conn)):
        contents = read_contents(conn, group)
        for block, content in zip(group, contents, strict=True):
            chain.add(block, content)
            states.add(block)
        chain.flush()
        chosen = [place for place, block in enumerate(group) if choice.has(block)]
        for part in _runs(chosen):
            events.check([group[n] for n in part], [contents[n] for n in part])
    states.finish(capture_state.read(conn))
    _check_tail(conn, attribution, report)
    report_strays(events, states.partitions())


def _runs(places: Sequence[int]) -> list[list[int]]:
    """Divide numbers in their order into runs of consecutive ones."""
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] + 1 == place:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def _check_tail(conn: Connection, attribution: Attribution, report: Report) -> None:
    query = _TAIL.format(attribution.tail().as_string(conn))
    count, future = conn.execute(query.encode()).fetchone() or (0, None)
    report.unsealed = count - len(future or ())
    for event_id in future or ():
        sentence = f"event {event_id} names a transaction that has not begun"
        report.add(Finding("added", sentence, event_id, "xact_id"))
