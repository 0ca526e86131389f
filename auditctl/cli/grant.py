"""`auditctl grant` and `revoke`: change who belongs to auditctl's roles."""

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

    An administrator reads everything, grants reader, and records business events. Installing triggers takes the login
    that ran install, or a superuser.

    \b
    Examples:
      auditctl grant reader carol
      auditctl grant app billing_web
    """
    with session.connect() as conn:
        is_changed = roles.grant(conn, role, login)
    session.say(f"Granted {role} to {login}." if is_changed else f"{login} has {role} already.")


@click.command()
@role_argument
@click.argument("login")
@pass_session
def revoke(session: Session, role: str, login: str) -> None:
    """Revoke from LOGIN a role that was granted to it."""
    with session.connect() as conn:
        is_changed = roles.revoke(conn, role, login)
    session.say(f"Revoked {role} from {login}." if is_changed else f"{login} does not have {role}.")
