"""`auditctl import-log`: imports reads, failed logins and refusals from the server's own log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from auditctl.cli import progress
from auditctl.cli.known_values import FILES, TIMES, complete
from auditctl.cli.options import reason_option
from auditctl.cli.printing import print_warning
from auditctl.cli.session import ADMIN, Session, pass_session
from auditctl.errors import DriftError
from auditctl.log import times
from auditctl.log_import.event_builder import Options
from auditctl.log_import.formats.line_format import LONGEST
from auditctl.log_import.importer import Importer, ImportRequest
from auditctl.log_import.report import Rejected, Summary
from auditctl.log_import.sources import TARGETS
from auditctl.text import plural

POLL_SECONDS = 1.0
"""How long --follow waits before it looks again."""

LEFT_OUT = {
    "recorded": "already in the log, from auditctl's policy",
    "known": "imported before, or of a table that the statement names twice",
    "waiting": "of transactions or statements that are still open; picked up by the next import",
    "other": "of tables that are not audited; --all-tables imports them too",
    "nameless": "of pgaudit without a table; set pgaudit.log_relation = on, or use pgaudit.role",
    "foreign": "of other databases",
    "anonymous": "that do not name user and database",
    "unmatched": "that do not begin with log_line_prefix, such as the output of other programs",
    "unverifiable": "of pgaudit in a format that does not show whether a login wrote them",
    "earlier": "before --since",
    "expired": "of a time whose events retention has removed",
}
"""Why lines were not imported, by their outcome."""

REJECTED: tuple[tuple[str, Callable[[Summary], Rejected]], ...] = (
    ("malformed {}", lambda summary: summary.malformed),
    (f"{{}} longer than {LONGEST >> 20} MiB", lambda summary: summary.oversize),
    ("forged {}", lambda summary: summary.forged),
)
"""Lines that cannot be trusted: what they are called, and where they are counted."""


@click.command()
@click.argument(
    "paths",
    metavar="FILE|FOLDER...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=complete(FILES),
)
@click.option(
    "--since",
    metavar="TIME",
    shell_complete=complete(TIMES),
    help="Skip earlier lines: a date, a time, today, or 7d, 1h30m ago.",
)
@click.option("--query", "with_query", is_flag=True, help="Store the statement's text, with any secrets in it.")
@click.option("--all-tables", "any_table", is_flag=True, help="Also import reads of tables that are not audited.")
@click.option(
    "--prefix",
    metavar="TEXT",
    help="log_line_prefix of a log of text; otherwise the server's, or a usual one that fits.",
)
@click.option(
    "--time-zone", metavar="NAME", help="log_timezone of a log of text, for zones such as CET; otherwise the server's."
)
@click.option("--again", "restart", is_flag=True, help="Read files from their start; no read is imported twice.")
@click.option("--dry-run", is_flag=True, help="Show what would be imported, without importing it.")
@click.option("--follow", "-f", is_flag=True, help="Continue with lines that are written later, until Ctrl-C.")
@reason_option
@pass_session
def import_log(
    session: Session,
    *,
    paths: tuple[Path, ...],
    since: str | None,
    with_query: bool,
    any_table: bool,
    prefix: str | None,
    time_zone: str | None,
    restart: bool,
    dry_run: bool,
    follow: bool,
) -> None:
    """Import reads, failed logins and refused statements from the server's log, each once.

    Reads jsonlog, csvlog, stderr and syslog, and the logs of RDS, Cloud SQL, Azure and CloudNativePG, also compressed
    by gzip: the lines of pgaudit about reads, DDL and roles, failed logins,
    refused statements, and the lines of auditctl's own policy whose event was rolled back or could not be written.
    Files may grow, be rotated and renamed: each run continues where the last one ended. Exits with 3 if lines were
    malformed, longer than 16 MiB, or forged.

    \b
    Examples:
      auditctl import-log /var/log/postgresql
      auditctl import-log --dry-run --since 7d postgresql-2026-11-25.json
      auditctl import-log --follow /var/log/postgresql
    """
    if dry_run and follow:
        raise click.UsageError("--dry-run and --follow exclude each other")
    start = None if since is None else times.parse(since).at(datetime.now(UTC))
    request = ImportRequest(paths, Options(start, with_query, any_table), restart, dry_run, prefix, time_zone)
    with progress.counter(session, "lines") as show, session.connect(ADMIN) as conn:
        importer = Importer(conn, request, lambda summary: show(summary.lines, _reads(summary)))
        if follow:
            _follow(importer)
        else:
            importer.run()
            _warn_of_rejected(importer.summary, [0] * len(REJECTED))
    _print_summary(session, importer.summary, dry_run=dry_run)


def _follow(importer: Importer) -> None:
    """Import again and again until Ctrl-C, which loses nothing: what was not stored is read again."""
    before = [0] * len(REJECTED)
    try:
        while True:
            importer.run()
            before = _warn_of_rejected(importer.summary, before)
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _print_summary(session: Session, summary: Summary, *, dry_run: bool) -> None:
    """Print the counts; warnings also with --quiet."""
    verb = "to be imported; nothing was changed" if dry_run else "imported"
    session.say(f"{summary.lines:,} new lines in {plural(summary.files, 'file')}: {_reads(summary)} {verb}.")
    for outcome, text in LEFT_OUT.items():
        if lines := summary.outcomes[outcome]:
            session.say(f"  {lines:,} {text}")
    for name, reason in summary.left_out.items():
        session.say(f"  {name} left out: {reason}")
    for prefix, losses in summary.prefixes.items() if summary.lines else ():
        session.say(f"  log_line_prefix = '{prefix}' lacks {'; '.join(losses)}")
    if summary.unfinished:
        session.say(f"  {summary.unfinished:,} file(s) end in the middle of a line; the next import continues there")
    if summary.replaced:
        replaced = plural(summary.replaced, "line")
        print_warning(f"{replaced} with text that is not valid UTF-8; the invalid bytes were replaced")
    if any(rejected(summary).count for _, rejected in REJECTED):
        raise DriftError("not every line can be trusted", hint="Look at the lines listed above.")


def _warn_of_rejected(summary: Summary, before: Sequence[int]) -> list[int]:
    """List the lines that this pass rejected, given the counts before it; return the counts after it."""
    counts = []
    for (kind, rejected_of), known in zip(REJECTED, before, strict=True):
        rejected = rejected_of(summary)
        if number := rejected.count - known:
            lines = kind.format("line" if number == 1 else "lines")
            print_warning(f"{number:,} {lines} left out: {_places(number, rejected)}")
        rejected.places.clear()
        counts.append(rejected.count)
    return counts


def _reads(summary: Summary) -> str:
    """Return how many events of each kind; reads always, as they are what most logs are imported for."""
    others = [plural(number, *names) for target, names in TARGETS.items() if (number := summary.outcomes[target])]
    return ", ".join([plural(summary.outcomes["made"], "read"), *others])


def _places(number: int, rejected: Rejected) -> str:
    return ", ".join([*rejected.places, *(["..."] if number > len(rejected.places) else [])])
