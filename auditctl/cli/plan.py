"""`auditctl plan`, `apply`, `check` and `config`: compare the database with the rules, and change it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from auditctl import metrics, place
from auditctl.capture import apply as capture_apply
from auditctl.capture import plan_summary, statements, stored_file
from auditctl.capture.config import document as configuration
from auditctl.capture.config.document import Document
from auditctl.capture.plan import Plan
from auditctl.cli.agreement import agreement, uncover_option
from auditctl.cli.batch_progress import batch_progress
from auditctl.cli.capture import lock_timeout_option, print_warnings
from auditctl.cli.known_values import FILES, complete
from auditctl.cli.options import confirm, only_option, reason_option
from auditctl.cli.printing import print_text
from auditctl.cli.session import READER, Session, pass_session
from auditctl.display import harmless, harmless_toml
from auditctl.doctor import acceptance
from auditctl.errors import AuditctlError, DriftError, UsageError
from auditctl.text import plural

file_argument = click.argument("file", required=False, shell_complete=complete(FILES))
verbose_option = click.option("--verbose", is_flag=True, help="Show every change and warning, however many there are.")


@click.command()
@file_argument
@click.option("--sql", is_flag=True, help="Print the SQL statements instead.")
@only_option
@verbose_option
@pass_session
def plan(session: Session, file: str | None, sql: bool, only: tuple[str, ...], verbose: bool) -> None:
    """Show what apply would do, without doing it.

    FILE (- for stdin) states all rules: a table that is not in it is disabled. Without FILE the rules stored in the
    database apply. More than 20 changes are summed up by rule, kind and reason, with an example for each.
    """
    with session.connect(READER) as conn:
        place.require(conn)
        planned = capture_apply.plan(conn, _document(file), only)
    if sql:
        for piece in statements.script(planned):
            print_text(piece)
    else:
        _print_changes(planned, verbose)
    _print_warnings(session, planned, verbose)


@click.command()
@file_argument
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--batch",
    metavar="N",
    type=click.IntRange(min=1),
    help="The most tables in a transaction. Default: all if the server's lock table has room for them, else 100.",
)
@click.option("--thorough", is_flag=True, help="Compare every function, also where its digest says that it is sound.")
@lock_timeout_option
@uncover_option
@only_option
@verbose_option
@reason_option
@pass_session
def apply(
    session: Session,
    file: str | None,
    yes: bool,
    batch: int | None,
    thorough: bool,
    lock_timeout: str,
    uncover: bool,
    only: tuple[str, ...],
    verbose: bool,
) -> None:
    """Make the database match the rules.

    FILE (- for stdin) states all rules: a table that is not in it is disabled. Without FILE the rules stored in the
    database apply. On a terminal it asks before changing anything. What was excluded or masked until now is recorded in
    the clear only if you say so, there or with --uncover; --yes does not.

    With --only, tables and rules that it does not name stay as they are, as do event types, retention and archives.

    A function whose digest is as the store has it counts as sound. A superuser can write both: doctor finds that, and
    --thorough repairs it.

    It takes one transaction, so that everything is done or nothing. If the server's lock table has no room for all
    tables, or with --batch, it takes several: each table is then either as before or done, also after an interruption,
    and the next apply does the rest.
    """
    document = _document(file)
    approval = _Approval(session, is_asking=not yes and file != "-" and sys.stdin.isatty(), verbose=verbose)
    with session.connect() as conn, batch_progress(session) as watch:
        applied = capture_apply.apply(
            conn,
            document,
            only=only,
            lock_timeout=lock_timeout,
            approve=approval,
            uncover=agreement(session, uncover, is_asking=file != "-"),
            batch=batch,
            watch=watch,
            is_thorough=thorough,
        )
    if approval.is_refused:
        session.say("Nothing was changed.")
        return
    _print_warnings(session, applied, verbose)
    if applied.number:
        session.say(f"Applied {plural(applied.number, 'change')}.")


class _Approval:
    """Shows the first plan and asks about it; later ones, made because the database changed, must do no more."""

    def __init__(self, session: Session, *, is_asking: bool, verbose: bool) -> None:
        self.is_refused = False
        self._session, self._is_asking, self._verbose = session, is_asking, verbose
        self._shown: Plan | None = None

    def __call__(self, planned: Plan) -> bool:
        if self._shown is not None:
            return _matches_preview(planned, self._shown)
        self._shown = planned
        for line in _lines(planned, self._verbose):
            self._session.say(line)
        self.is_refused = not planned.is_done and self._is_asking and not confirm("Apply?")
        return not self.is_refused


@click.command(short_help="Exit with 3 if the database differs from the rules.")
@file_argument
@only_option
@verbose_option
@pass_session
def check(session: Session, file: str | None, only: tuple[str, ...], verbose: bool) -> None:
    """Exit with 3 if the database differs from the rules, with 4 if a rule does not fit it, with 0 if neither.

    FILE (- for stdin) states all rules. Without FILE the rules stored in the database apply. A rule that does not fit
    hides no difference of the others.
    """
    with session.connect(READER) as conn:
        place.require(conn)
        planned, misfit = capture_apply.check(conn, _document(file), only)
        if not only:
            problems = len(misfit.problems) if misfit is not None else 0
            metrics.record_run(conn, "check", planned.number + problems + len(planned.unseen))
    _print_changes(planned, verbose)
    print_warnings(session, planned, verbose)
    difference = f"{plural(planned.number, 'difference')} between the rules and the database"
    if misfit is not None:
        if planned.number:
            session.say(f"{difference}, apart from rules that do not fit")
        raise misfit
    if planned.number:
        raise DriftError(difference, hint=f"Fix with: auditctl apply{_arguments(file, only)}")
    if planned.unseen:
        raise DriftError(
            "the log may lack or repeat changes, although the database matches the rules",
            hint="See what to do about each warning: auditctl doctor",
        )


@click.command(short_help="Print the rules in force as TOML.")
@pass_session
def config(session: Session) -> None:
    """Print the rules in force and all other sections, as TOML that apply accepts and that then plans nothing."""
    with session.connect(READER) as conn:
        document = stored_file.read(conn)
    print_text(document, harmless_toml, end="")


def _document(file: str | None) -> Document | None:
    if file is None:
        return None
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = raw.decode("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read {file}: {reason}", hint="Give a TOML file, or - for stdin.") from error
    document = configuration.load(text, "stdin" if file == "-" else file)
    return replace(document, problems=(*document.problems, *acceptance.problems(document.accepted or ())))


def _matches_preview(planned: Plan, preview: Plan) -> bool:
    """Refuse changes that the preview did not show; it may have shown some that somebody else applied meanwhile."""
    now, then = ({*p.pending, *p.rule_differences, *p.retention.differences} for p in (planned, preview))
    if not now <= then:
        raise AuditctlError(
            "the database changed after the plan was shown; nothing was done", hint="Show it again with: auditctl plan"
        )
    return True


def _arguments(file: str | None, only: Sequence[str]) -> str:
    """Return the arguments of a command as typed into a shell, after a blank; empty without any."""
    options = [f" --only {shlex.quote(name)}" for name in only]
    return "".join([f" {file}" if file else "", *options])


def _lines(planned: Plan, verbose: bool) -> list[str]:
    uncovered = [f"UNCOVER {one.sentence}" for one in planned.uncovered]
    times = [f"RETAIN  {difference.sentence}" for difference in planned.retention.differences]
    changes = plan_summary.lines(planned, is_whole=verbose)
    uncovered = plan_summary.limited(uncovered, "table", is_whole=verbose)
    keys = plan_summary.limited([f"KEY     {text}" for text in planned.keys], "key", is_whole=verbose)
    return [*uncovered, *changes, *keys, *times, *([planned.retention.warning] if planned.retention.warning else [])]


def _print_changes(planned: Plan, verbose: bool) -> None:
    for line in _lines(planned, verbose):
        print_text(harmless(line))


def _print_warnings(session: Session, planned: Plan, verbose: bool) -> None:
    print_warnings(session, planned, verbose)
    if planned.is_done:
        session.say("Nothing to do: the database matches the rules.")
