"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click

from auditctl.cli.known_values import RULES, complete
from auditctl.cli.session import Session
from auditctl.reason import require_reason

Command = TypeVar("Command", bound=Callable[..., Any])


def table_or_json(help_text: str) -> Callable[[Command], Command]:
    """Return the option `--format table|json`, which the command gets as `output`."""
    return click.option(
        "--format",
        "output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help=help_text,
    )


only_option = click.option(
    "--only",
    metavar="GLOB",
    shell_complete=complete(RULES),
    multiple=True,
    help="Look at these tables alone: a name, or a glob in quotes such as 'tenant_004.*'. Repeatable.",
)


def keep_reason(context: click.Context, _: click.Parameter, reason: str | None) -> str | None:
    """Validate a reason, and make it that of the session."""
    session = context.find_object(Session)
    if reason is not None and session is not None:
        require_reason(reason)
        context.obj = replace(session, reason=reason)
    return reason


reason_option = click.option(
    "--reason",
    metavar="TEXT",
    expose_value=False,
    callback=keep_reason,
    help="Why, such as the number of a ticket: recorded with each event of this command.",
)


def confirm(question: str) -> bool:
    """Ask a question on stderr; the end of the input means no."""
    try:
        return click.confirm(question, err=True)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            return False
        raise
