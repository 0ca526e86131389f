"""Splits a plan into batches, each of which fits the server's lock table in one transaction. Pure, but for `room`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from auditctl import resources
from auditctl.capture.model import Audited
from auditctl.capture.plan import Change, Plan, Target
from auditctl.database import Connection

LOCKS_PER_CHANGE = 2
"""What a change of a trigger locks besides tables: its function, and the trigger if it is dropped."""

LOCKS_PER_RELATION = 2
"""What a relation takes at most: it is read, and locked once more if a trigger of it is dropped."""


SHORT = 100
"""The most tables in a batch where one is not enough: writers wait for a table until its batch is done."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction applies.

    Attributes:
        changes: The changes, in the order of the plan.
        targets: The audited tables to register.
        audited: The same tables with their members.
        is_first: Whether the rules are stored with it.
        is_last: Whether whatever is of no table is done with it.
    """

    changes: tuple[Change, ...]
    targets: tuple[Target, ...]
    audited: tuple[Audited, ...]
    is_first: bool = True
    is_last: bool = True

    @property
    def tables(self) -> int:
        """How many tables have changes in it."""
        return len({change.target for change in self.changes if change.relation_oid is not None})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an apply is.

    Attributes:
        done: How many tables are done.
        total: How many tables have to be changed.
        batches: In how many transactions that is done.
    """

    done: int
    total: int
    batches: int


Watch = Callable[[Progress], None]
"""Is shown how far an apply is."""


def room(conn: Connection) -> tuple[int, float]:
    """Return how many locks one transaction may take, and the lock_timeout in seconds (sql/queries/lock_room.sql)."""
    row = conn.execute(resources.sql_text("queries/lock_room.sql").encode()).fetchone()
    return (int(row[0]), float(row[1])) if row else (0, 0.0)


def split(
    plan: Plan,
    audited: tuple[Audited, ...],
    room: int,
    most: int | None = None,
    stale: frozenset[int] = frozenset(),
) -> tuple[Batch, ...]:
    """Split a plan: one batch if its locks fit, else several, each with whole tables.

    Args:
        plan: The plan.
        audited: The tables of its targets, with their members.
        room: How many locks a batch may take. A table that needs more is a batch of its own.
        most: The most tables in a batch; None for as many as fit, or `SHORT` if not all do.
        stale: The tables to register although nothing of them changes, by object id.
    """
    members = {relation.oid: one.root.oid for one in audited for relation in (one.root, *one.members)}
    roots = {one.target: one.root.oid for one in audited}
    groups: dict[int | str | None, list[Change]] = {}
    for change in plan.pending:
        groups.setdefault(_group(change, members, roots), []).append(change)
    rest = groups.pop(None, [])
    for one in audited:
        if one.root.oid in stale:
            groups.setdefault(one.root.oid, [])
    sizes: Counter[int | str | None] = Counter({one.root.oid: 1 + len(one.members) for one in audited})
    for key, group in groups.items():
        sizes[key] += len({change.relation_oid for change in group} - members.keys())
    parts = list(_parts(groups, sizes, room, most)) or [[]]
    batches: list[Batch] = []
    by_oid = {one.root.oid: one for one in audited}
    for keys in parts:
        changes = tuple(change for key in keys for change in groups[key])
        own = tuple(by_oid[key] for key in keys if isinstance(key, int) and key in by_oid)
        batches.append(Batch(changes, (), own, is_first=not batches, is_last=False))
    last = batches[-1]
    batches[-1] = replace(last, changes=(*last.changes, *rest), is_last=True)
    targets = {target.relation: target for target in plan.targets}
    return tuple(
        replace(batch, targets=tuple(targets[one.root.oid] for one in batch.audited if one.root.oid in targets))
        for batch in batches
    )


def _group(change: Change, members: Mapping[int, int], roots: Mapping[str, int]) -> int | str | None:
    """Return what must be in one batch with a change: the audited table, or a former one; None for the last batch.

    A former member may be one again by then: only with its table in the batch is that noticed.
    """
    if change.relation_oid is None:
        return None
    return members.get(change.relation_oid, roots.get(change.target, change.target))


def _parts(
    groups: Mapping[int | str | None, list[Change]], sizes: Mapping[int | str | None, int], room: int, most: int | None
) -> Iterator[list[int | str | None]]:
    # What it takes at most to change a table.
    needs = {key: LOCKS_PER_RELATION * sizes[key] + LOCKS_PER_CHANGE * len(changes) for key, changes in groups.items()}
    if most is None and sum(needs.values()) > room:
        most = SHORT
    part: list[int | str | None] = []
    used = 0
    for key, need in needs.items():
        if part and (used + need > room or len(part) == most):
            yield part
            part, used = [], 0
        part.append(key)
        used += need
    if part:
        yield part
