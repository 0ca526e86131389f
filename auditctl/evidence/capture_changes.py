"""Compares the states of capture that blocks sealed: what changed without an announcement is a finding.

A change is announced if the transaction that made it also wrote an event of auditctl itself.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from auditctl.database import Connection
from auditctl.evidence.blocks import Block
from auditctl.evidence.capture_state import full_transaction
from auditctl.evidence.findings import Finding, Report
from auditctl.evidence.visibility import Seen

Item = dict[str, Any]
Items = dict[tuple[str, str], Item]

_NOTES = ("superuser", "member", "audited table", "schema")
"""The kinds of items whose changes are notes: what they mean for the log, people must judge."""

_MAX_NOTES = 30

_ANNOUNCED = """
    select e.xact_id::text, e.new_values ->> 'written_until', e.target
      from auditctl.event as e
     where e.action = 'EVENT' and e.target ^@ 'auditctl.' and e.xact_id::text::float8 >= %(start)s::text::float8
       and (
           e.xact_id = any (%(made)s::xid8[])
           or (e.target in ('auditctl.store', 'auditctl.partition') and e.new_values ? 'written_until'
               and not pg_visible_in_snapshot(e.xact_id, %(before)s::pg_snapshot)
               and pg_visible_in_snapshot(e.xact_id, %(after)s::pg_snapshot))
       )
"""

_BETWEEN = """
    select distinct e.target
      from auditctl.event as e
     where e.action = 'EVENT' and e.target ^@ 'auditctl.' and e.xact_id >= %s::xid8
       and not pg_visible_in_snapshot(e.xact_id, %s::pg_snapshot)
       and pg_visible_in_snapshot(e.xact_id, %s::pg_snapshot)
"""

_NOW = """
    select pg_current_snapshot()::text, d.oid::bigint, c.system_identifier
      from pg_database as d cross join pg_control_system() as c
     where d.datname = current_database()
"""

_PARTITIONS = "auditctl.event_"

_STORE = "auditctl.store"
_UPKEEP = "auditctl.partition"

_MIRROR = ("trigger", "event_mirrored on auditctl.event_default")
"""The trigger that upkeep has while it moves events out of the DEFAULT partition, and drops by itself."""

_UNRELATED = frozenset(
    f"auditctl.{name}" for name in ("baseline", "consumer", "erasure", "export", "hold", "import", "retention")
)
"""The targets of events that announce no change of capture."""

_OF_LOG = re.compile(r"(?:.* on )?auditctl\.event(?:_[0-9a-z_]+)?")
_OF_STORE = re.compile(r"(?:.* on )?auditctl(?:_internal|_guard)?\..*", re.DOTALL)


@dataclass(slots=True)
class States:
    """The states so far.

    Attributes:
        conn: The connection.
        report: What is found.
        has_events: Whether the events can be read that announce changes.
    """

    conn: Connection
    report: Report
    has_events: bool = True
    _items: Items | None = None
    _block: Block | None = None
    _last: Block | None = None

    def add(self, block: Block) -> None:
        """Compare the state of a block with the one before, if it has another one."""
        if self._last is not None and self._last.incarnation != block.incarnation:
            adoption = block.facts.get("adoption_event_id")
            self.report.note(f"block {block.number} is the first after a restore: event {adoption} adopted the log")
        if block.state is not None:
            items = parse(block.state)
            if self._items is not None and self._last is not None:
                same_place = _place(self._last) == _place(block)
                self._compare(items, self._last.snapshot, block.snapshot, block, same_place=same_place)
            self._items = items
        self._last = block

    def partitions(self) -> list[str]:
        """Return the names of the tables of the last state that was sealed, partitions among them."""
        return [name for kind, name in self._items or {} if kind == "table"]

    def finish(self, current: str) -> None:
        """Compare the state of the catalogs now with the last one that was sealed."""
        if self._items is not None and self._last is not None:
            now, *place = self.conn.execute(_NOW).fetchone() or ("",)
            same_place = [*_place(self._last)[1:]] == place
            self._compare(parse(current), self._last.snapshot, now, None, same_place=same_place)

    def _compare(self, items: Items, before: str, after: str, block: Block | None, *, same_place: bool) -> None:
        old = self._items or {}
        changed = [
            key
            for key in sorted(old.keys() | items.keys())
            if _facts(old.get(key), same_place=same_place) != _facts(items.get(key), same_place=same_place)
        ]
        if not changed:
            return
        end = Seen.parse(after).xmax
        made = {
            key: full_transaction(int(str(items[key]["xmin"])), end) for key in changed if "xmin" in items.get(key, {})
        }
        start = str(Seen.parse(before).xmin)
        announced = self._announced(set(made.values()), start, before, after, end) if self.has_events else {}
        rows = self.conn.execute(_BETWEEN, [start, before, after]).fetchall() if self.has_events else []
        between = {target for (target,) in rows}
        where = f"in block {block.number}" if block else "since the last block"
        notes: list[tuple[str, str]] = []
        for key in changed:
            targets = announced.get(made[key], set()) if key in made else between
            if key != _MIRROR and key not in items and ("table", key[1].rpartition(" on ")[2]) in items:
                targets = targets - {_UPKEEP}  # it drops whole partitions alone
            is_announced = any(_may_announce(target, *key) for target in targets)
            is_announced = is_announced or _is_followed(key, between, old, items)
            sentence = f"{key[0]} {key[1]}: {_change(old.get(key), items.get(key))} {where}"
            if is_announced or not same_place:
                notes.append((key[0], f"{sentence}, as the log says"))
            elif key[0] in _NOTES or _is_rewritten(key, old, items):
                notes.append((key[0], sentence))
            else:
                number = block.number if block else None
                self.report.add(Finding("capture", f"{sentence}, and no event announces it", block=number))
        self._add_notes(notes, where)

    def _add_notes(self, notes: list[tuple[str, str]], where: str) -> None:
        if len(notes) > _MAX_NOTES:
            counts = ", ".join(f"{kind} {count}" for kind, count in sorted(Counter(kind for kind, _ in notes).items()))
            self.report.note(f"{len(notes)} items of capture changed {where}, as the log says: {counts}")
            return
        for _, sentence in notes:
            self.report.note(sentence)

    def _announced(self, made: set[int], start: str, before: str, after: str, end: int) -> dict[int, set[str]]:
        """Which events of auditctl announce transactions: their own, or those of what they are part of, by target."""
        parameters = {"made": [str(number) for number in made], "start": start, "before": before, "after": after}
        announced: dict[int, set[str]] = {}
        for number, until, target in self.conn.execute(_ANNOUNCED, parameters).fetchall():
            first = int(number)
            last = full_transaction(int(until), end) if until is not None and until.isdigit() else first
            for one in made:
                if first <= one <= last:
                    announced.setdefault(one, set()).add(target)
        return announced


def _may_announce(target: str, kind: str, name: str) -> bool:
    """Whether events of a target announce changes of such an item: only an installation those of the store's code."""
    if target == _UPKEEP:
        return kind in ("table", "trigger", "policy") and _OF_LOG.fullmatch(name) is not None
    if target == _STORE or target in _UNRELATED:
        return target == _STORE
    return not (kind == "event trigger" or (kind in ("trigger", "function", "rule") and _OF_STORE.fullmatch(name)))


