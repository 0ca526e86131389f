"""Proves the rows of an exported file: reads it again, finds each row's leaf, and writes the file FILE.proofs.

In constant memory, apart from five numbers for each block. What is proven is what a check will recompute.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from auditctl.database import Connection
from auditctl.evidence import exported_event, merkle
from auditctl.evidence.canonical import COLUMNS, Fields
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.note import signatures
from auditctl.evidence.row_proofs import DIFFERENT, UNSEALED, Counts, Head, RowProof, label_line
from auditctl.evidence.sealed_event import Leaf, LeafFinder
from auditctl.evidence.tree_reader import TreeReader
from auditctl.evidence.visibility import Seen
from auditctl.log import snapshot
from auditctl.log.columns import COLUMNS as CELLS
from auditctl.log.columns import Columns
from auditctl.log.export import REPORTED_EVERY, ReportProgress
from auditctl.log.formats.format import Format, Row
from auditctl.output import Sink

_NEWEST = """
    select c.note, b.record, b.number, b.snapshot::text, i.adoption_event_id
      from auditctl.checkpoint as c
      join auditctl.block as b on b.first_leaf + b.events + 1 = c.tree_size
      left join auditctl.incarnation as i on i.incarnation = b.incarnation
     order by c.tree_size desc
     limit 1
"""

_LABELS = """
    select t.label, t.target from auditctl.target as t where t.label is not null
    union all
    select e.label, e.name from auditctl.event_type as e where e.label is not null
"""

_TARGET, _XACT = COLUMNS.index("target"), COLUMNS.index("xact_id")
_SHOWN = CELLS.index("target")


class RowProver:
    """Proves rows by the newest checkpoint.

    Args:
        conn: The connection, in the transaction that read the rows.

    Raises:
        EvidenceError: The tree is not whole, or not that of the checkpoint, or of the store before it was adopted.
    """

    def __init__(self, conn: Connection) -> None:
        row = conn.execute(_NEWEST).fetchone()
        if row is None:
            raise EvidenceError("no checkpoint is that of a block")
        note, record, block, seen, adoption = row
        last = snapshot.last_adoption(conn)
        if last is not None and last.event_id != adoption:
            # Numbers of transactions would not tell which rows were not sealed yet.
            raise EvidenceError("nothing was sealed since the store was adopted", hint="Seal, and export again.")
        size = Checkpoint.parse(signatures(note)[0]).size
        self._tree = TreeReader(conn, size)
        frontier = tuple(self._tree.node(level, index) for level, index in merkle.pieces(0, size))
        # Its path leads to a root of the frontier.
        path = [self._tree.node(level, (size - 1 >> level) ^ 1) for level in range((size & -size).bit_length() - 1)]
        self.place = {"checkpoint": note, "tree_size": size, "block": block, "snapshot": seen}
        self.head = Head(note, frontier, record, tuple(path))
        self._known = self.head.known_nodes()
        self._finder = LeafFinder(conn, size)
        self._seen = Seen.parse(seen)
        self._targets: dict[str, list[str]] = defaultdict(list)
        for label, target in conn.execute(_LABELS):
            self._targets[label].append(target)
        self._labels: dict[str, tuple[str, ...]] = {}

    def prove(self, row: Row, *, is_safe: bool) -> tuple[str, RowProof]:
        """Return the proof of a row, after the line of a label that it needs, if any.

        Raises:
            EvidenceError: The tree is not whole.
        """
        shown = row[_SHOWN] or ""
        names = [*self._targets.get(shown, ()), *(self._targets.get(shown[1:], ()) if is_safe else ())]
        transaction = None
        try:
            for fields in exported_event.events(row, names, is_safe=is_safe):
                transaction = int.from_bytes(fields[_XACT] or b"", "big")
                if (leaf := self._finder.find(fields)) is not None:
                    return self._label(shown, fields, is_safe=is_safe), self._proof(leaf, fields)
        except ValueError:
            pass
        is_unsealed = transaction is not None and not self._seen.sees(transaction)
        return "", RowProof(None, UNSEALED if is_unsealed else DIFFERENT)

    def _label(self, shown: str, fields: Fields, *, is_safe: bool) -> str:
        name = (fields[_TARGET] or b"").decode("utf-8", "surrogateescape")
        known = self._labels.get(shown, ())
        if name in (shown, *known) or (is_safe and f"'{name}" == shown):
            return ""
        self._labels[shown] = (*known, name)
        return label_line(shown, self._labels[shown])

    def _proof(self, leaf: Leaf, fields: Fields) -> RowProof:
        path = tuple(self._tree.node(level, index) for level, index in self._known.siblings(leaf.index))
        if not self._known.check(leaf.hash, leaf.index, path):
            raise EvidenceError("the stored tree does not fit its leaves", hint="See what differs: auditctl verify")
        if leaf.salt is not None:
            return RowProof(leaf.index, "", (leaf.salt,), path)
        return RowProof.of_erased(leaf.index, leaf.disclose(fields), path)


def is_sealed(conn: Connection) -> bool:
    """Whether the log has a checkpoint."""
    return conn.execute("select exists (select from auditctl.checkpoint)").fetchone() == (True,)


def write(
    conn: Connection,
    lines: Iterable[str],
    form: Format,
    sink: Sink,
    report: ReportProgress,
    *,
    is_safe: bool,
    columns: Columns | None = None,
) -> Mapping[str, Any]:
    """Write the proofs of the rows of a file.

    Args:
        conn: The connection, in the transaction that read the rows.
        lines: The lines of the file.
        form: Its format.
        sink: Where to write.
        report: Takes the number of rows and of bytes so far.
        is_safe: Whether cells that a spreadsheet would take for formulas have an apostrophe.
        columns: The columns that were chosen, without an `exported_event.obstacle`; None for all.

    Returns:
        What the manifest says: the checkpoint, and its proofs.

    Raises:
        EvidenceError: The tree is not whole.
        OutputError: They cannot be written.
    """
    prover, counts = RowProver(conn), Counts()
    sink.hashed = sha256 = hashlib.sha256()
    sink.write(str(prover.head).encode())
    for row in exported_event.rows(lines, form, columns):
        label, proof = prover.prove(row, is_safe=is_safe)
        counts.add(proof)
        sink.write(f"{label}{proof}".encode())
        if counts.rows % REPORTED_EVERY == 0:
            report(counts.rows, sink.written)
    sink.flush()
    proofs = {
        "rows": counts.rows, "sealed": counts.sealed, "erased": counts.erased, **counts.reasons,
        "bytes": sink.written, "sha256": sha256.hexdigest(),
    }  # fmt: skip
    return {**prover.place, "proofs": proofs}
