"""The generated parts of the documentation: commands, filters, formats, checks, exit codes, and the keys of a rule."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from auditctl.capture.rule_keys import KEYS
from auditctl.cli.main import COMMANDS, cli
from auditctl.doctor.model import Severity
from auditctl.doctor.registry import CHECKS
from auditctl.log.columns import COLUMNS
from auditctl.log.filters import FILTERS, ZONE, ZONE_HELP
from auditctl.log.formats import EXPORTS, FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_CODES = {
    0: "Success. Also if the reader of a pipe closes it early.",
    1: "Unexpected, or the output could not be written.",
    2: "Usage: an unknown command, option or filter value, such as a table the log does not know, or an output file "
    "that exists or cannot be created.",
    3: "The database differs from the rules, or a check found something.",
    4: "The configuration does not fit the database, or is not valid. Every problem is listed.",
    5: "Database: no connection, no permission, or a lock timeout.",
    6: "The store is missing, or its version differs from the tool's.",
    130: "Interrupted by Ctrl-C or by a signal to end.",
}


def generated() -> str:
    """The generated part of the reference."""
    return "\n".join([*_commands(), *_filters(), *_formats(), *_checks(), *_exit_codes()])


def rule_keys() -> str:
    """The table of the keys of [[table]] in docs/reference/configuration.md."""
    rows = [f"| `{key.name}` | {_cell(key.help)} | {key.otherwise} |" for key in KEYS]
    return "\n".join(
        [
            "| key of `[[table]]` | meaning | default |\n|---|---|---|",
            "| `name` | `schema.table`, or a glob. | required |",
            *rows,
            "| `keep` | How long the table's events are kept, see [Retention](#retention). | as in `[retention]` |\n",
        ]
    )


def _commands() -> Iterator[str]:
    yield "## Options before the command\n"
    yield from _options(cli)
    # With the settings of a real run: click remembers in the command which names its help option has.
    context = click.Context(cli, info_name="auditctl", **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=context)
        yield f"## auditctl {name}\n"
        yield f"```text\nauditctl {name} {' '.join(command.collect_usage_pieces(below))}\n```\n"
        yield from _prose(command.help or "")
        yield from _options(command)
        if isinstance(command, click.Group):
            yield from _subcommands(command, below)


def _subcommands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name, command in group.commands.items():
        below = click.Context(command, info_name=name, parent=context)
        yield f"### {below.command_path}\n"
        yield f"```text\n{below.command_path} {' '.join(command.collect_usage_pieces(below))}\n```\n"
        yield from _prose(command.help or "")
        yield from _options(command)


def _options(command: click.Command) -> Iterator[str]:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    if not options:
        return
    yield "| option | meaning |\n|---|---|"
    for option in options:
        names = ", ".join(f"`{name}{_value(option)}`" for name in option.opts)
        yield f"| {names} | {_cell(option.help or '')}{_default(option)} |"
    yield ""


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    choices = "\\|".join(option.type.choices) if isinstance(option.type, click.Choice) else ""
    return f" {option.metavar or choices or 'TEXT'}"


def _default(option: click.Option) -> str:
    return f" Default: {option.default}." if option.show_default else ""


def _prose(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            lines = paragraph.removeprefix("\b\n").removeprefix("Examples:\n").splitlines()
            yield "```sh\n" + "\n".join(line.strip() for line in lines) + "\n```\n"
        else:
            yield " ".join(paragraph.split()) + "\n"


def _filters() -> Iterator[str]:
    yield "## Filters\n"
    yield "| filter | value | selects | repeatable |\n|---|---|---|---|"
    for row in FILTERS:
        yield f"| `--{row.name}` | {row.metavar} | {_cell(row.help)} | {'yes' if row.repeatable else 'no'} |"
    yield f"| `--{ZONE}` | ZONE | nothing. {ZONE_HELP} | no |"
    yield ""


def _formats() -> Iterator[str]:
    yield "## Formats\n"
    yield "| format | is | in `export` |\n|---|---|---|"
    for some in FORMATS:
        yield f"| `{some.name}` | {_cell(some.help)} | {'yes' if some in EXPORTS else 'no'} |"
    yield "\nThe columns of CSV, and the keys of JSON, in this order:\n"
    yield f"```text\n{','.join(COLUMNS)}\n```\n"


def _checks() -> Iterator[str]:
    yield "## Checks\n"
    yield "`auditctl doctor` makes these checks. A remedy is SQL for psql or a command for a shell; a finding shows it"
    yield "with the names filled in. Severities:\n"
    yield "| severity | meaning |\n|---|---|"
    yield from (f"| {severity} | {severity.help} |" for severity in Severity)
    yield "\n| check | severity | finds | remedy |\n|---|---|---|---|"
    yield from (f"| `{c.name}` | {c.severity} | {_cell(c.title)} | `{_cell(c.remedy)}` |" for c in CHECKS)
    yield ""


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| code | meaning |\n|---|---|"
    yield from (f"| {code} | {_cell(text)} |" for code, text in EXIT_CODES.items())
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
