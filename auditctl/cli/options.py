"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

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
    multiple=True,
    help="Look at these tables alone: a name, or a glob in quotes such as 'tenant_004.*'. Repeatable.",
)


def confirm(question: str) -> bool:
    """Ask a question on stderr; the end of the input means no."""
    try:
        return click.confirm(question, err=True)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            return False
        raise
