"""Compares the rows of an exported file with the tree, by the file FILE.proofs, without a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

from auditctl.display import harmless
from auditctl.evidence import exported_event, row_proofs
from auditctl.evidence.canonical import COLUMNS, Fields
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.known_nodes import KnownNodes
from auditctl.evidence.policy import Policy
from auditctl.evidence.row_proofs import DIFFERENT, UNSEALED, Counts, Head, RowProof
from auditctl.evidence.visibility import Seen
from auditctl.log.columns import COLUMNS as CELLS
from auditctl.log.columns import Columns
from auditctl.log.export import REPORTED_EVERY, ReportProgress
from auditctl.log.formats.format import Format, Row
from auditctl.text import in_quotes

_ID, _TIME, _TARGET, _XACT = (COLUMNS.index(name) for name in ("event_id", "occurred_at", "target", "xact_id"))
_SHOWN = CELLS.index("target")
_LABELS = 1000
_LONGEST = 20


@dataclass(slots=True)
class Checked:
    """What a check of rows found.

    Attributes:
        checkpoint: The checkpoint of the proofs.
        signed_by: The labels of the keys that signed it; empty if no key was given.
        block: The number of the last block, as its record has it.
        sealed_at: When it was sealed, as its record has it.
        counts: How many rows have which proof.
        labels: The targets that each label in the file stands for.
        findings: What was found, each as a sentence.
    """

    checkpoint: Checkpoint
    signed_by: tuple[str, ...]
    block: int
    sealed_at: str
    counts: Counts = field(default_factory=Counts)
    labels: dict[str, set[str]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON has of it."""
        counts = self.counts
        return {
            "log": self.checkpoint.origin, "tree_size": self.checkpoint.size, "root": self.checkpoint.root.hex(),
            "signed_by": list(self.signed_by), "block": self.block, "sealed_at": self.sealed_at,
            "rows": counts.rows, "sealed": counts.sealed, "erased": counts.erased,
            "unsealed": counts.reasons.get(UNSEALED, 0),
            "labels": {label: sorted(names) for label, names in sorted(self.labels.items())},
        }  # fmt: skip


def check(
    lines: Iterable[str],
    form: Format,
    proofs: Iterator[str],
    policy: Policy | None,
    report: ReportProgress,
    *,
    is_safe: bool,
    columns: Columns | None = None,
) -> Checked:
    """Compare the rows of a file with the tree of a checkpoint.

    Args:
        lines: The lines of the file.
        form: Its format.
        proofs: The lines of its proofs.
        policy: The keys that count; None for any.
        report: Takes the number of rows so far, and 0.
        is_safe: Whether cells that a spreadsheet would take for formulas have an apostrophe.
        columns: The columns that were chosen, without an `exported_event.obstacle`; None for all.

    Raises:
        EvidenceError: The checkpoint or the tree is not what the policy demands.
        MissingLibrary: The library for a signature is not installed.
    """
    head = Head.parse(next(proofs, ""))
    checkpoint, signed_by = (head.checkpoint, ()) if policy is None else policy.check(head.note)
    comparison = _Comparison(head.known_nodes(), *row_proofs.last_block(head.record), is_safe=is_safe)
    checked = Checked(checkpoint, signed_by, comparison.block, comparison.sealed_at)
    try:
        rows = exported_event.rows(lines, form, columns)
        for row, proof in zip_longest(_numbered(rows), row_proofs.read(proofs)):
            comparison.compare(row, proof, checked)
            checked.counts.add(proof[0])
            if checked.counts.rows % REPORTED_EVERY == 0:
                report(checked.counts.rows, 0)
    except EvidenceError as error:
        checked.findings.append(str(error))
    return checked


