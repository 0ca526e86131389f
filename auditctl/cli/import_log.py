"""`auditctl import-log`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from auditctl.cli import progress
from auditctl.cli.session import Session, pass_session
from auditctl.errors import DriftError
from auditctl.log import times
from auditctl.log_import.event_builder import Options
from auditctl.log_import.importer import Import, Request
from auditctl.log_import.report import Summary
from auditctl.text import plural

ADMIN = "Ask the DBA for: auditctl grant admin {login}"

POLL_SECONDS = 1.0
"""How long --follow waits before it looks again."""

LEFT_OUT = (
    ("recorded", "in the log already, by auditctl's policy"),
    ("known", "imported before, or named twice by a statement"),
    ("waiting", "of transactions or statements that have not ended; the next import sees to them"),
    ("other", "of tables that are not audited; --all-tables takes them too"),
    ("nameless", "of pgaudit without a table; set pgaudit.log_relation = on, or use pgaudit.role"),
    ("foreign", "of other databases"),
    ("earlier", "of before --since"),
    ("expired", "of a time whose events retention has removed"),
)


@click.command()
@click.argument("paths", metavar="FILE|FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--since", metavar="TIME", help="Leave out lines of before: a date, a time with offset, or 7d, 24h, 30m.")
@click.option("--query", "with_query", is_flag=True, help="Keep the statement's text, secrets in it included.")
@click.option("--all-tables", "any_table", is_flag=True, help="Take reads of tables that are not audited, too.")
@click.option("--again", "is_again", is_flag=True, help="Read files from their start; what was imported stays known.")
@click.option("--dry-run", is_flag=True, help="Say what would be imported, and import nothing.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written later, until Ctrl-C.")
@pass_session
def import_log(
    session: Session,
    *,
    paths: tuple[Path, ...],
    since: str | None,
    with_query: bool,
    any_table: bool,
    is_again: bool,
    dry_run: bool,
    follow: bool,
) -> None:
    """Import reads from the server's log, each once.

    Reads jsonlog and csvlog, also compressed by gzip: the lines of pgaudit, and those of auditctl's own policy whose
    event was rolled back or could not be written. Files may grow, be rotated and renamed: each run goes on where the
    last one ended. Exits with 3 if lines were malformed or forged.

    \b
    Examples:
      auditctl import-log /var/log/postgresql
      auditctl import-log --dry-run --since 7d postgresql-2026-11-25.json
      auditctl import-log --follow /var/log/postgresql
    """
    if dry_run and follow:
        raise click.UsageError("--dry-run and --follow exclude each other")
    moment = None if since is None else times.parse(since).at(datetime.now(UTC))
    request = Request(paths, Options(moment, with_query, any_table), is_again, not dry_run)
    with progress.counter(session, "lines") as show, session.connect(ADMIN) as conn:
        done = Import(conn, request, lambda summary: show(summary.lines, plural(summary.made, "read")))
        if follow:
            _follow(done)
        else:
            done.run()
            _warn_of_doubts(done.summary, done.summary.malformed, done.summary.forged)
    _tell(session, done.summary, is_kept=not dry_run)


def _follow(done: Import) -> None:
    """Import again and again until Ctrl-C, which loses nothing: what was not stored is read again."""
    malformed = forged = 0
    try:
        while True:
            done.run()
            summary = done.summary
            _warn_of_doubts(summary, summary.malformed - malformed, summary.forged - forged)
            malformed, forged = summary.malformed, summary.forged
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _tell(session: Session, summary: Summary, *, is_kept: bool) -> None:
    """Say what was found; warnings also with --quiet."""
    files = plural(summary.files, "file")
    verb = "imported" if is_kept else "to be imported; nothing was changed"
    session.say(f"{summary.lines:,} new lines in {files}: {plural(summary.made, 'read')} {verb}.")
    for name, text in LEFT_OUT:
        if lines := getattr(summary, name):
            session.say(f"  {lines:,} {text}")
    if summary.unfinished:
        session.say(f"  {summary.unfinished:,} file(s) end in the middle of a line; the next import reads on")
    if summary.replaced:
        _warn(f"{summary.replaced:,} lines hold text that is no UTF-8; it is replaced")
    if summary.malformed or summary.forged:
        raise DriftError("not every line could be believed", hint="Look at the lines named above.")


def _warn_of_doubts(summary: Summary, malformed: int, forged: int) -> None:
    """Name the lines of this pass that were not believed; forget where they are."""
    if malformed:
        _warn(f"{malformed:,} malformed lines were left out: {_places(malformed, summary.malformed_at)}")
    if forged:
        _warn(f"{forged:,} forged lines were left out: {_places(forged, summary.forged_at)}")
    summary.malformed_at.clear()
    summary.forged_at.clear()


def _places(number: int, places: list[str]) -> str:
    return ", ".join([*places, *(["..."] if number > len(places) else [])])


def _warn(message: str) -> None:
    from auditctl.display import harmless

    click.echo(f"warning: {harmless(message)}", err=True)
