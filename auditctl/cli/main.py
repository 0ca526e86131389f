"""The command line's entry point: the commands, the global options, and the exit codes."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from auditctl import __version__
from auditctl.cli.printing import print_message, print_messages
from auditctl.cli.session import Session
from auditctl.errors import AuditctlError
from auditctl.text import did_you_mean, in_quotes

INTERRUPTED = 130

COMMANDS = {
    "install": "install",
    "adopt": "adopt",
    "uninstall": "uninstall",
    "enable": "capture",
    "disable": "capture",
    "tables": "capture",
    "events": "events",
    "plan": "plan",
    "apply": "plan",
    "check": "plan",
    "config": "plan",
    "doctor": "doctor",
    "log": "log",
    "show": "log",
    "history": "log",
    "view": "view",
    "export": "export",
    "check-export": "check_export",
    "follow": "follow",
    "serve": "serve",
    "stats": "stats",
    "record": "record",
    "import-log": "import_log",
    "baseline": "reconcile",
    "reconcile": "reconcile",
    "maintain": "maintain",
    "archive": "archive",
    "restore-archive": "restore_archive",
    "keygen": "keygen",
    "seal": "seal",
    "checkpoint": "checkpoint",
    "verify": "verify",
    "prove": "prove",
    "verify-proof": "prove",
    "metrics": "metrics",
    "hold": "hold",
    "erase": "erase",
    "access": "access",
    "grant": "grant",
    "revoke": "grant",
    "backup-role": "grant",
    "completion": "completion",
    "demo": "demo",
}
"""Each command and the module below auditctl.cli that holds it, in the order of the help. Modules load on use."""


class Commands(click.Group):
    """The commands, in the order in which a new user meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments begin with; the error of an unknown name suggests one."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            suggestion = did_you_mean(args[0], COMMANDS, before=" Did you mean ")
            ctx.fail(f"No such command {in_quotes(args[0])}.{suggestion}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command's module and return the command, or None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(
            import_module(f"auditctl.cli.{COMMANDS[cmd_name]}"), cmd_name.replace("-", "_")
        )
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--dsn", metavar="DSN", help="Connection string or URI. Default: AUDITCTL_DSN, else libpq's environment.")
@click.option("--quiet", "-q", is_flag=True, help="Print data and errors only.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="auditctl")
@click.pass_context
def cli(ctx: click.Context, dsn: str | None, quiet: bool, debug: bool) -> None:
    """A write-once activity log inside PostgreSQL: who did what to which record, and when.

    Start with `auditctl install`, then `auditctl enable SCHEMA.TABLE`, then `auditctl log`.
    """
    if dsn is None:
        dsn = os.environ.get("AUDITCTL_DSN", "")
    ctx.obj = Session(dsn=dsn, quiet=quiet, debug=debug)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code docs/reference/commands.md gives."""
    signal.signal(signal.SIGTERM, _terminate)
    words = sys.argv[1:] if arguments is None else arguments
    if shell := os.environ.get("_AUDITCTL_COMPLETE"):
        _complete(shell)
    if "--debug" not in words:
        # psycopg warns of what fails while it cleans up after an error, which has a message of its own.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
    try:
        code: Any = _run(words)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is becomes a message and an exit code
        if "--debug" in words and not isinstance(error, click.exceptions.Exit):
            print_messages(traceback.format_exc())
        code = _exit_code(error)
    sys.exit(code if isinstance(code, int) else 0)


def _complete(shell: str) -> NoReturn:
    """Print what completes the line that the script of a shell passes, and exit."""
    from auditctl.cli.completion import answer  # only the tab key needs it

    sys.stdout.buffer.write(answer(cli, shell).encode("utf-8", "surrogateescape"))
    sys.stdout.flush()
    sys.exit(0)


def _exit_code(error: BaseException) -> int:
    """Print the error, and return its exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case AuditctlError():
            return _report(str(error), error.hint, error.exit_code)
        case click.exceptions.NoArgsIsHelpError():
            print_messages(error.format_message())
            return 2
        case click.ClickException():
            # click names the type of a number with bounds `integer range`.
            message = error.format_message().replace(" is not a valid integer range", " is not a whole number")
            return _report(message, _usage_hint(error), 2)
        case click.Abort() | KeyboardInterrupt():
            return _report("interrupted", "", INTERRUPTED)
        case BrokenPipeError():
            # The reader has seen enough. Nothing more may be written, not even at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case OSError():
            where = f": {error.filename}" if error.filename else ""
            return _report(f"{error.strerror or error}{where}", "", 1)
        case _:
            message = f"unexpected {type(error).__name__}: {error}"
            return _report(message, "Run again with --debug and report it.", 1)


def _run(words: list[str]) -> Any:
    """Run the command line without click's own main, which has other exit codes for a closed pipe and Ctrl-C."""
    if any("\udc80" <= character <= "\udcff" for word in words for character in word):
        raise click.UsageError("an argument is not valid in the terminal's encoding")
    with cli.make_context("auditctl", words) as context:
        return cli.invoke(context)


def _report(message: str, hint: str, code: int) -> int:
    for line in message.splitlines():
        print_message(f"error: {line}")
    if hint:
        print_message(f"hint: {hint}")
    return code


def _usage_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"See: {context.command_path} --help" if context else ""


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
