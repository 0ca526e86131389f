"""The documentation: what the code can tell is generated into it, what it says of commands and files is true."""

from __future__ import annotations

import inspect
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from auditctl import errors
from auditctl.capture import config
from auditctl.capture.actions import ACTIONS
from auditctl.cli.main import COMMANDS, INTERRUPTED, cli
from auditctl.log import events
from auditctl.log.filters import FILTERS
from auditctl.log.formats import EXPORTS, FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
START, END = "<!-- generated: make docs -->\n", "<!-- end of generated -->\n"

EXIT_CODES = {
    0: "Done. Also when the reader of a pipe has seen enough.",
    1: "Unexpected, or the output could not be written.",
    2: "Usage: an unknown command, option or filter value, such as a table the log does not know, or an output file "
    "that exists or cannot be made.",
    3: "The database differs from the rules, or a check found something.",
    4: "The configuration does not fit the database, or is not valid. Every problem is listed.",
    5: "Database: no connection, no permission, a lock that was not to be had in time.",
    6: "The store is missing, or of another version than the tool.",
    130: "Interrupted by Ctrl-C or by a request to end.",
}

CATALOG = """
    select c.relname, a.attname from pg_class as c join pg_attribute as a on a.attrelid = c.oid
     where c.relnamespace = 'audit'::regnamespace and c.relkind in ('p', 'r', 'v') and not c.relispartition
       and a.attnum > 0 and not a.attisdropped and c.relname <> 'alembic_version'
"""
FUNCTIONS = """
    select distinct p.proname from pg_proc as p, unnest(array['audit_reader', 'audit_app', 'audit_admin']) as role
     where p.pronamespace = 'audit'::regnamespace and has_function_privilege(role, p.oid, 'execute')
"""


def generated() -> str:
    """The generated part of the reference."""
    return "\n".join([*_commands(), *_filters(), *_formats(), *_exit_codes()])


def _commands() -> Iterator[str]:
    yield "## Options before the command\n"
    yield from _options(cli)
    context = click.Context(cli, info_name="auditctl")
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=context)
        yield f"## auditctl {name}\n"
        yield f"```text\nauditctl {name} {' '.join(command.collect_usage_pieces(below))}\n```\n"
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
    yield ""


def _formats() -> Iterator[str]:
    yield "## Formats\n"
    yield "| format | is | in `export` |\n|---|---|---|"
    for some in FORMATS:
        yield f"| `{some.name}` | {_cell(some.help)} | {'yes' if some in EXPORTS else 'no'} |"
    yield "\nThe columns of CSV, and the keys of JSON, in this order:\n"
    yield f"```text\n{','.join(events.COLUMNS)}\n```\n"


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield "| code | meaning |\n|---|---|"
    yield from (f"| {code} | {_cell(text)} |" for code, text in EXIT_CODES.items())
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _codes_of(error: type[errors.AuditctlError]) -> set[int]:
    return {error.exit_code}.union(*(_codes_of(child) for child in error.__subclasses__()))


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def code_of(page: Path) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", page.read_text("utf-8")))


def typed_commands(page: Path) -> list[list[str]]:
    """The words of each auditctl command in a page's shell blocks and examples of output."""
    text = "\n".join(block for language in ("sh", "console") for block in fenced(page, language))
    lines = [line.removeprefix("$ ") for line in text.replace("\\\n", " ").splitlines()]
    found = [match[0] for line in lines if (match := re.search(r"\bauditctl (?!=).*", line))]
    return [_until_shell(shlex.split(line, comments=True)) for line in found if not line.startswith("auditctl:")]


def _until_shell(words: list[str]) -> list[str]:
    end = next((index for index, word in enumerate(words) if word in ("|", ">", "2>", "<", "&&", "||", ";")), None)
    return words[1:end]


def test_reference_says_what_the_code_says(update_golden: bool) -> None:
    text = REFERENCE.read_text("utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    wanted = f"{before}{START}\n{generated()}\n{END}{after}"
    if update_golden:
        REFERENCE.write_text(wanted, "utf-8")
    else:
        assert text == wanted, "run: make docs"


def test_every_exit_code_is_documented() -> None:
    assert set(EXIT_CODES) == _codes_of(errors.AuditctlError) | {0, INTERRUPTED}


def test_every_command_and_option_has_a_help_text() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help, name
        for option in command.params:
            assert not isinstance(option, click.Option) or option.help, f"{name} {option.name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
        if link.startswith(("https://", "http://")):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_documentation_are_understood(page: Path) -> None:
    for words in typed_commands(page):
        name = next((word for word in words if word in COMMANDS), None)
        if name is None:
            assert set(words) <= {"--help", "--version"}, words
            continue
        before, after = words[: words.index(name)], words[words.index(name) + 1 :]
        context = cli.make_context("auditctl", [*before, name])
        command = cli.get_command(context, name)
        assert command is not None, words
        if "--help" not in after:
            command.make_context(name, after, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configuration_files_in_the_documentation_are_valid(page: Path) -> None:
    for block in fenced(page, "toml"):
        if "[[table]]" in block or "[defaults]" in block:
            assert config.load(block, page.name).problems == ()
        tomllib.loads(block)


def test_every_key_of_the_configuration_file_is_documented() -> None:
    documented = code_of(ROOT / "docs" / "configuration.md")
    assert documented >= {*config._KEYS, "actions", *(captured.option for captured in ACTIONS)}


def test_schema_page_names_every_table_column_function_and_role(conn: psycopg.Connection[Any]) -> None:
    documented = code_of(ROOT / "docs" / "schema.md")
    columns = conn.execute(CATALOG).fetchall()
    functions = {f"audit.{name}" for (name,) in conn.execute(FUNCTIONS)}
    named = {word.partition("(")[0] for word in documented}
    assert {f"audit.{table}" for table, _ in columns} <= named
    assert {column for _, column in columns} <= named
    assert functions <= named
    assert {"audit_owner", "audit_admin", "audit_reader", "audit_app", "UA001", "UA002"} <= named
