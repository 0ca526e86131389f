"""Verifies an archive by what it has itself: files against manifests, and events against signed checkpoints.

Needs no database. Memory is bounded, apart from a bit for each event of a month.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from auditctl.archive import archive, layout, manifest
from auditctl.archive.announced_months import AnnouncedMonths
from auditctl.archive.archive_report import ArchiveChoice, ArchiveReport
from auditctl.archive.files import Files
from auditctl.archive.layout import MonthKey
from auditctl.archive.log_record import LogRecord
from auditctl.archive.manifest import ArchiveError, Manifest
from auditctl.archive.month_check import MonthCheck, SealedTree
from auditctl.errors import UsageError
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.findings import Finding
from auditctl.log.archived_months import month_ranges


@dataclass(slots=True)
class Verified:
    """What an archive has, as far as it was verified.

    Attributes:
        report: What was found.
        manifests: The manifests that can be read, by month.
        trees: The trees of months, in the order of months.
        announced: What sealed events say of archived months.
    """

    report: ArchiveReport = field(default_factory=ArchiveReport)
    manifests: dict[MonthKey, Manifest] = field(default_factory=dict)
    trees: list[SealedTree] = field(default_factory=list)
    announced: AnnouncedMonths = field(default_factory=AnnouncedMonths)


def verify(
    files: Files, choice: ArchiveChoice, progress: Callable[[int, str], None], record: LogRecord | None = None
) -> Verified:
    """Return what differs between the files of an archive and what its evidence says of them.

    Args:
        files: The archive.
        choice: What is verified.
        progress: Is called with the number of events so far, and where it is.
        record: What the database says of its months; None without a database.

    Raises:
        UsageError: The archive has no month.
        OutputError: A file cannot be read.
    """
    verified = Verified()
    keys = [key for key in archive.keys(files) if choice.database in (None, key.database)]
    if not keys:
        of = "" if choice.database is None else f" of the database {choice.database}"
        hint = "Name the folder in which database=NAME is."
        if record is not None and record.newest is not None:
            hint = (
                f"{hint} {record.newest[0].month} was written to {record.newest[1]}: say where it is by --archive PATH."
            )
        raise UsageError(f"{files.name} has no archived month{of}", hint=hint)
    for key in keys:
        _read_manifest(files, key, verified)
    sizes = _sizes(choice, verified)
    for key, one in verified.manifests.items():
        take = partial(verified.announced.add, key.database)
        sealed = MonthCheck(files, one, verified.report, progress, take).run(sizes)
        if sealed is not None:
            verified.trees.append(sealed)
    _check_signatures(choice, verified)
    _check_anchors(choice, verified)
    _compare_trees(verified)
    if record is not None:
        verified.announced.join(record.announced)
        _check_recorded(verified, record)
    _check_announced(choice, verified)
    _check_unsealed(verified)
    return verified


def _read_manifest(files: Files, key: MonthKey, verified: Verified) -> None:
    names = files.names(key.folder)
    if layout.MANIFEST not in names:
        if layout.ATTEMPT in names or layout.DELETION in names or not names:
            what = "deleted, as its time is over" if layout.DELETION in names else "archived"
            verified.report.note(f"{key.folder} is not complete: it is being {what}, or that was stopped")
            return
        path = key.path(layout.MANIFEST)
        verified.report.add(Finding("manifest", f"{path} is missing", file=path))
        return
    try:
        verified.manifests[key] = manifest.parse(files.read(key.path(layout.MANIFEST)), key)
        if layout.is_unfinished(names):
            verified.report.note(f"{key.folder} {layout.UNFINISHED}")
    except ArchiveError as error:
        verified.report.add(Finding("manifest", str(error), file=key.path(layout.MANIFEST)))


def _sizes(choice: ArchiveChoice, verified: Verified) -> frozenset[int]:
    """The sizes of trees by which those of months are compared with anchors, and with each other."""
    stated = (one.evidence["tree_size"] for one in verified.manifests.values() if one.evidence is not None)
    anchored = (anchor.checkpoint.size for anchor in choice.anchors)
    return frozenset((*stated, *anchored))


def _check_signatures(choice: ArchiveChoice, verified: Verified) -> None:
    report = verified.report
    if choice.policy is None:
        if verified.trees:
            report.note("no public key was given: who signed the checkpoints was not checked")
        return
    if not verified.trees:
        report.add(Finding("signature", "no month of the archive has a checkpoint that somebody signed"))
    signed: dict[str, None] = {}
    for sealed in verified.trees:
        try:
            signed.update(dict.fromkeys(choice.policy.check(sealed.note)[1]))
        except EvidenceError as error:
            path = sealed.key.path(layout.MANIFEST)
            report.add(Finding("signature", f"the checkpoint of {sealed.key.folder}: {error}", file=path))
    report.signed_by = tuple(signed)


def _check_anchors(choice: ArchiveChoice, verified: Verified) -> None:
    for anchor in choice.anchors:
        size, root = anchor.checkpoint.size, anchor.checkpoint.root
        if choice.policy is not None:
            try:
                choice.policy.without_witnesses().check(anchor.note)
            except EvidenceError as error:
                verified.report.add(Finding("signature", f"{anchor.name}: {error}"))
        known = [one for one in verified.trees if one.checkpoint.origin == anchor.checkpoint.origin]
        compared = [one for one in known if size in one.tree.roots]
        for one in compared:
            if one.tree.roots[size] != root:
                sentence = f"{anchor.name} has another tree of {size} leaves than {one.key.folder}: the log forked"
                verified.report.add(Finding("forked", sentence, file=one.key.folder))
        if not compared:
            verified.report.note(
                f"{anchor.name}, of {size} leaves, was not compared: no block of an archived month ends there"
            )


def _compare_trees(verified: Verified) -> None:
    """Compare the trees of months of one log with each other, at the sizes that both show."""
    for one in verified.trees:
        for other in verified.trees:
            root = other.tree.roots.get(one.tree.size)
            is_same_log = one.checkpoint.origin == other.checkpoint.origin and one.key.database == other.key.database
            if is_same_log and root is not None and root != one.tree.root:
                sentence = f"{one.key.folder} and {other.key.folder} have different trees of {one.tree.size} leaves"
                verified.report.add(Finding("forked", f"{sentence}: the log forked", file=one.key.folder))


def _check_announced(choice: ArchiveChoice, verified: Verified) -> None:
    for key, announcement in sorted(verified.announced.newest().items()):
        if announcement.manifest is None or choice.database not in (None, key.database):
            continue
        found, event = verified.manifests.get(key), announcement.event_id
        if found is None and not any(one.file == key.path(layout.MANIFEST) for one in verified.report.findings):
            verified.report.add(
                Finding("month", f"{key.folder} is missing: event {event} archived it", file=key.folder)
            )
        elif found is not None and found.digest != announcement.manifest:
            path = key.path(layout.MANIFEST)
            verified.report.add(Finding("manifest", f"{path} is not the one that event {event} recorded", file=path))


def _check_recorded(verified: Verified, record: LogRecord) -> None:
    """Compare the months with what the database says of them."""
    announced = record.announced.newest()
    for key in verified.manifests:
        if key.database in record.databases and key not in announced:
            path = key.path(layout.MANIFEST)
            verified.report.add(Finding("month", f"{key.folder} was added: no event records it", file=path))
    for one in verified.trees:
        if one.key.database in record.databases and record.root(one.tree.size) != one.tree.root:
            sentence = f"{one.key.folder} has another tree of {one.tree.size} leaves than the database"
            verified.report.add(Finding("forked", sentence, file=one.key.folder))


def _check_unsealed(verified: Verified) -> None:
    """Say of which months the evidence proves nothing, and whether it was taken away from one."""
    first: dict[str, MonthKey] = {}
    for key, one in verified.manifests.items():
        if one.evidence is not None:
            first.setdefault(key.database, min(key, first.get(key.database, key)))
    bare = [key for key, one in verified.manifests.items() if one.evidence is None]
    announced = verified.announced.newest()
    for key in bare:
        if key.database in first and first[key.database] < key and key not in announced:
            sentence = f"{key.folder} has no evidence, but the log was sealed before: {first[key.database].folder} has"
            verified.report.add(Finding("manifest", sentence, file=key.path(layout.MANIFEST)))
    if bare:
        verified.report.note(
            "the log was not sealed when these months were archived: only their files and manifests were compared: "
            + _listed(bare)
        )
    if rest := [key for key, one in verified.manifests.items() if one.evidence is not None and key not in announced]:
        verified.report.note(
            "no archived event records the manifests of these months, which alone vouch for labels and details;"
            " the database does: " + _listed(rest)
        )


def _listed(keys: Sequence[MonthKey]) -> str:
    """Return months as text, several in a row as a range: `database=shop/month=2026-05 to 2026-07`."""
    databases = sorted({key.database for key in keys})
    months = {name: sorted(key.month for key in keys if key.database == name) for name in databases}
    return ", ".join(f"{layout.database_folder(name)}/month={month_ranges(found)}" for name, found in months.items())