def _is_followed(key: tuple[str, str], between: set[str], old: Items, items: Items) -> bool:
    """Whether it is what upkeep or the guard does in subtransactions, whose numbers no event has.

    Upkeep makes partitions of the log, and replaces the DEFAULT partition; the guard makes triggers on new members.
    """
    kind, name = key
    subject, _, table = name.rpartition(" on ")
    if _PARTITIONS not in table:
        is_new = key not in old and kind == "trigger" and name.startswith("auditctl_")
        return is_new and "auditctl.ddl" in between and not table.startswith("auditctl.")
    if _UPKEEP not in between or ("table", table) not in items or old.get(("table", table)) == items["table", table]:
        return False
    if key in old:
        return _facts(old[key], same_place=False) == _facts(items.get(key), same_place=False)
    enabled = items[key].get("enabled")
    alike = (old.get((kind, f"{subject} on {other}")) for what, other in old if what == "table")
    return kind == "table" or any(one is not None and one.get("enabled") == enabled for one in alike)


def _is_rewritten(key: tuple[str, str], old: Items, items: Items) -> bool:
    """Whether it is a table of which nothing but its row in the catalog was written: by VACUUM FULL, for example."""
    before, after = (_facts(some.get(key), same_place=False) for some in (old, items))
    return key[0] == "table" and before is not None and before == after


def parse(state: str) -> Items:
    """Return the items of a state by kind and name; lines that are not JSON are left out."""
    found: Items = {}
    for line in state.splitlines():
        try:
            item = json.loads(line)
            int(str(item.get("xmin", 0)))
            found[str(item["kind"]), str(item["name"])] = item
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            found["line", line[:100]] = {}
    return found


def _place(block: Block) -> tuple[object, ...]:
    """Return where a block was sealed: a restore writes every row of the catalogs anew."""
    return block.incarnation, block.facts.get("database_oid"), block.facts.get("system_identifier")


def _facts(item: Item | None, *, same_place: bool) -> Item | None:
    if item is None or same_place:
        return item
    return {name: value for name, value in item.items() if name != "xmin"}


def _change(old: Item | None, new: Item | None) -> str:
    if old is None:
        return "appeared"
    if new is None:
        return "vanished"
    names = [name for name in ("digest", "enabled", "owner", "acl") if old.get(name) != new.get(name)]
    words = {
        "digest": "its definition",
        "enabled": "whether it is enabled",
        "owner": "its owner",
        "acl": "its privileges",
    }
    return (
        f"{', '.join(words[name] for name in names)} changed"
        if names
        else "was rewritten, such as by VACUUM FULL or switched off and on,"
    )
