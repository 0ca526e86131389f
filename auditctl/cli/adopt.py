"""`auditctl adopt`: makes a restored or copied store sound where it is now."""

from __future__ import annotations

import click

from auditctl.cli import printing
from auditctl.cli.options import reason_option
from auditctl.cli.session import Session, pass_session


@click.command(short_help="Make a restored or copied store sound in this database.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@reason_option
@pass_session
def adopt(session: Session, dry_run: bool) -> None:
    """Make the store sound in a database that was restored from a dump, or copied from a template.

    It creates the roles that are missing, gives the store back to auditctl_owner, grants what the dump left out,
    repairs rows and numbers, brings capture and the coverage guard up to date with the tables as they are here, and
    records all that in the log. One transaction; it may be repeated. Until then check and doctor exit with 3, and
    install, enable, apply and maintain refuse.

    Needs a superuser, or the login that owns the restored store.

    \b
    Examples:
      auditctl --dsn postgresql://postgres@db.example/restored adopt --dry-run
      auditctl --dsn postgresql://postgres@db.example/restored adopt --reason "restore test 12"
    """
    from auditctl import adoption  # Alembic is slow to load

    adopted = adoption.adopt(session.dsn, dry_run=dry_run, reason=session.reason)
    for step in adopted.steps:
        printing.print_text(step)
    for problem in adopted.problems:
        session.say(f"warning: {problem}")
    if adopted.problems:
        session.say(
            "Capture is as it was restored. State the rules with: auditctl enable TABLE, or auditctl apply FILE"
        )
    if adopted.phrase is None:
        session.say("The store is in its place." if not adopted.steps else "The store was in its place.")
    else:
        session.say(f"{'Would adopt' if dry_run else 'Adopted'} the store, which {adopted.phrase}.")
    if not adopted.is_guarded:
        session.say("The coverage guard is off: only a superuser can switch it on, by running adopt or install.")
