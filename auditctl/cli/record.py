"""`auditctl record`: records a business event."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import click

from auditctl.actions import Action
from auditctl.addresses import parse_address
from auditctl.cli.known_values import TARGETS, USERS, complete
from auditctl.cli.options import reason_option
from auditctl.cli.printing import print_text
from auditctl.cli.session import Session, pass_session
from auditctl.errors import UsageError
from auditctl.log.record import BUSINESS_ACTIONS, MAX_DATA_BYTES, BusinessEvent, record_event, require_json
from auditctl.text import in_quotes

RECORDER = "Ask the DBA for: auditctl grant app {login}"
"""The hint for a login that may not record events."""


@click.command(short_help="Record a business event, such as a login.")
@click.argument("target", shell_complete=complete(TARGETS))
@click.argument("key", metavar="ID")
@click.argument("summary", required=False)
@click.option("--data", metavar="JSON", help="Details as JSON, or @FILE for a file with JSON, or - for standard input.")
@click.option(
    "--action",
    type=click.Choice([action.lower() for action in BUSINESS_ACTIONS]),
    default=Action.EVENT.lower(),
    show_default=True,
    help="event, or read if somebody was shown data.",
)
@click.option(
    "--actor",
    metavar="NAME",
    shell_complete=complete(USERS),
    help="The user. Trusted only from a login that was granted app.",
)
@click.option("--ip", metavar="ADDRESS", help="The client's address. Trusted only from a login that was granted app.")
@reason_option
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
    """Record a business event, which changes no row, and print its number.

    TARGET is the subject, such as billing.invoice or auth.login, and ID its key; write '' if it has none. SUMMARY is
    one sentence for people, which only a read may omit. If the configuration switches such events off, nothing is
    recorded and no number is printed.

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
        result = record_event(conn, event)
        login = conn.info.user
    if result.event_id is None:
        session.say(f"Events of {target} are switched off: nothing was recorded.")
        return
    if not result.is_believed:
        session.say(
            f"warning: --actor and --ip are only claims of {login}, which is not an application: the event names "
            f"{login} as its user. If it is one: auditctl grant app {login}"
        )
    print_text(str(result.event_id))


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return parse_address("" if "%" in text else text)  # the database knows no zones
    except ValueError:
        raise UsageError(f"{in_quotes(text)} is not an address", hint="Write 203.0.113.7 or 2001:db8::7.") from None


def _data(option: str | None) -> str | None:
    """Return the JSON that an option contains or refers to."""
    if option is None:
        return None
    if option != "-" and not option.startswith("@"):
        return require_json(option, "--data")
    name = "standard input" if option == "-" else option[1:]
    try:
        with nullcontext(sys.stdin.buffer) if option == "-" else Path(name).open("rb") as file:
            raw = file.read(MAX_DATA_BYTES + 1)  # enough to notice that it is too much
        # A cut text may end within a character.
        text = raw.decode("utf-8-sig", "replace" if len(raw) > MAX_DATA_BYTES else "strict")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"cannot read {name}: {reason}", hint="Give @FILE with JSON in it, or - for stdin.") from error
    return require_json(text, name)
