"""`auditctl export`: writes the filtered log to a file or standard output."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from auditctl import manifest, output, remarks
from auditctl.cli import progress
from auditctl.cli.archive_options import ArchiveChoice, archive_options
from auditctl.cli.archived_export import write_export
from auditctl.cli.filter_options import filter_options
from auditctl.cli.known_values import FILES, Values, complete
from auditctl.cli.log import columns_option, raw_option
from auditctl.cli.printing import ignoring_broken_pipe, print_warning
from auditctl.cli.session import READER, Session, pass_session
from auditctl.database import Connection
from auditctl.evidence import exported_event, row_prover
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.row_proofs import DIFFERENT
from auditctl.log.columns import Columns
from auditctl.log.export import ExportRequest, ExportResult, record_end
from auditctl.log.export import export as export_log
from auditctl.log.exported import PROOFS_SUFFIX
from auditctl.log.exported_file import text_lines
from auditctl.log.filters import Filters
from auditctl.log.formats import BY_NAME, EXPORTS
from auditctl.log.selection import Order
from auditctl.log.snapshot import START, Snapshot
from auditctl.output import Sink
from auditctl.text import plural

_NO_MANIFEST = (
    "What proves archived rows is in their files: verify these by auditctl verify --archive PATH. For a manifest, bring"
    " the months back first: auditctl restore-archive MONTH"
)


@dataclass(frozen=True, slots=True)
class Since:
    """What --committed-since asks for.

    Attributes:
        snapshot: The snapshot; None for everything.
        is_asked: Whether the snapshot to go on from is asked for.
    """

    snapshot: Snapshot | None
    is_asked: bool


def _since(text: str | None, *, is_asked: bool) -> Since:
    if text is None:
        return Since(None, is_asked)
    return Since(None if text == START else Snapshot.parse(text), is_asked=True)


@click.command()
@filter_options
@archive_options
@click.option(
    "--format", "format_name", type=click.Choice([row.name for row in EXPORTS]), default=EXPORTS[0].name,
    help=f"Output format: {', '.join(f'{row.name} ({row.help})' for row in EXPORTS)}. Default: {EXPORTS[0].name}.",
)  # fmt: skip
@click.option(
    "--output", "-o", "path", metavar="FILE", default=output.STANDARD, shell_complete=complete(FILES),
    help="Write this file, which appears when it is complete; - is standard output, the default.",
)  # fmt: skip
@click.option(
    "--order", type=click.Choice([str(order) for order in Order]), default="asc", help="Oldest (asc) or newest first."
)
@columns_option
@raw_option
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--committed-since", metavar="SNAPSHOT", shell_complete=complete(Values(choices=(START,))),
    help="Only what was committed since the export that printed this SNAPSHOT; start for everything.",
)  # fmt: skip
@click.option(
    "--snapshot-file",
    metavar="FILE",
    shell_complete=complete(FILES),
    help="Write the snapshot to go on from to FILE, once the export is complete.",
)
@click.option(
    "--manifest", "has_manifest", is_flag=True,
    help="Write FILE.manifest.json, too: who exported what, when, with its SHA-256; of a sealed log also FILE.proofs. "
    "See the command check-export.",
)  # fmt: skip
@pass_session
def export(
    session: Session, *, filters: Filters, choice: ArchiveChoice, columns: Columns | None, format_name: str, path: str,
    order: str, raw: bool, force: bool, committed_since: str | None, snapshot_file: str | None, has_manifest: bool,
) -> None:  # fmt: skip
    """Export the log as CSV or JSON Lines, oldest first.

    Streams, however many events there are. The log itself records the beginning of the export, and its end with the
    number of rows and bytes and the SHA-256. In CSV a cell that a spreadsheet
    would take for a formula gets an apostrophe in front, unless --raw is given.

    An event is captured at its time, but is in the log only when its transaction commits, which may be much later. So
    exports of consecutive times, by --since and --until, may miss events. Consecutive exports by --committed-since have
    each event exactly once: each prints the SNAPSHOT from which the next one goes on.

    With --archive or --everywhere, archived events are written as they were before they were archived, byte for byte,
    after the SHA-256 of each file was compared. Only where a database is connected does a log record the export.

    \b
    Examples:
      auditctl export --output log.csv
      auditctl export --since 2026-11-01 --until 2026-12-01 --target 'billing.*' --output november.csv
      auditctl export --format jsonl --user alice | gzip > alice.jsonl.gz
      auditctl export --target Customer --columns created_on,user,target_id,details --output customer.csv
      auditctl export --since 2026-11-01 --until 2026-12-01 --output november.csv --manifest
      auditctl export --committed-since start --snapshot-file last --output 1.csv
      auditctl export --committed-since "$(cat last)" --snapshot-file last --output 2.csv
      auditctl export --archive /srv/archive --since 2019-01-01 --until 2020-01-01 --output 2019.csv
    """
    since = _since(committed_since, is_asked=snapshot_file is not None)
    request = ExportRequest(
        filters, BY_NAME[format_name], Order(order), raw, committed_since=since.snapshot, has_snapshot=since.is_asked,
        columns=columns, everywhere=choice.everywhere,
    )  # fmt: skip
    choice.require_columns(columns)
    if choice.is_used:
        choice.refuse({"--manifest": has_manifest}, "--archive and --everywhere", _NO_MANIFEST)
        choice.refuse({
            "--committed-since": committed_since is not None,
            "--snapshot-file": snapshot_file is not None,
        }, "--archive and --everywhere")  # fmt: skip
        with ignoring_broken_pipe():
            result = write_export(session, choice, request, path, force=force)
        session.say(f"Exported {plural(result.events, 'event')}, {plural(result.size, 'byte')}{_to(path)}.")
        return
    if has_manifest and path == output.STANDARD:
        raise click.UsageError("--manifest needs a file: --output FILE")
    with ignoring_broken_pipe():
        result = _write(session, request, path, force=force, has_manifest=has_manifest)
    if result.event_id is None:
        print_warning("the server is read-only, so this export is not recorded in the log")
    if snapshot_file is not None:
        with output.destination(snapshot_file, stdout=sys.stdout.fileno(), force=True) as sink:
            sink.write_texts([f"{result.snapshot}\n"])
    session.say(f"Exported {plural(result.events, 'event')}, {plural(result.size, 'byte')}{_to(path)}.")
    if since.is_asked:
        session.say(f"To go on from here: --committed-since {result.snapshot}")
    elif filters.values.keys() & {"since", "until"} and result.running:
        session.say(
            f"warning: {plural(result.running, 'transaction')} may still commit events of these times. To miss none, "
            "export with --committed-since instead."
        )


def _write(session: Session, request: ExportRequest, path: str, *, force: bool, has_manifest: bool) -> ExportResult:
    """Write the file and its manifest, and then record the end."""
    stdout, digest, evidence = sys.stdout.fileno(), None, None
    if has_manifest and not force:
        output.require_new(path, path + manifest.SUFFIX, path + PROOFS_SUFFIX)
    # The connection is made after the paths are known to be good, and used once the file is complete.
    with ExitStack() as connection:
        with ExitStack() as beside:
            described_sink = None
            if has_manifest:
                described_sink = beside.enter_context(
                    output.destination(path + manifest.SUFFIX, stdout=stdout, force=force)
                )
                output.require_writable(path + PROOFS_SUFFIX, force=force)

            def prove() -> None:
                nonlocal evidence
                evidence = _prove(session, conn, request, sink, path, beside, force=force)

            with (
                output.destination(path, stdout=stdout, force=force, code=request.format.harmless) as sink,
                progress.counter(session, "events") as show,
            ):
                conn = connection.enter_context(session.connect(READER))
                result = export_log(
                    conn, request, sink, lambda events, size: show(events, f"{size / 1e6:,.1f} MB"),
                    prove if has_manifest else None,
                )  # fmt: skip
            if described_sink is not None:
                document = manifest.build(conn, request, result, Path(path).name, evidence)
                digest = str(document[manifest.DIGEST])
                described_sink.write_texts([manifest.text(document)])
        record_end(conn, request.filters, result, digest)
        resolved = request.filters.resolve(conn)
        for sentence in (*resolved.doubts(conn), *remarks.coverage_of(conn, resolved).gaps):
            session.say(sentence)
    return result


def _prove(
    session: Session, conn: Connection, request: ExportRequest, sink: Sink, path: str, beside: ExitStack, *, force: bool
) -> Mapping[str, Any] | None:
    """Write the proofs of the rows that were just written; return what the manifest says of them, None without any."""
    if not row_prover.is_sealed(conn):
        return None
    obstacle = exported_event.obstacle(request.format, request.columns)
    written = None if obstacle else sink.read_again()
    if written is None:
        session.say(obstacle or f"No row is proved: {sink.name} cannot be read back.")
        return None
    try:
        with text_lines(written) as lines, progress.counter(session, "proofs") as show, ExitStack() as proofs:
            target = proofs.enter_context(output.destination(path + PROOFS_SUFFIX, stdout=-1, force=force))
            found = row_prover.write(
                conn, lines, request.format, target,
                lambda rows, size: show(rows, f"{size / 1e6:,.1f} MB"), is_safe=request.is_safe,
                columns=request.columns,
            )  # fmt: skip
            beside.push(proofs.pop_all())  # they appear with the manifest
    except EvidenceError as error:
        print_warning(f"no row is proved: {error}. See what differs: auditctl verify")
        return None
    if count := found["proofs"].get(DIFFERENT):
        print_warning(f"{plural(count, 'event')} cannot be proved: not as sealed, or not as the file can hold it")
    return found


def _to(path: str) -> str:
    return "" if path == output.STANDARD else f", to {path}"
