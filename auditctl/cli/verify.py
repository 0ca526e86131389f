"""`auditctl verify`: compares the log with its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from auditctl import metrics, revision
from auditctl.archive import extra
from auditctl.archive.archive_report import ArchiveChoice
from auditctl.cli import progress
from auditctl.cli.known_values import FILES, FOLDERS, TIMES, complete
from auditctl.cli.options import table_or_json
from auditctl.cli.printing import print_json, print_text
from auditctl.cli.session import READER, Session, pass_session
from auditctl.display import harmless
from auditctl.errors import DatabaseError, DriftError, NoStoreError, StoreError, UsageError
from auditctl.evidence import policy, verifier
from auditctl.evidence.chain import Anchor
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError
from auditctl.evidence.findings import Finding, Report
from auditctl.evidence.note import signatures
from auditctl.evidence.policy import Policy
from auditctl.evidence.verifier import Choice, NotSealed
from auditctl.log import times
from auditctl.log.archived_months import month_ranges
from auditctl.text import plural

_PATH = click.Path(path_type=Path)

public_key_option = click.option(
    "--public-key",
    "--key",
    metavar="FILE",
    type=_PATH,
    shell_complete=complete(FILES),
    help="The public keys of the log, as keygen wrote them: FILE.pub.",
)
policy_option = click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    type=_PATH,
    shell_complete=complete(FILES),
    help="Which logs and witnesses count instead, as c2sp.org/tlog-policy has it.",
)


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UsageError: It cannot be read, or is not text.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8") from error


def read_policy(public_key: Path | None, policy_file: Path | None) -> Policy | None:
    """Return the keys that count; None if no file is given.

    Raises:
        UsageError: Both are given, or a file is not what it should be.
    """
    if public_key is not None and policy_file is not None:
        raise UsageError("--public-key and --policy exclude each other", hint="A policy names the keys itself.")
    if policy_file is not None:
        return policy.parse(read_text(policy_file))
    return policy.parse_keys(read_text(public_key)) if public_key is not None else None


@click.command(short_help="Compare the log with its evidence.")
@public_key_option
@policy_option
@click.option(
    "--checkpoint",
    "checkpoints",
    metavar="FILE",
    type=_PATH,
    multiple=True,
    shell_complete=complete(FILES),
    help="A checkpoint that is kept elsewhere, or a folder of them: finds what was cut off or set back. Repeatable.",
)
@click.option(
    "--since",
    metavar="TIME",
    shell_complete=complete(TIMES),
    help="Compare only the events that were sealed since then.",
)
@click.option("--block", metavar="N", type=click.IntRange(min=1), help="Compare only the events of this block.")
@click.option(
    "--archive",
    metavar="PATH",
    shell_complete=complete(FOLDERS),
    help="Verify this archive instead of the database, by what it has itself.",
)
@click.option(
    "--everywhere",
    is_flag=True,
    help="Verify the database, and the archive against it. Default archive: where a month was archived last, or to of "
    "[archive] if the month is there now.",
)
@click.option("--database", metavar="NAME", help="Of an archive, only the months of this database.")
@table_or_json("How to print what was found.")
@pass_session
def verify(
    session: Session, public_key: Path | None, policy_file: Path | None, checkpoints: tuple[Path, ...],
    since: str | None, block: int | None, archive: str | None, everywhere: bool, database: str | None, output: str,
) -> None:  # fmt: skip
    """Compare the log with its evidence: find events that were altered, deleted or added after they were sealed.

    It exits with 3 if it finds anything, with 0 if not, and with 6 if the log was never sealed. Two runs on the same
    log print the same. It changes nothing, blocks no writer and needs the role reader. It calls no function of the
    store. Erasures and deletions by retention that are announced in the log are notes, and so are announced changes of
    capture. The blocks and their tree are always checked wholly; --since and --block choose the events.

    Without a public key, anybody who can write the evidence can write it anew. Without a checkpoint that is kept
    elsewhere, the end of the log can be cut off together with its evidence.

    --archive PATH verifies archived months without a database: each file by the manifest of its month, each event by
    its leaf in the tree of a signed checkpoint, and each manifest by the event that records it, once that is archived
    too. With --everywhere, the database is verified as well, and each month of the archive by its events and its tree.

    \b
    Examples:
      auditctl verify --public-key seal.key.pub
      auditctl verify --public-key seal.key.pub --checkpoint /mnt/anchor/
      auditctl verify --policy policy.txt --since 7d --format json
      auditctl verify --archive /mnt/archive --public-key seal.key.pub
      auditctl verify --everywhere --public-key seal.key.pub
    """
    keys = read_policy(public_key, policy_file)
    anchors, problems = _read_anchors(checkpoints)
    with_archive = archive is not None or everywhere
    if with_archive and (since is not None or block is not None):
        raise UsageError("--since and --block choose events of the database", hint="Leave them out with --archive.")
    if database is not None and not with_archive:
        raise UsageError("--database needs --archive", hint="Name the archive: --archive PATH")
    reports: list[tuple[Report, list[str]]] = []
    if archive is None or everywhere:
        at = times.parse(since).at(datetime.now(UTC)) if since is not None else None
        reports.append(_verify_log(session, Choice(keys, tuple(anchors), at, block), is_everywhere=everywhere))
    if with_archive:
        with extra.required():
            from auditctl.cli import verify_archive
        of_archive = ArchiveChoice(keys, tuple(anchors), database)
        reports.append(verify_archive.verify(session, archive, of_archive, everywhere=everywhere))
    reports[0][0].findings[:0] = problems
    _print(reports, output)
    count = sum(sum(report.counts().values()) for report, _ in reports)
    if archive is None or everywhere:
        _record_run(session, count)
    if count:
        what, copied = (
            ("archive is not as it was written", "the archive")
            if len(reports) == 1 and with_archive
            else ("log is not as it was sealed", "the database's files")
        )
        raise DriftError(
            f"{plural(count, 'finding')}: the {what}",
            hint=f"Change nothing, copy {copied}, and look on: auditctl doctor; auditctl reconcile",
        )
    session.say("nothing found")


def _verify_log(session: Session, choice: Choice, *, is_everywhere: bool) -> tuple[Report, list[str]]:
    """Verify the log, alone or with its archive; return what was found, and the counts that are printed first."""
    try:
        with (
            session.connect(READER, is_examined=True, require=revision.require_remains) as conn,
            progress.counter(session, "events") as show,
        ):
            report = verifier.verify(conn, choice, show)
    except NotSealed as error:
        if not is_everywhere:
            raise
        report = Report()
        report.note(str(error))
    except NoStoreError as error:
        if not choice.anchors:
            raise
        report = verifier.verify_nothing(choice, str(error))
    return report, list(_lines(report, is_checked=choice.policy is not None, is_everywhere=is_everywhere))


def _print(reports: list[tuple[Report, list[str]]], output: str) -> None:
    if output == "json":
        first, *others = (report.as_dict() for report, _ in reports)
        print_json({**first, "archive": others[0]} if others else first)
        return
    for report, counts in reports:
        for line in (*counts, *_found(report)):
            print_text(harmless(line))


def _record_run(session: Session, findings: int) -> None:
    """Note the run for monitoring; what was done to the store may prevent that, and must not hide what was found."""
    try:
        with session.connect(READER) as conn:
            metrics.record_run(conn, "verify", findings)
    except (DatabaseError, StoreError):
        if not findings:
            raise


def _read_anchors(paths: tuple[Path, ...]) -> tuple[list[Anchor], list[Finding]]:
    anchors, problems = [], []
    for path in _files(paths):
        text = read_text(path)
        try:
            anchors.append(Anchor(str(path), Checkpoint.parse(signatures(text)[0]), text))
        except EvidenceError as error:
            problems.append(Finding("checkpoint", f"{path}: {error}"))
    return sorted(anchors, key=lambda anchor: anchor.checkpoint.size), problems


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
            if not found:
                raise UsageError(
                    f"the folder {path} has no checkpoint", hint="Write one: auditctl checkpoint --output PATH"
                )
            yield from found
        else:
            yield path


def _lines(report: Report, *, is_checked: bool, is_everywhere: bool) -> Iterator[str]:
    """The counts that are printed first."""
    yield f"{plural(report.events, 'event')} compared in {plural(report.blocks, 'block')}; {report.tree_size:,} leaves"
    yield f"not sealed yet: {report.unsealed:,}"
    if report.erased or report.pruned:
        yield f"with erased values: {report.erased:,}; deleted by retention: {report.pruned:,}"
    for location in sorted({location for location, _ in report.archived}):
        months = {month: count for (where, month), count in sorted(report.archived.items()) if where == location}
        verb = "is" if sum(months.values()) == 1 else "are"
        which = f"{plural(sum(months.values()), 'event')} of {month_ranges(months)} {verb} in the archive {location}"
        yield which if is_everywhere else f"{which}, not read here: verify --everywhere"
    nobody = "nobody who is trusted" if is_checked else "not checked"
    yield f"signed by: {', '.join(report.signed_by) or nobody}"


def _found(report: Report) -> Iterator[str]:
    """Findings by kind, and notes, each a sentence on a line."""
    if report.findings:
        yield f"found: {', '.join(f'{kind} {count:,}' for kind, count in report.counts().items())}"
    for kind, findings in report.by_kind().items():
        for finding in findings:
            yield f"{kind}: {finding.sentence}"
        if more := report.more.get(kind):
            yield f"{kind}: and {more:,} more"
    for note in report.notes:
        yield f"note: {note}"
