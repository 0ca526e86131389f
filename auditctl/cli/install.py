"""`auditctl install`: creates or upgrades the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from auditctl import actor_sources
from auditctl.cli.options import reason_option
from auditctl.cli.printing import print_text
from auditctl.cli.session import Session, pass_session

if TYPE_CHECKING:
    from auditctl.store import Installation


@click.command(short_help="Create or upgrade the store.")
@click.option("--sql", is_flag=True, help="Print the script instead, for a DBA to review and run with psql.")
@click.option("--from", "from_revision", metavar="REVISION", help="With --sql: upgrade from this revision.")
@click.option(
    "--actor-from",
    metavar="SETTING[:PATH]",
    multiple=True,
    help="Take the actor from this setting where auditctl.actor is not set, or from a member of its JSON, such as "
    "request.jwt.claims:sub. Repeatable, in order; replaces the list, which later installs keep.",
)
@click.option("--no-actor-from", is_flag=True, help="Take the actor from auditctl.actor alone again.")
@reason_option
@pass_session
def install(
    session: Session, sql: bool, from_revision: str | None, actor_from: tuple[str, ...], no_actor_from: bool
) -> None:
    """Create or upgrade the store: its schemas and five roles.

    Needs a superuser, or a login with CREATEROLE and with CREATE on the database. A superuser also gets the coverage
    guard: event triggers that keep audited tables audited, and the store as it is, through DDL. Where it is on, only a
    superuser installs again. Refuses a role auditctl_owner that has members of others. Safe to run again at any time:
    it also creates the monthly partitions that are missing. Everything happens in one transaction.

    \b
    Examples:
      auditctl --dsn postgresql://dba@db.example/app install
      auditctl install --sql > install.sql
      auditctl install --actor-from request.jwt.claims:sub
    """
    from auditctl import store  # Alembic is slow to load, and only this command needs it.

    if from_revision is not None and not sql:
        raise click.UsageError("--from goes with --sql")
    if actor_from and no_actor_from:
        raise click.UsageError("--actor-from and --no-actor-from exclude each other")
    sources = actor_sources.parse(actor_from) if actor_from or no_actor_from else None
    if sql:
        print_text(store.install_script(from_revision, reason=session.reason, actor_from=sources), end="")
        return
    _report(session, store.install(session.dsn, reason=session.reason, actor_from=sources))


def _report(session: Session, result: Installation) -> None:
    """Say what an install did."""
    if not result.changed:
        session.say(f"The store is already there, at revision {result.after}.")
    elif result.before is None:
        session.say(f"Installed the store, revision {result.after}. Next: auditctl enable SCHEMA.TABLE")
    else:
        session.say(f"Upgraded the store from revision {result.before} to {result.after}. Next: auditctl apply")
    for warning in result.warnings:
        session.say(f"warning: {warning}")
    if result.is_guarded and not result.was_guarded:
        session.say("The coverage guard is on.")
    if result.actor_sources:
        session.say(f"Where auditctl.actor is not set, the actor is taken from: {', '.join(result.actor_sources)}")
    if result.before is None:
        session.say("A whole pg_dump now takes a superuser, or a login named by: auditctl backup-role LOGIN")
    if not result.is_guarded:
        session.say("The coverage guard is off: only a superuser can switch it on, by running install.")
