"""What the tab key offers: commands, options and values, also from the database, and nothing where there is none."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import click
import pytest

from auditctl.cli.completion import SHELLS
from auditctl.cli.main import COMMANDS, cli
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

FREE = {
    "actor_from", "after", "authority", "batch", "before", "block", "data", "database", "dsn", "event_id", "events",
    "every", "from_revision", "host", "idle_timeout", "ip", "keep_hot", "key", "label", "limit", "lock_timeout",
    "metrics_dsn", "name", "port", "prefix", "proxies", "reason", "root_path", "rows", "summary", "target_id",
    "time_zone", "to_dsn", "user_header",
}  # fmt: skip
"""Parameters whose value nobody can guess."""


def commands(command: click.Command, path: str = "auditctl") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from commands(inner, f"{path} {name}")


SHOP = """
    create schema billing;
    create schema "we ird";
    create table billing.customer (id int primary key, name text, card_number text);
    create table billing.invoice (id int primary key, amount numeric);
    create table "we ird"."it's.""odd\"\"\" (id int primary key);
    create table "we ird"."$(touch hacked)" (id int primary key);
"""

BREAKS = " \t\n\"'><=;|&(:"
"""COMP_WORDBREAKS of a bash that nobody has configured."""

LINES = {
    "auditctl enable billing.": ["billing.customer", "billing.invoice"],
    "auditctl disable bill": ["billing.customer"],
    "auditctl tables --only we": [r"we\ ird.\"it\'s.\"\"odd\"\"\"", r"we\ ird.\$\(touch\ hacked\)", r"we\ ird.\*"],
    "auditctl log --target bil": ["billing.customer"],
    "auditctl log --target=bil": ["billing.customer"],
    "auditctl log --target Our": [r"Our\ customer"],
    "auditctl log --target 'Our cu": ["Our customer"],
    'auditctl log --target "we ird.$': ["we ird.\\$(touch hacked)"],
    "auditctl log --target 'we ird.\"": ['we ird."it\'\\\'\'s.""odd"""'],
    r"auditctl history Our\ c": [r"Our\ customer"],
    "auditctl log --user Sys": ["System"],
    "auditctl log --user actor:Sys": ["System"],
    "auditctl log --user 'actor:Sys": ["actor:System"],
    "auditctl log --action cr": ["create"],
    "auditctl enable billing.invoice --actions update,tr": ["update,truncate"],
    "auditctl enable billing.customer --mask ca": ["card_number"],
    "auditctl enable billing.invoice --mask ca": [],
    "auditctl log --column na": ["name"],
    "auditctl hold release ": ["1"],
    "auditctl follow --drop s": ["siem"],
    "auditctl grant re": ["reader"],
    "auditctl stats --by month,ta": ["month,target"],
    "auditctl log --since to": ["today"],
    "auditctl export --columns user,target": ["user,target", "user,target_id"],
    "auditctl export --committed-since s": ["start"],
    "auditctl plan audit": ["(file)"],
    "auditctl export --output=lo": ["(file)"],
    "auditctl demo --output lo": ["(folder)"],
    "auditctl log --ip ": [],
}


def offered(auditctl: RunAuditctl, line: str, dsn: str | None, breaks: str = BREAKS) -> list[str]:
    """What bash gets for a line up to the cursor."""
    env = {"_AUDITCTL_COMPLETE": "bash", "_AUDITCTL_LINE": line, "_AUDITCTL_BREAKS": breaks, "AUDITCTL_DSN": dsn}
    result = auditctl(env=env, check=0)
    assert result.err == ""
    fields = [entry.split("\t") for entry in result.out.splitlines()]
    return [value if kind == "value" else f"({kind})" for kind, value, _ in fields]


@pytest.fixture
def shop(db: str, auditctl: RunAuditctl) -> str:
    with connect(db) as conn:
        conn.execute(SHOP)
    auditctl("enable", "billing.customer", "--label", "Our customer", dsn=db, check=0)
    auditctl("enable", "we ird.*", dsn=db, check=0)
    auditctl("follow", "--once", "--consumer", "siem", dsn=db, check=0)
    auditctl("hold", "add", "billing.customer", "--yes", "--reason", "case", dsn=db, check=0)
    return db


def test_commands_and_options_are_offered_without_a_database(auditctl: RunAuditctl) -> None:
    assert set(offered(auditctl, "auditctl ", None)) >= set(COMMANDS)
    assert offered(auditctl, "auditctl unin", None) == ["uninstall"]
    assert offered(auditctl, "pgauditctl log --si", None) == ["--since"]
    assert offered(auditctl, "auditctl hold re", None) == ["release"]


def test_values_are_offered_in_the_quotes_of_the_line(auditctl: RunAuditctl, shop: str) -> None:
    assert {line: offered(auditctl, line, shop) for line in LINES} == LINES


def test_the_connection_is_that_of_the_line(auditctl: RunAuditctl, shop: str) -> None:
    line = f"auditctl --dsn '{shop}' disable bill"
    assert offered(auditctl, line, "host=/nowhere") == ["billing.customer"]
    assert offered(auditctl, "auditctl --dsn 'no dsn' disable bill", shop) == []


def test_logins_are_offered_to_grant(auditctl: RunAuditctl, db: str, login: MakeLogin) -> None:
    carol = login("carol").name
    assert offered(auditctl, f"auditctl revoke reader {carol[:-1]}", db) == [carol]


def test_name_that_cannot_be_shown_on_one_line_is_not_offered(auditctl: RunAuditctl, db: str) -> None:
    with connect(db) as conn:
        conn.execute('create table "a\nb" (id int); create table "a\x1b[2Jc" (id int); create table abc (id int)')
    assert offered(auditctl, "auditctl enable public.a", db) == ["public.abc"]


@pytest.mark.parametrize("dsn", ["host=/nowhere", "not a dsn", "host=127.0.0.1 port={silent}"])
def test_without_an_answer_of_the_database_there_are_no_values(auditctl: RunAuditctl, dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert offered(auditctl, "auditctl log --target ", dsn.format(silent=silent.getsockname()[1])) == []


def test_login_that_may_not_read_and_database_without_a_store_give_no_values(
    auditctl: RunAuditctl, shop: str, empty_db: str, login: MakeLogin
) -> None:
    assert offered(auditctl, "auditctl log --target ", login("stranger").dsn) == []
    assert offered(auditctl, "auditctl log --target ", empty_db) == []


def test_every_parameter_completes_its_values_or_takes_free_text() -> None:
    for path, command in commands(cli):
        for parameter in command.params:
            completes = parameter._custom_shell_complete is not None or isinstance(parameter.type, click.Choice)
            is_flag = isinstance(parameter, click.Option) and (parameter.is_flag or parameter.is_eager)
            is_free = (parameter.name or "").removeprefix("filter_") in FREE
            assert completes or is_flag or is_free, (
                f"{path}: {parameter.name} has no shell_complete, and is not in FREE"
            )


def test_the_script_of_each_shell_is_printed(auditctl: RunAuditctl) -> None:
    for shell in SHELLS:
        assert "pgauditctl" in auditctl("completion", shell, dsn="host=/nowhere", check=0).out
    assert auditctl("completion", "csh", dsn="", check=2).err
