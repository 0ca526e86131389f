"""`auditctl uninstall`: removes auditctl from a database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from auditctl import output, removal
from auditctl.cli import progress
from auditctl.cli.batch_progress import batch_progress
from auditctl.cli.capture import lock_timeout_option
from auditctl.cli.known_values import FILES, complete
from auditctl.cli.options import confirm, reason_option
from auditctl.cli.printing import print_text
from auditctl.cli.session import Session, pass_session
from auditctl.database import Connection
from auditctl.display import harmless
from auditctl.errors import AuditctlError, ConfigurationError, UsageError
from auditctl.log import counted_export
from auditctl.log.counted_export import Extent
from auditctl.log.formats import BY_NAME
from auditctl.output import Sink
from auditctl.removal import ClusterRole, Removal
from auditctl.text import in_quotes, plural

_MAX_NAMES = 10
"""How many names a line lists."""


@click.command(short_help="End all capture; drop the log after an export, or keep it.")
@click.option(
    "--export",
    "path",
    metavar="FILE",
    shell_complete=complete(FILES),
    help="Export the whole log first: JSON Lines if FILE ends in .jsonl.",
)
@click.option("--drop-log", is_flag=True, help="Drop the log and the store, once --export has written every event.")
@click.option("--yes-i-mean-it", "name", metavar="NAME", help="With --drop-log: the name of the database.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, without doing it.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@lock_timeout_option
@reason_option
@pass_session
def uninstall(
    session: Session,
    *,
    path: str | None,
    drop_log: bool,
    name: str | None,
    dry_run: bool,
    yes: bool,
    lock_timeout: str,
) -> None:
    """End the capture of every table and switch the coverage guard off. The log stays readable.

    Triggers and read policies go, and row security becomes what it was before reads were recorded. The export comes
    first, while capture is on: if it fails, nothing was changed. What comes meanwhile is added to it. With --drop-log
    everything else goes too: the store is dropped if it still has the events that were exported, nothing depends on
    it, and no legal hold is in force; at last its roles, unless another database uses them. Nothing is ever dropped
    with CASCADE.

    It shows what it will do, and asks. Each step is one transaction (capture takes several if the lock table has no
    room for all tables): stopped at any point, it leaves complete what is done, and may be run again. Needs a
    superuser, or the login that installed where no guard is.

    \b
    Examples:
      auditctl uninstall --dry-run
      auditctl uninstall
      auditctl uninstall --export log.jsonl --drop-log --yes-i-mean-it app
    """
    _require_agreement(path, name, drop_log=drop_log)
    with session.connect() as conn:
        found = removal.survey(conn)
        if drop_log and not dry_run:
            _require_name(name, found.database)
        for line in _plan(found, path, drop_log=drop_log):
            (session.say if path == output.STANDARD else print_text)(harmless(line))
        if drop_log and found.problems:
            raise ConfigurationError(found.problems, hint="Drop, move or release them first, or keep the log.")
        if dry_run:
            return
        if not _may_go_on(yes=yes or (drop_log and not sys.stdin.isatty())):
            session.say("Nothing was changed.")
            return
        exported = _end(session, conn, found, path, lock_timeout)
        if drop_log and exported is not None:
            _report(session, removal.drop(conn, exported, lock_timeout))


def _require_agreement(path: str | None, name: str | None, *, drop_log: bool) -> None:
    if not drop_log:
        if name is not None:
            raise click.UsageError("--yes-i-mean-it is for --drop-log alone")
        return
    if path is None or path == output.STANDARD:
        raise click.UsageError("--drop-log needs --export FILE")
    if Path(path).exists() and not Path(path).is_file():
        raise click.UsageError(f"--drop-log needs an export that stays: {in_quotes(path)} is not a regular file")


def _require_name(name: str | None, database: str) -> None:
    if name != database:
        raise UsageError(
            f"--yes-i-mean-it {in_quotes(name or '')} does not name the database, {in_quotes(database)}",
            hint="With --drop-log it must be named: nothing brings a dropped log back.",
        )


def _end(session: Session, conn: Connection, found: Removal, path: str | None, lock_timeout: str) -> Extent | None:
    """End all capture, and export the log if there is a path; return what was exported.

    The export comes first, so that one that fails changes nothing.
    """
    row = BY_NAME["jsonl" if (path or "").endswith(".jsonl") else "csv"]
    with ExitStack() as stack:
        sink = path and stack.enter_context(output.destination(path, stdout=sys.stdout.fileno(), code=row.harmless))
        show = stack.enter_context(progress.counter(session, "events"))
        earlier = None
        if isinstance(sink, Sink) and not found.is_ended:
            with _changing_nothing():
                earlier = counted_export.export(conn, row, sink, show)
        with batch_progress(session) as watch:
            removal.end_capture(conn, lock_timeout, watch)
        session.say("Capture and the coverage guard are off.")
        if not isinstance(sink, Sink):
            return None
        exported = counted_export.export(conn, row, sink, show, earlier).extent
    session.say(f"Exported all {plural(exported.events, 'event')}, to {path}.")
    return exported


@contextmanager
def _changing_nothing() -> Iterator[None]:
    """Say in the hints of errors that nothing was changed."""
    try:
        yield
    except AuditctlError as error:
        error.hint = f"Nothing was changed. {error.hint.replace('--output', '--export')}".rstrip()
        raise


def _may_go_on(*, yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "uninstall asks before it changes anything", hint="In a script use --yes, or look with --dry-run."
        )
    return confirm("Uninstall?")


def _plan(found: Removal, path: str | None, *, drop_log: bool) -> list[str]:
    """Return what will be done, a line each."""
    lines = [f"Capture ends: {_listed(found.tables) or 'no table is audited'}."]
    if found.read_tables:
        lines.append(f"Row security becomes what it was before: {_listed(found.read_tables)}.")
    lines.append(f"Coverage guard: {'switched off' if found.is_guarded else 'is off'}.")
    if found.dependents:
        lines.append(f"Depend on the store: {_listed(found.dependents)}.")
    if path is not None:
        lines.append(f"The log, {found.size / 1e6:,.1f} MB, is exported to {path}.")
    if not drop_log:
        lines.append("The log stays in schema auditctl, for readers, with its roles.")
        return [*lines, "The rules are removed. To have them again, save them first: auditctl config > audit.toml"]
    if found.mentions:
        lines.append(f"Will fail, as they call the store: {_listed(found.mentions)}.")
    lines.append("Applications that call auditctl.set_context or auditctl.record_event will fail.")
    lines.append("Then the log and everything else in the store's schemas is dropped.")
    return [*lines, *(_fate(role, found.roles) for role in found.roles)]


def _fate(role: ClusterRole, roles: tuple[ClusterRole, ...]) -> str:
    members = f"; its members: {_listed(role.members)}" if role.members else ""
    used = sorted({name for each in roles for name in each.databases})
    if used:
        return f"Role {role.name} stays, for the stores of other databases: {_listed(used)}{members}."
    return f"Role {role.name} is dropped{members}."


def _report(session: Session, remaining: tuple[ClusterRole, ...]) -> None:
    session.say("The log and the store are dropped.")
    used = sorted({name for role in remaining for name in role.databases})
    if used:
        session.say(f"The roles stay: other databases use them: {_listed(used)}.")
    elif remaining:
        session.say(
            f"The roles stay, as something else depends on them, or as this login may not drop them: "
            f"drop role {', '.join(role.name for role in remaining)}"
        )
    else:
        session.say("The roles are dropped.")


def _listed(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more
