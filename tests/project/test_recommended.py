"""Commands, options, functions and statements that a message recommends exist, and are accepted as they are written."""

from __future__ import annotations

import ast
import re
import shlex
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import psycopg
import pytest

from auditctl.cli.main import COMMANDS, cli
from auditctl.errors import OutputError
from auditctl.output import STANDARD_NAME, Sink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

ROOT = Path(__file__).resolve().parents[2]
VALUE = "\0"
"""Stands for what a message fills in."""

NAMED = re.compile(r"(?:(?P<certain>(?<=: )auditctl|`auditctl|\b[Rr]un auditctl)|\bauditctl) (?P<rest>[^`]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
STATEMENT = re.compile(
    rf"(?<=: )(?:select|alter|create|drop|grant|revoke|set|reset) (?!it )(?:[^`.]|(?<=\w)\.(?=[\w{VALUE}]))+"
)
CALL = re.compile(r"\b(auditctl(?:_internal)?)\.(\w+)\(([^()]*)\)")
LITERAL = re.compile(r"(?<![\w$])[eE]?'((?:[^']|'')*)'(\s*\|\|)?")
COMMAND_LINE = re.compile(r"auditctl_internal\.command_line\('([a-z-]+)', (?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)")

FUNCTIONS = """
    select p.pronamespace::regnamespace::text, p.proname, p.pronargs - p.pronargdefaults, p.pronargs
      from pg_proc as p
     where p.pronamespace::regnamespace::text like 'auditctl%%'
"""

ELSEWHERE = {"--enable-row-security", "--no-blobs", "--upgrade", "--help"}
"""Options of pg_dump and pip that messages name, and what no command declares itself."""


class Message(NamedTuple):
    """A text of the product: where it is, and its words."""

    place: str
    text: str


def python_texts(path: Path) -> Iterator[Message]:
    """Every string of a module, as it is put together; `VALUE` for what is filled in."""
    nodes = tuple(ast.walk(ast.parse(path.read_text("utf-8"))))
    help_texts = {
        id(node.body[0].value)
        for node in nodes
        if isinstance(node, ast.FunctionDef) and isinstance(node.body[0], ast.Expr) and "cli" in path.parts
    }
    documentation = {
        id(node.value) for node in nodes if isinstance(node, ast.Expr) and id(node.value) not in help_texts
    }
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if id(node) in documentation:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            text = re.sub(r"\{\w+\}", VALUE, node.value)
        else:
            continue
        for line in text.replace("\\\n", " ").splitlines() if "\n" in text else [text]:
            yield Message(f"{path.relative_to(ROOT)}:{node.lineno}", line.strip())


def sql_texts(path: Path) -> Iterator[Message]:
    """Every literal of an SQL file, with those that it is concatenated with."""
    text = "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("--"))
    text = COMMAND_LINE.sub(rf"'auditctl \1 {VALUE}'", text)
    text = re.sub(r"(?<=[^'])'\s*\|\|\s*'(?=[^'])", "", re.sub(r"(?<=[^'])'\s*\n\s*'(?=[^'])", "", text))
    for found in LITERAL.finditer(text):
        line = re.sub(r"%[sIL]", VALUE, found[1].replace("''", "'")) + (VALUE if found[2] else "")
        yield Message(f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}", line)


@cache
def messages() -> list[Message]:
    """All texts of the product; read by the tests alone, as every worker of a run imports this module."""
    return [
        *(message for path in sorted(ROOT.joinpath("auditctl").rglob("*.py")) for message in python_texts(path)),
        *(message for path in sorted(ROOT.joinpath("sql").rglob("*.sql")) for message in sql_texts(path)),
        *(
            Message(str(path.relative_to(ROOT)), re.sub(r"<[^>]*>|\{\{[^}]*\}\}", VALUE, line).strip())
            for path in sorted(ROOT.joinpath("auditctl/web/templates").rglob("*.html"))
            for line in path.read_text("utf-8").splitlines()
        ),
    ]


def parses(words: list[str]) -> bool:
    """Whether the command line accepts words; `VALUE` and words in capitals stand for values."""
    for value in ("1", "reader", "start"):
        filled = [re.sub(rf"{VALUE}|^[A-Z_]{{2,}}$", value, word) for word in words]
        with suppress(click.ClickException, click.exceptions.Exit, AssertionError):
            _parse(cli, "auditctl", filled)
            return True
    return False


def _parse(command: click.Command, name: str, words: list[str], parent: click.Context | None = None) -> None:
    if words[-1:] in (["--help"], ["-h"]):
        words = words[:-1]
        if len(words) == 1 and isinstance(command, click.Group):
            assert command.get_command(click.Context(command), words[0])
        return
    context = command.make_context(name, list(words), parent=parent)
    if isinstance(command, click.Group):
        found, inner, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert inner is not None
        _parse(inner, found or "", rest, context)


@cache
def is_accepted(rest: str) -> bool:
    """Whether the start of a text is a command line; up to its last option, where its sentence names options."""
    sentence = re.split(r"(?<=\S)[.;:,)]*(?:\s\(|\s*$)|[.;,)]+\s|\s(?:or|and|then) (?=auditctl|by)|\s\| ", rest)[0]
    try:
        words = shlex.split(sentence)
    except ValueError:
        words = sentence.split()
    options = [number for number, word in enumerate(words) if word.startswith("--")]
    least = options[-1] + 1 if options else 1
    return any(parses(words[:end]) for end in range(len(words), least - 1, -1))


def test_commands_that_messages_recommend_are_accepted() -> None:
    refused = []
    for message in messages():
        for found in NAMED.finditer(re.sub(rf"(?<=\w){VALUE}", f" {VALUE}", message.text)):
            word = re.sub(r"[.,;:)]+$", "", found["rest"].split(" ")[0])
            is_command = word in COMMANDS or word.startswith("--")
            if not is_accepted(found["rest"]) if is_command else found["certain"]:
                refused.append((message.place, f"auditctl {found['rest']}"))
    assert refused == []


def test_options_that_messages_name_exist() -> None:
    known = {
        option
        for command in _commands(cli)
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    named = {
        (message.place, option)
        for message in messages()
        if " " in message.text
        for option in OPTION.findall(message.text)
    }
    assert {place for place in named if place[1] not in known | ELSEWHERE} == set()


def test_functions_and_statements_that_messages_recommend_are_accepted(conn: psycopg.Connection) -> None:
    functions = conn.execute(FUNCTIONS).fetchall()
    for message in messages():
        found = STATEMENT.findall(message.text)
        recommended = [one.replace("''", "'").partition("';")[0].rstrip(";") for one in found]
        for statement in recommended:
            filled = re.sub(rf"(?<![\w]){VALUE}(?!\w)", "x", statement)
            try:
                conn.execute(f"do $do$ begin if false then {filled}; end if; end $do$".encode())
            except psycopg.errors.SyntaxError as error:
                pytest.fail(f"{message.place}: {statement!r}: {error}")
        for schema, name, arguments in CALL.findall("; ".join(recommended)):
            number = len([argument for argument in arguments.split(",") if argument.strip()])
            assert any(
                (schema, name) == function[:2] and function[2] <= number <= function[3] for function in functions
            ), (message.place, name)


def _commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from _commands(inner)


def test_command_that_lists_tables_is_for_readers_too(
    db: str, login: MakeLogin, auditctl: RunAuditctl, conn: psycopg.Connection
) -> None:
    conn.execute("create table sold (id int primary key)")
    auditctl("enable", "sold", dsn=db, check=0)
    reader = login("carol", roles=["auditctl_reader"])
    for words in (["log", "--target", "nowhere"], ["history", "nowhere", "1"]):
        hint = auditctl(*words, dsn=reader.dsn, check=2).err.splitlines()[-1]
        command = shlex.split(hint.partition("auditctl ")[2])
        assert "public.sold" in auditctl(*command, dsn=reader.dsn, check=0).out


def test_full_standard_output_names_no_option_that_only_exports_have() -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(OutputError) as error:
        Sink(full.fileno(), STANDARD_NAME).write_texts(["x"])
    assert error.value.hint == "Free some space, or write to another place."