def _numbered(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows, until one that is not of the format."""
    number = 1
    try:
        for row in rows:
            yield row
            number += 1
    except ValueError as error:
        raise EvidenceError(f"Row {number:,} is not as auditctl export writes it: {error}.") from error


def _event(row: Row) -> str:
    return f"event {harmless(row[0] or '')[:_LONGEST]}"


class _Comparison:
    """Compares rows one by one, in the order of the file."""

    def __init__(self, known: KnownNodes, block: int, sealed_at: str, seen: Seen, *, is_safe: bool) -> None:
        self.block, self.sealed_at = block, sealed_at
        self._known, self._seen, self._is_safe = known, seen, is_safe
        self._last: tuple[int, int] | None = None
        self._is_rising: bool | None = None

    def compare(
        self, row: Row | None, found: tuple[RowProof, Mapping[str, Sequence[str]]] | None, checked: Checked
    ) -> None:
        """Compare a row with its proof; raises EvidenceError with a sentence if it does not fit."""
        if row is None:
            raise EvidenceError(f"The proofs have more rows than the file, which has {checked.counts.rows:,}.")
        number = checked.counts.rows + 1
        if found is None:
            raise EvidenceError(f"Row {number:,} has no line in the proofs: {_event(row)}.")
        proof, labels = found
        shown = row[_SHOWN] or ""
        try:
            events = exported_event.events(row, labels.get(shown, ()), is_safe=self._is_safe)
            first = next(events)
        except ValueError as error:
            raise EvidenceError(f"Row {number:,} does not belong to the log: {_event(row)}, {error}.") from error
        self._require_order(number, row, first)
        if proof.index is None:
            self._require_reason(number, row, proof.reason, first)
            return
        fields = next((one for one in chain((first,), events) if self._is_leaf(one, proof)), None)
        if fields is None:
            raise EvidenceError(
                f"Row {number:,} does not belong to the log: {_event(row)} is not leaf {proof.index:,} of the tree."
            )
        name = (fields[_TARGET] or b"").decode("utf-8", "replace")
        if name != shown and not (self._is_safe and f"'{name}" == shown) and len(checked.labels) < _LABELS:
            checked.labels.setdefault(shown, set()).add(name)

    def _is_leaf(self, fields: Fields, proof: RowProof) -> bool:
        leaf = proof.leaf(fields)
        return leaf is not None and self._known.check(leaf, proof.index or 0, proof.path)

    def _require_order(self, number: int, row: Row, fields: Fields) -> None:
        """No row comes twice: each is later, or each is earlier, than the one before it."""
        key = (_number(fields[_TIME]), _number(fields[_ID]))
        last, self._last = self._last, key
        if last is None:
            return
        if self._is_rising is None:
            self._is_rising = key > last
        if key == last or (key > last) != self._is_rising:
            raise EvidenceError(f"Row {number:,} is not in the order of the export: {_event(row)}.")

    def _require_reason(self, number: int, row: Row, reason: str, fields: Fields) -> None:
        if reason == DIFFERENT:
            raise EvidenceError(
                f"Row {number:,} was not as it was sealed when it was exported, or the file cannot hold it: "
                f"{_event(row)}."
            )
        if reason == UNSEALED and self._seen.sees(int.from_bytes(fields[_XACT] or b"", "big")):
            raise EvidenceError(
                f"Row {number:,} does not belong to the log: {_event(row)} has no proof, and was committed before "
                f"block {self.block} was sealed."
            )


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big", signed=True)


def sentences(checked: Checked) -> Iterator[str]:
    """Say what was compared, each in a sentence."""
    counts, checkpoint = checked.counts, checked.checkpoint
    yield (
        f"{counts.sealed:,} of {counts.rows:,} rows are leaves of the log {in_quotes(checkpoint.origin)}: tree of "
        f"{checkpoint.size:,} leaves, sealed until block {checked.block:,} at {harmless(checked.sealed_at)}."
    )
    if count := counts.reasons.get(UNSEALED):
        yield f"Not proved: {count:,} of rows that were not sealed yet."
    if counts.erased:
        yield f"With erased values: {counts.erased:,}; what is left in these columns is not proved."
    for label, names in sorted(checked.labels.items()):
        yield f"The label {in_quotes(label)} stands for {' and '.join(map(in_quotes, sorted(names)))}."
