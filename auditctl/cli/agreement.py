"""The option `--uncover`, and the question on a terminal instead: nothing hidden is recorded in the clear silently."""

from __future__ import annotations

import sys

import click

from auditctl.capture import plan_summary
from auditctl.capture.uncovered import Agree, Uncovered
from auditctl.cli.options import confirm
from auditctl.cli.session import Session

uncover_option = click.option(
    "--uncover",
    is_flag=True,
    help="Agree that columns which were excluded or masked until now are recorded in the clear.",
)


def agreement(session: Session, is_given: bool, *, is_asking: bool = True) -> Agree:
    """Return what agrees to uncover columns: the option, or else the person at the terminal.

    Args:
        session: The session.
        is_given: Whether the option was given.
        is_asking: Whether stdin may be a terminal with a person at it.
    """

    def agree(uncovered: tuple[Uncovered, ...]) -> bool:
        if is_given:
            return True
        if not is_asking or not sys.stdin.isatty():
            return False
        for text in plan_summary.limited([one.sentence for one in uncovered], "table"):
            session.say(f"{text}.")
        return confirm("Record them in the clear from now on?")

    return agree
