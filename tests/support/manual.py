"""The manual pages in docs/man, in roff: auditctl(1) and one for each command, from the help texts of the commands."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import click

from auditctl import __version__
from auditctl.cli.main import COMMANDS, cli
from tests.support.reference import EXIT_CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}


def pages() -> dict[str, str]:
    """Each manual page's text by its file's name."""
    # With the settings of a real run: click remembers in the command which names its help option has.
    context = click.Context(cli, info_name="auditctl", **cli.context_settings)
    found = {"auditctl.1": _page("auditctl", "write-once activity log inside PostgreSQL", _overview(context))}
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=context)
        title = command.get_short_help_str(100).rstrip(".")
        found[f"auditctl-{name}.1"] = _page(f"auditctl-{name}", title, _command(command, below))
    return found | {"pgauditctl.1": ".so man1/auditctl.1\n"}


def _page(name: str, title: str, body: Iterator[str]) -> str:
    head = f'.TH {escape(name.upper())} 1 "" "auditctl {escape(__version__)}" "auditctl"'
    also = "auditctl(1)" if name != "auditctl" else "psql(1)"
    lines = [head, ".SH NAME", f"{escape(name)} \\- {escape(title)}", *body, ".SH SEE ALSO", _line(also)]
    return "\n".join(lines) + "\n"


def _overview(context: click.Context) -> Iterator[str]:
    yield from (".SH SYNOPSIS", r"\fBauditctl\fR [OPTIONS] COMMAND [ARGS]...", ".SH DESCRIPTION")
    yield from _prose(cli.help or "")
    yield from _options(cli, "OPTIONS")
    yield ".SH COMMANDS"
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield from (".TP", rf"\fB{escape(f'auditctl-{name}')}\fR(1)", _line(command.get_short_help_str(100)))
    yield ".SH ENVIRONMENT"
    yield from (".TP", r"\fBAUDITCTL_DSN\fR", _line("The connection string or URI, unless --dsn names one."))
    yield from (".TP", r"\fBPGSERVICE, PGHOST, PGPASSFILE, ...\fR", _line("As for psql, where neither says it."))
    yield ".SH EXIT STATUS"
    for code, text in EXIT_CODES.items():
        yield from (".TP", rf"\fB{code}\fR", _line(text))


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from (".SH SYNOPSIS", _usage(command, context), ".SH DESCRIPTION")
    yield from _prose(command.help or "")
    yield from _options(command, "OPTIONS")
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            below = click.Context(part, info_name=name, parent=context)
            yield from (f".SH {escape(below.command_path.upper())}", _usage(part, below), ".PP")
            yield from _prose(part.help or "")
            yield from _options(part, "")


def _usage(command: click.Command, context: click.Context) -> str:
    return rf"\fB{escape(context.command_path)}\fR {escape(' '.join(command.collect_usage_pieces(context)))}"


def _options(command: click.Command, title: str) -> Iterator[str]:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    if options and title:
        yield f".SH {title}"
    for option in options:
        choices = "|".join(option.type.choices) if isinstance(option.type, click.Choice) else ""
        value = "" if option.is_flag else rf" \fI{escape(option.metavar or choices or 'TEXT')}\fR"
        default = f" Default: {option.default}." if option.show_default else ""
        yield ".TP"
        yield ", ".join(rf"\fB{escape(name)}\fR{value}" for name in option.opts)
        yield _line(f"{option.help or ''}{default}")


def _prose(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if paragraph.startswith("\b"):
            lines = paragraph.removeprefix("\b\n").splitlines()
            yield from (".PP", ".nf", *(_line(line) for line in lines), ".fi")
        else:
            yield from ([".PP"] if number else [])
            yield _line(" ".join(paragraph.split()))


def _line(text: str) -> str:
    """A line of text: code in bold, and nothing that roff would take for a request."""
    escaped = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", escape(text))
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def escape(text: str) -> str:
    """The text as roff writes it: what it would replace or take for a command is escaped, and so is all but ASCII."""
    return "".join(ESCAPES.get(c) or (c if c.isascii() else f"\\[u{ord(c):04X}]") for c in text)
