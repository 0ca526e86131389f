"""`auditctl grant` and `revoke`."""

from __future__ import annotations

import click

from auditctl.capture import roles
from auditctl.cli.session import Session, pass_session
from auditctl.names import GRANTABLE_ROLES

role_argument = click.argument("role", type=click.Choice(list(GRANTABLE_ROLES)))


@click.command(short_help="Let a login read, administer or name users.")
@role_argument
@click.argument("login")
@pass_session
def grant(session: Session, role: str, login: str) -> None:
    """Let LOGIN read the log (reader), administer it (admin), or name its application's users (app).

    An administrator reads everything, makes others readers, and records business events. To install triggers takes the
    login that ran install, or a superuser.

    \b
    Examples:
      auditctl grant reader carol
      auditctl grant app billing_web
    """
    with session.connect() as conn:
        done = roles.grant(conn, role, login)
    session.say(f"{login} is now {role}." if done else f"{login} was {role} already.")


@click.command()
@role_argument
@click.argument("login")
@pass_session
def revoke(session: Session, role: str, login: str) -> None:
    """Take from LOGIN what grant gave."""
    with session.connect() as conn:
        done = roles.revoke(conn, role, login)
    session.say(f"{login} is no longer {role}." if done else f"{login} was not {role}.")
