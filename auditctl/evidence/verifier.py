"""Verifies the log against its evidence: in one snapshot of the database, and in constant memory.

Trusts nothing but PostgreSQL itself: reads the store's tables and the catalogs, and calls no function of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from auditctl.database import DENIED, Connection, read_transaction
from auditctl.errors import DatabaseError, StoreError, UsageError
from auditctl.evidence import blocks, capture_changes, capture_state, store_revision, stored_tables
from auditctl.evidence.blocks import Block
from auditctl.evidence.chain import Anchor, Chain
from auditctl.evidence.event_check import EventCheck, read_contents
from auditctl.evidence.findings import Finding, Report
from auditctl.evidence.policy import Policy
from auditctl.evidence.sealed_events import Attribution, read_places
from auditctl.evidence.strays import report_strays
from auditctl.evidence.trusted_keys import TrustedKeys
from auditctl.text import plural

_TAIL = """
    select count(*), array_agg(t.event_id) filter (where t.is_future)
      from (select e.event_id, e.xact_id >= pg_snapshot_xmax(pg_current_snapshot()) as is_future
              from auditctl.event as e where {}) as t
"""

_NOTES = "select coalesce(c.tree_size, 0), coalesce(c.note, '') from auditctl.checkpoint as c order by c.tree_size"

_PASSING = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57"})
"""The classes of SQLSTATEs that say nothing about what is stored: connections, locks, load, cancellation."""

_PLANS = ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan")

_HIDING = frozenset({"block_missing", "block_altered"})
"""The kinds of findings because of which events are not compared."""


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
        sealed_at = blocks.moment(block.sealed_at)
        is_new = self.since is None or sealed_at is None or sealed_at >= self.since
        return is_new and self.block in (None, block.number)


def verify(conn: Connection, choice: Choice, progress: Callable[[int, str], None]) -> Report:
    """Return what differs between the log and its evidence.

    Args:
        conn: The connection of a login that may read the log.
        choice: What is verified.
        progress: Is called with the number of events so far, and where it is.

    Raises:
        NotSealed: The log was never sealed, as far as its evidence and the checkpoints given show.
        StoreError: The store is one of another version of this tool, or was restored without its rows.
        UsageError: The log has no such block.
        DatabaseError: A statement failed, or the login may not read the log.
    """
    report = Report()
    try:
        with read_transaction(conn):
            last = _verify(conn, choice, report, progress)
    except DatabaseError as error:
        if not _is_of_stored(conn, error):
            raise
        report.add(Finding("unreadable", f"the log or its evidence cannot be read: {error}"))
        return report
    if choice.block is not None and choice.block > last and not report.findings:
        raise UsageError(f"the log has no block {choice.block}", hint=f"Its last block is {last}.")
    return report


def verify_nothing(choice: Choice, problem: str) -> Report:
    """Return what checkpoints that are kept elsewhere show of a database that has no log; `problem` says why."""
    report = Report()
    report.add(Finding("table", problem))
    for anchor in choice.anchors:
        report.add(
            Finding("rolled_back", f"{anchor.name} has {anchor.checkpoint.size} leaves, and nothing is left of them")
        )
    return report


def _verify(conn: Connection, choice: Choice, report: Report, progress: Callable[[int, str], None]) -> int:
    """Compare in the caller's transaction, and return the number of the last block."""
    readable = stored_tables.report_differences(conn, report)
    store_revision.report_difference(conn, report, readable)
    stored = conn.execute(_NOTES).fetchall() if "checkpoint" in readable else []
    first = next(blocks.read(conn), None) if "block" in readable else None
    if first is None and not stored:
        _require_sealed(conn, choice, report, readable)
    trusted = TrustedKeys(choice.policy, report)
    chain = Chain(conn, report, trusted, list(choice.anchors), dict(stored), has_nodes="node" in readable)
    if first is not None:
        places = read_places(conn if "incarnation" in readable else None, [first])
        attribution = Attribution(places)
        _check_blocks(conn, choice, chain, EventCheck(conn, attribution, report, progress, readable))
    chain.finish()
    return chain.number


def _require_sealed(conn: Connection, choice: Choice, report: Report, readable: frozenset[str]) -> None:
    """Report a log that was sealed, and of which no block and no checkpoint is left; raise if nothing shows that."""
    if traces := stored_tables.find_traces(conn, readable):
        sentence = f"the log was sealed, and all of its blocks and checkpoints are missing: {traces}"
        report.add(Finding("block_missing", sentence))
    elif not choice.anchors and not report.findings:
        hint = "Make a key and seal the log: auditctl keygen --output FILE; auditctl seal --key FILE"
        raise NotSealed("the log is not sealed", hint=hint)


def _is_of_stored(conn: Connection, error: DatabaseError) -> bool:
    """Whether an error comes from what is stored, and not from the server's load, a lock or a missing privilege."""
    if error.sqlstate is None or error.sqlstate[:2] in _PASSING:
        return False
    if error.sqlstate != DENIED:
        return True
    query = "select pg_has_role(r.oid, 'usage') from pg_roles as r where r.rolname = 'auditctl_reader'"
    return conn.execute(query).fetchone() == (True,)


def _check_blocks(conn: Connection, choice: Choice, chain: Chain, events: EventCheck) -> None:
    report = chain.report
    can_compare = "event" in events.readable
    states = capture_changes.States(conn, report, has_events=can_compare)
    for group in blocks.groups(blocks.read(conn)):
        contents = read_contents(conn, group)
        for block, content in zip(group, contents, strict=True):
            chain.add(block, content)
            states.add(block)
        chain.flush()
        chosen = [place for place, block in enumerate(group) if can_compare and choice.has(block)]
        for part in _runs(chosen):
            events.check([group[n] for n in part], [contents[n] for n in part])
    states.finish(capture_state.read(conn))
    if can_compare:
        is_whole = choice.block is None and choice.since is None
        _check_tail(conn, events.attribution, report, is_whole=is_whole)
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


def _check_tail(conn: Connection, attribution: Attribution, report: Report, *, is_whole: bool) -> None:
    query = _TAIL.format(attribution.tail().as_string(conn))
    count, future = conn.execute(query.encode()).fetchone() or (0, None)
    report.unsealed = count - len(future or ())
    for event_id in future or ():
        sentence = f"event {event_id} names a transaction that has not begun"
        report.add(Finding("added", sentence, event_id, "xact_id"))
    if is_whole and not any(finding.kind in _HIDING for finding in report.findings):
        hidden = _count(conn) - report.events - count
        if hidden:
            what = (
                f"{plural(hidden, 'event')} of the log {'is' if hidden == 1 else 'are'} in no block and not in its end"
            )
            if hidden < 0:
                what = f"{plural(-hidden, 'event')} of the log {'was' if hidden == -1 else 'were'} read twice"
            sentence = f"{what}: an index, a cast or auditctl.incarnation is not what it was"
            report.add(Finding("added", sentence))


def _count(conn: Connection) -> int:
    """Count all events without indexes, operators or casts, which a superuser can make so that they hide events."""
    for name in _PLANS:
        conn.execute("select set_config(%s, 'off', true)", [name])
    (count,) = conn.execute("select count(*) from auditctl.event").fetchone() or (0,)
    for name in _PLANS:
        conn.execute("select set_config(%s, s.reset_val, true) from pg_settings as s where s.name = %s", [name, name])
    return int(count)
