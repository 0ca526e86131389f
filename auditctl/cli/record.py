"""`auditctl record`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import click

from auditctl.actions import Action
from auditctl.cli.session import Session, pass_session
from auditctl.errors import UsageError
from auditctl.log.record import ACTIONS, LARGEST_DATA, BusinessEvent, record_event, require_json

RECORDER = "Ask the DBA for: auditctl grant app {login}"
"""What to do where the login may not record events."""


@click.command(short_help="Record a business event, such as a login.")
@click.argument("target")
@click.argument("key", metavar="ID")
@click.argument("summary", required=False)
@click.option(
    "--data", metavar="JSON", help="More of it: JSON, or @FILE for a file that holds it, or - for standard input."
)
@click.option(
    "--action",
    type=click.Choice([action.lower() for action in ACTIONS]),
    default=Action.EVENT.lower(),
    show_default=True,
    help="event; or read, if somebody was shown something.",
)
@click.option("--actor", metavar="NAME", help="Who did it. Believed only of a login that was granted app.")
@click.option("--ip", metavar="ADDRESS", help="From where. Believed only of a login that was granted app.")
@pass_session
def record(
    session: Session,
    *,
    target: str,
    key: str,
    summary: str | None,
    data: str | None,
    action: str,
    actor: str | None,
    ip: str | None,
) -> None:
    """Record what is no change of a row, and print the number of the event.

    TARGET names what it is about, such as billing.invoice or auth.login. ID says which one; write '' where there is
    none. SUMMARY is one sentence for people; only a read may go without. If the configuration switches such events
    off, nothing is recorded and no number printed.

    \b
    Examples:
      auditctl record billing.invoice 17 'reminder sent' --data '{"channel": "mail"}'
      auditctl record auth.login '' 'signed in' --actor alice --ip 203.0.113.7
      auditctl record billing.customer 7 'shown in report 12' --action read --actor alice
      pg_dump --version | jq -R . | auditctl record ops.backup nightly 'backup made' --data -
    """
    event = BusinessEvent(
        target, key or None, summary, _data(data), Action(action.upper()), actor, None if ip is None else _address(ip)
    )
    with session.connect(RECORDER) as conn:
        done = record_event(conn, event)
        login = conn.info.user
    if done.event_id is None:
        session.say(f"Events of {target} are switched off: nothing was recorded.")
        return
    if not done.is_believed:
        session.say(
            f"warning: --actor and --ip are only claims of {login}, which is no application: the event names {login} "
            f"as who did it. If it is one: auditctl grant app {login}"
        )
    click.echo(done.event_id)


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address("" if "%" in text else text)  # the database knows no zones
    except ValueError:
        raise UsageError(f"{text!r} is no address", hint="Write 203.0.113.7 or 2001:db8::7.") from None


def _data(option: str | None) -> str | None:
    """Return the JSON that an option means."""
    if option is None:
        return None
    if option != "-" and not option.startswith("@"):
        return require_json(option, "--data")
    name = "standard input" if option == "-" else option[1:]
    try:
        with nullcontext(sys.stdin.buffer) if option == "-" else Path(name).open("rb") as file:
            raw = file.read(LARGEST_DATA + 1)  # enough to see that it is too much
        # What is cut may end within a character.
        text = raw.decode("utf-8-sig", "replace" if len(raw) > LARGEST_DATA else "strict")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read {name}: {reason}", hint="Give @FILE with JSON in it, or - for stdin.") from error
    return require_json(text, name)
