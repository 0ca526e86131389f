"""Compares the states of capture that blocks sealed: what changed without an announcement is a finding.

A change is announced if an event of auditctl names what changed, and belongs to it: auditctl.evidence.announcements.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from auditctl.database import Connection
from auditctl.evidence import announcements
from auditctl.evidence.announcements import Announcements, Changed, table_of
from auditctl.evidence.blocks import Block
from auditctl.evidence.capture_state import full_transaction
from auditctl.evidence.findings import Finding, Report
from auditctl.evidence.visibility import Seen

Item = dict[str, Any]
Items = dict[tuple[str, str], Item]

_NOTES = ("superuser", "member", "audited table", "schema")
"""The kinds of items whose changes are notes: what they mean for the log, people must judge."""

_MAX_NOTES = 30

_NOW = """
    select pg_current_snapshot()::text, current_setting('server_version'), d.oid::bigint, c.system_identifier
      from pg_database as d cross join pg_control_system() as c
     where d.datname = current_database()
"""

_PARTITIONS = "auditctl.event_"

_MIRROR = ("trigger", "event_mirrored on auditctl.event_default")
"""The trigger that upkeep has while it moves events out of the DEFAULT partition, and drops by itself."""

_RESTORED = ("event trigger", "function", "setting")
"""The kinds of items that a restore loses or an adoption makes anew, whatever they were."""


@dataclass(frozen=True, slots=True)
class _Move:
    """How the places of two states differ.

    Attributes:
        same_place: Whether both are of one database: a restore writes every row of the catalogs anew.
        same_version: Whether both are of one major version, which prints definitions alike.
    """

    same_place: bool
    same_version: bool


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
    _sealed: int = 0

    def add(self, block: Block) -> None:
        """Compare the state of a block with the one before, if it has another one."""
        if self._last is not None and self._last.incarnation != block.incarnation:
            adoption = block.facts.get("adoption_event_id")
            self.report.note(f"block {block.number} is the first after a restore: event {adoption} adopted the log")
        if block.state is not None:
            items = parse(block.state)
            if self._items is not None and self._last is not None:
                move = _Move(_place(self._last) == _place(block), _major(self._last) == _major(block))
                self._compare(items, self._last, block.snapshot, block, move)
            self._items = items
        self._last, self._sealed = block, max(self._sealed, block.last_event_id or 0)

    def partitions(self) -> list[str]:
        """Return the names of the tables of the last state that was sealed, partitions among them."""
        return [name for kind, name in self._items or {} if kind == "table"]

    def finish(self, current: str) -> None:
        """Compare the state of the catalogs now with the last one that was sealed."""
        if self._items is not None and self._last is not None:
            now, version, *place = self.conn.execute(_NOW).fetchone() or ("", "")
            move = _Move([*_place(self._last)[1:]] == place, _major(self._last) == version.partition(".")[0])
            self._compare(parse(current), self._last, now, None, move)

    def _compare(self, items: Items, last: Block, after: str, block: Block | None, move: _Move) -> None:
        old, same_place = self._items or {}, move.same_place
        changed = [
            key
            for key in sorted(old.keys() | items.keys())
            if _facts(old.get(key), same_place=same_place) != _facts(items.get(key), same_place=same_place)
        ]
        if not changed:
            return
        end = Seen.parse(after).xmax
        announced = self._announced(last, after, block, move, end)
        where = f"in block {block.number}" if block else "since the last block"
        notes: list[tuple[str, str, str]] = []
        for key in changed:
            before, now = old.get(key), items.get(key)
            change = f"{_change(before, now)} {where}"
            is_gone = now is None and ("table", table_of(*key)) in items
            changed_item = _changed(key, before, now, Seen.parse(last.snapshot), end if same_place else None)
            is_announced = announced.cover(changed_item, is_gone=is_gone and key != _MIRROR)
            is_announced = is_announced or _is_followed(key, announced, old, items)
            if is_announced or _is_of_restore(key, before, now, move):
                notes.append((*key, f"{change}, as the log says"))
            elif key[0] in _NOTES or _is_rewritten(key, old, items):
                notes.append((*key, change))
            else:
                number = block.number if block else None
                self.report.add(
                    Finding("capture", f"{key[0]} {key[1]}: {change}, and no event announces it", block=number)
                )
        self._add_notes(notes, where)

    def _announced(self, last: Block, after: str, block: Block | None, move: _Move, end: int) -> Announcements:
        if not self.has_events:
            return Announcements()
        if block.incarnation != last.incarnation if block else not move.same_place:
            return announcements.read_across(self.conn, last.snapshot, self._sealed, end)
        return announcements.read(self.conn, last.snapshot, after, str(Seen.parse(last.snapshot).xmin), end)

    def _add_notes(self, notes: list[tuple[str, str, str]], where: str) -> None:
        """Add a note of each kind of change, with what changed so: kind, name and change of each item."""
        if len(notes) > _MAX_NOTES:
            kinds = Counter(kind for kind, _, _ in notes)
            counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
            self.report.note(f"{len(notes)} items of capture changed {where}, as the log says: {counts}")
            return
        changed: dict[tuple[str, str], list[str]] = {}
        for kind, name, change in notes:
            changed.setdefault((kind, change), []).append(name)
        for (kind, change), names in changed.items():
            self.report.note(f"{kind} {', '.join(names)}: {change}")


def _changed(key: tuple[str, str], old: Item | None, new: Item | None, before: Seen, end: int | None) -> Changed:
    """Return what is compared with announcements.

    Args:
        key: Its kind and name.
        old: What it was; None if it appeared.
        new: What it is; None if it vanished.
        before: The earlier snapshot.
        end: The xmax of the later snapshot; None in another place.
    """
    calls = {str(item["calls"]) for item in (old, new) if item and "calls" in item}
    made = full_transaction(int(str(new["xmin"])), end) if new and "xmin" in new and end is not None else None
    if made is not None and before.sees(made):
        made = None  # what it refers to was renamed
    is_rewritten = old is not None and new is not None and old.get("digest") == new.get("digest")
    return Changed(*key, tuple(calls), made, is_rewritten)


def _is_of_restore(key: tuple[str, str], old: Item | None, new: Item | None, move: _Move) -> bool:
    """Whether a restore and the adoption after it change an item so: code, owners and privileges, event triggers."""
    if move.same_place or key[0] in _RESTORED:
        return not move.same_place
    same = ("digest", "enabled") if move.same_version else ("enabled",)
    return old is not None and new is not None and [old.get(name) for name in same] == [new.get(name) for name in same]


def _is_followed(key: tuple[str, str], announced: Announcements, old: Items, items: Items) -> bool:
    """Whether it is what upkeep does in subtransactions, whose numbers no event has.

    Upkeep makes partitions of the log, and replaces the DEFAULT partition.
    """
    kind, name = key
    table = table_of(kind, name)
    if not table.startswith(_PARTITIONS) or not announced.names_upkeep_of(table):
        return False
    if ("table", table) not in items or old.get(("table", table)) == items["table", table]:
        return False
    if key in old:
        return _facts(old[key], same_place=False) == _facts(items.get(key), same_place=False)
    enabled = items[key].get("enabled")
    subject = name.removesuffix(table)
    alike = (old.get((kind, f"{subject}{other}")) for what, other in old if what == "table")
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


def _major(block: Block) -> str:
    return str(block.facts.get("server_version")).partition(".")[0]


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
