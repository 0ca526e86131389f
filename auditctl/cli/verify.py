"""`auditctl verify`: compares the log with its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from auditctl import metrics, revision
from auditctl.archive import extra
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
from auditctl.evidence.verifier import Choice
from auditctl.log import times
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
@click.option("--database", metavar="NAME", help="Of an archive, only the months of this database.")
@table_or_json("How to print what was found.")
@pass_session
def verify(
    session: Session, public_key: Path | None, policy_file: Path | None, checkpoints: tuple[Path, ...],
    since: str | None, block: int | None, archive: str | None, database: str | None, output: str,
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
    too.

    \b
    Examples:
      auditctl verify --public-key seal.key.pub
      auditctl verify --public-key seal.key.pub --checkpoint /mnt/anchor/
      auditctl verify --policy policy.txt --since 7d --format json
      auditctl verify --archive /mnt/archive --public-key seal.key.pub
    """
    keys = read_policy(public_key, policy_file)
    anchors, problems = _read_anchors(checkpoints)
    if archive is not None:
        if since is not None or block is not None:
            raise UsageError("--since and --block choose events of the database", hint="Leave them out with --archive.")
        _verify_archive(session, archive, (keys, tuple(anchors), database), problems, output)
        return
    if database is not None:
        raise UsageError("--database needs --archive", hint="Name the archive: --archive PATH")
    choice = Choice(
        keys, tuple(anchors), times.parse(since).at(datetime.now(UTC)) if since is not None else None, block
    )
    try:
        with (
            session.connect(READER, is_examined=True, require=revision.require_remains) as conn,
            progress.counter(session, "events") as show,
        ):
            report = verifier.verify(conn, choice, show)
    except NoStoreError as error:
        if not anchors:
            raise
        report = verifier.verify_nothing(choice, str(error))
    report.findings[:0] = problems
    _print(report, _lines(report, is_checked=keys is not None), output)
    _record_run(session, report)
    _end(session, report, "the log is not as it was sealed", _LOOK_ON)


_LOOK_ON = "Change nothing, copy the database's files, and look on: auditctl doctor; auditctl reconcile"


def _verify_archive(
    session: Session, path: str, choice: tuple[Policy | None, tuple[Anchor, ...], str | None],
    problems: list[Finding], output: str,
) -> None:  # fmt: skip
    with extra.required():
        from auditctl.archive.verifier import ArchiveChoice
        from auditctl.cli import verify_archive
    report = verify_archive.verify(session, path, ArchiveChoice(*choice))
    report.findings[:0] = problems
    _print(report, verify_archive.lines(report, is_checked=choice[0] is not None), output)
    hint = "Change nothing, copy the archive, and restore what was altered from a copy."
    _end(session, report, "the archive is not as it was written", hint)


def _print(report: Report, counts: Iterator[str], output: str) -> None:
    if output == "json":
        print_json(report.as_dict())
        return
    for line in (*counts, *_found(report)):
        print_text(harmless(line))


def _end(session: Session, report: Report, problem: str, hint: str) -> None:
    """Raise DriftError if anything was found."""
    if report.findings:
        raise DriftError(f"{plural(sum(report.counts().values()), 'finding')}: {problem}", hint=hint)
    session.say("nothing found")


def _record_run(session: Session, report: Report) -> None:
    """Note the run for monitoring; what was done to the store may prevent that, and must not hide what was found."""
    try:
        with session.connect(READER) as conn:
            metrics.record_run(conn, "verify", len(report.findings))
    except (DatabaseError, StoreError):
        if not report.findings:
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


def _lines(report: Report, *, is_checked: bool) -> Iterator[str]:
    """The counts that are printed first."""
    yield f"{plural(report.events, 'event')} compared in {plural(report.blocks, 'block')}; {report.tree_size:,} leaves"
    yield f"not sealed yet: {report.unsealed:,}"
    if report.erased or report.pruned:
        yield f"with erased values: {report.erased:,}; deleted by retention: {report.pruned:,}"
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
