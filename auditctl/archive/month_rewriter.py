"""Writes the files of a month anew in which values were erased: parts with such events, and the evidence; no others.

The old files stay until the log has recorded the new manifest (`MonthFiles.settle`). Killed before that, the next run
removes the new files; killed after it, the next run removes the old ones. Everything is read back before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from auditctl.archive import events, evidence_file, file_check, layout, parts
from auditctl.archive.archived_events import FoundMonth
from auditctl.archive.events import EventRow
from auditctl.archive.hashed_output import HashedOutput
from auditctl.archive.manifest import Manifest, Part
from auditctl.archive.month_files import MonthFiles
from auditctl.archive.packed import ContentDigest
from auditctl.archive.tree_nodes import SealedEvent, TreeNode
from auditctl.evidence import canonical
from auditctl.evidence.block_events import signed
from auditctl.evidence.leaf import Salter

_EVERY = 10_000


@dataclass(frozen=True, slots=True)
class ErasedEvent:
    """An event as an erasure leaves it.

    Attributes:
        row: Its columns.
        salts: The salts of its columns, 112 bytes; empty if it was not sealed.
        documents: Its erasures, as JSON.
    """

    row: EventRow
    salts: bytes
    documents: str


@dataclass(frozen=True, slots=True)
class MonthRewriter:
    """Writes one month anew.

    Attributes:
        month: The month as it is.
        folder: Its files, whose owner was checked.
        erased: What becomes of its events, by number.
        report: What takes how many events were read.
    """

    month: FoundMonth
    folder: MonthFiles
    erased: Mapping[int, ErasedEvent]
    report: Callable[[int], None] = lambda _done: None

    def write(self) -> Manifest:
        """Write the new files beside the old ones, and then the manifest that will replace the old one; return it.

        Raises:
            ArchiveError: A file is not what its manifest says, or what was written is not what should be.
            OutputError: A file cannot be read or written.
        """
        files, key, old = self.month.files, self.month.record.key, self.month.manifest
        self.folder.mark()
        touched = {self.month.parts[number] for number in self.erased}
        number = layout.next_part(files.names(key.folder))
        written: list[Part] = []
        for part in old.parts:
            if part.name in touched:
                file_check.check_bytes(files, key.path(part.name), part.bytes, part.sha256)
                written.append(self._write_part(part, layout.part(number)))
                number += 1
            else:
                written.append(part)
        manifest = replace(old, parts=tuple(written), evidence=self._write_evidence(number - 1))
        manifest = replace(manifest, content=self._compare(manifest))
        with files.write(key.path(layout.NEXT)) as file:
            file.write(manifest.to_bytes())
        return manifest

    def _write_part(self, part: Part, name: str) -> Part:
        files, key = self.month.files, self.month.record.key
        with parts.opened(files, key.path(part.name)) as source, files.write(key.path(name)) as file:
            output = HashedOutput(file)
            tables = (self._replaced(source.reader.read_row_group(group)) for group in range(source.count))
            first = next(tables)
            values = {column: pc.count_distinct(first[column]).as_py() for column in _FILTERED}
            with parts.parquet_writer(output, values) as writer:
                writer.write_table(first)
                for table in tables:
                    writer.write_table(table)
        return replace(part, name=name, bytes=output.size, sha256=output.hash.hexdigest())

    def _replaced(self, table: pa.Table) -> pa.Table:
        for number, event in self.erased.items():
            place = pc.index(table["event_id"], number).as_py()
            if place >= 0:
                own = pa.Table.from_batches([events.to_batch([event.row])])
                table = pa.concat_tables([table.slice(0, place), own, table.slice(place + 1)])
        return table.combine_chunks()

    def _write_evidence(self, number: int) -> Mapping[str, Any] | None:
        old = self.month.manifest
        if old.evidence is None:
            return None
        name = layout.evidence(number)
        with evidence_file.opened(self.month.files, old.evidence_path) as source:
            blocks = {node.event.block for node in source.all() if node.event and node.event.event_id in self.erased}
            nodes = (self._punctured(node, blocks) for node in source.all())
            written = evidence_file.write(self.month.files, self.month.record.key.path(name), nodes)
        return {**old.evidence, "file": name, "bytes": written.bytes, "sha256": written.sha256}

    def _punctured(self, node: TreeNode, blocks: set[int]) -> TreeNode:
        """Return a node without the salts of what was erased, and so without the secret of its block."""
        event = node.event
        if event is None or event.block not in blocks:
            return node
        if (erased := self.erased.get(event.event_id)) is not None:
            return replace(node, event=replace(event, secret=None, salts=erased.salts, erasure=erased.documents))
        return replace(node, event=replace(event, secret=None, salts=own_salt(event)))

    def _compare(self, manifest: Manifest) -> str:
        """Read old and new parts, which differ in what was erased alone; return the digest of the new events."""
        old, files = self.month.manifest, self.month.files
        former, content = ContentDigest(), ContentDigest()
        for before, after in zip(old.parts, manifest.parts, strict=True):
            for part in dict.fromkeys((before, after)):
                file_check.check_bytes(files, old.key.path(part.name), part.bytes, part.sha256)
            for fields, found in self._pairs(before, after):
                former.add(fields)
                content.add(found)
                erased = self.erased.get(signed(fields[0] or b""))
                if found != (fields if erased is None else events.fields_of(erased.row)):
                    raise file_check.differs(files, old.key.path(after.name))
                if content.events % _EVERY == 0:
                    self.report(content.events)
        if (former.events, former.hexdigest()) != (old.rows, old.content) or content.events != old.rows:
            raise file_check.differs(files, old.key.folder)
        return content.hexdigest()

    def _pairs(self, before: Part, after: Part) -> Iterator[tuple[canonical.Fields, canonical.Fields]]:
        files, key = self.month.files, self.month.record.key
        if before == after:
            yield from ((fields, fields) for fields in parts.read(files, key.path(before.name)))
            return
        old, new = (parts.read(files, key.path(part.name)) for part in (before, after))
        yield from zip(old, new, strict=False)


_FILTERED = [name for name in canonical.COLUMNS if name in parts.FILTERED]


def own_salt(event: SealedEvent) -> bytes:
    """Return the salt of a sealed event, 32 bytes; of one with erased values the salts of its columns, 112 bytes."""
    if event.secret is None:
        return event.salts or b""
    number, time = (value.to_bytes(8, "big", signed=True) for value in (event.event_id, event.occurred_at))
    return Salter(event.secret).salt(number, time)
