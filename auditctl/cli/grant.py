"""`auditctl grant`, `revoke` and `backup-role`: change who belongs to auditctl's roles."""

from __future__ import annotations

import click

from auditctl.capture import roles
from auditctl.cli.known_values import LOGINS, complete
from auditctl.cli.options import reason_option
from auditctl.cli.session import Session, pass_session
from auditctl.names import GRANTABLE_ROLES
from auditctl.text import plural

role_argument = click.argument("role", type=click.Choice(list(GRANTABLE_ROLES)))


@click.command(short_help="Let a login read, administer or name users.")
@role_argument
@click.argument("login", shell_complete=complete(LOGINS))
@reason_option
@pass_session
def grant(session: Session, role: str, login: str) -> None:
    """Let LOGIN read the log (reader), administer it (admin), name its application's users (app), or dump it (backup).

    An administrator reads everything, changes what is audited of all tables or of those that [admin] in the file names,
    grants reader, and records business events. The role backup lets LOGIN select from every table of the store; to dump
    a whole database it needs more: see backup-role.

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
@click.argument("login", shell_complete=complete(LOGINS))
@reason_option
@pass_session
def revoke(session: Session, role: str, login: str) -> None:
    """Revoke from LOGIN a role that was granted to it; revoking backup also takes back what backup-role granted."""
    with session.connect() as conn:
        is_changed = roles.revoke(conn, role, login)
    session.say(f"Revoked {role} from {login}." if is_changed else f"{login} does not have {role}.")


@click.command(short_help="Let a login dump the whole database.")
@click.argument("login", shell_complete=complete(LOGINS))
@reason_option
@pass_session
def backup_role(session: Session, login: str) -> None:
    """Let LOGIN dump the whole database, the log and its secrets included, with pg_dump.

    Grants what that needs and no more: the role backup, membership in pg_read_all_data, and BYPASSRLS. Only a superuser
    may grant all three; from PostgreSQL 16 on, also a login with CREATEROLE and BYPASSRLS that administers LOGIN and
    pg_read_all_data. Reads by LOGIN leave no event, so use it for nothing else. LOGIN can write nothing. doctor accepts
    it; auditctl revoke backup LOGIN takes all three back.

    \b
    Example:
      auditctl backup-role nightly
      pg_dump -U nightly -Fc shop > shop.dump
    """
    with session.connect() as conn:
        is_changed = roles.grant_backup(conn, login)
        unreadable = roles.unreadable_large_objects(conn, login)
    session.say(f"{login} can dump the whole database{'' if is_changed else ' already'}.")
    if unreadable:
        session.say(
            f"warning: it may not read {plural(unreadable, 'large object')}, where its pg_dump fails. Grant it "
            "select on each, or use pg_dump --no-blobs."
        )
