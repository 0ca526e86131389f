"""No setting that a database's owner may state changes what the tool's commands and the store's functions do."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.capture.test_settings import read_settings
from tests.fixtures.databases import connect, fresh_database, fresh_login
from tests.fixtures.web import PASSWORD, PEOPLE
from tests.support.everything import Everything

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GROUPS = 4
"""How many values of each setting are tried."""

NUMBERS = ("extra_float_digits", "from_collapse_limit", "join_collapse_limit")
"""Settings of which numbers are tried; the others are limits and costs."""

NOT_OURS = re.compile(
    "debug_|enable_|jit|log_|trace_|local_preload|role|session_auth|client_min_messages|.*_tablespace|default_text_search"
)
"""Settings that cost time or talk, and nothing else; and those that say who one is.

Where a tablespace or configuration does not exist, PostgreSQL itself warns; tests/settings/test_pinned.py has those.
"""

USUAL: dict[str, str] = {}
"""The outcome of each step without such settings, once it is known."""


def hostile(conn: psycopg.Connection, group: int) -> dict[str, str]:
    """One value of each setting: another in each group, as far as it has so many."""
    values: dict[str, list[str]] = {}
    for name, value in read_settings(conn):
        values.setdefault(name, []).append(value)
    query: LiteralString = "select name, vartype in ('bool', 'enum', 'string') from pg_settings where context = 'user'"
    tried = [name for name, is_word in conn.execute(query) if is_word or name in NUMBERS]
    return {
        name: values[name][group % len(values[name])] for name in tried if name in values and not NOT_OURS.match(name)
    }


def outcome(server: EmbeddedServer, folder: Path, auditctl: RunAuditctl, settings: Mapping[str, str]) -> dict[str, str]:
    """Run everything in a new database with settings of its own; return what came of each step."""
    folder.mkdir()
    with (
        fresh_login(server, "web") as web,
        fresh_login(server, "carol") as carol,
        fresh_login(server, "boss") as boss,
        fresh_database(server, "hostile") as dsn,
        connect(server.dsn()) as conn,
    ):
        name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
        assert isinstance(name, str)
        for setting, value in settings.items():
            statement = sql.SQL("alter database {} set {} = {}")
            try:
                conn.execute(statement.format(sql.Identifier(name), sql.Identifier(*setting.split(".")), value))
            except psycopg.Error:
                continue  # no value of that setting
        conn.execute(
            sql.SQL("alter role {0} superuser password {1}; grant {2} to {0}").format(
                sql.Identifier(boss), sql.Literal(PASSWORD), sql.Identifier(PEOPLE)
            )
        )
        steps = Everything(dsn, web, carol, boss, folder, auditctl).run()
    names = {web: "web", carol: "carol", boss: "boss", name: "hostile", str(folder): ""}
    return {_renamed(step, names): _renamed(text, names) for step, text in steps.items()}


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for name, other in names.items():
        text = text.replace(name, other)
    return text


def difference(usual: str, found: str) -> list[str]:
    """The lines that differ."""
    lines = list(difflib.unified_diff(usual.splitlines(), found.splitlines(), lineterm="", n=0))
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize("group", range(GROUPS))
def test_everything_is_the_same_under_hostile_settings(
    server: EmbeddedServer, passwords_asked: None, auditctl: RunAuditctl, tmp_path: Path, group: int
) -> None:
    if not USUAL:
        USUAL.update(outcome(server, tmp_path / "usual", auditctl, {}))
    with connect(server.dsn()) as conn:
        settings = hostile(conn, group)
    found = outcome(server, tmp_path / "hostile", auditctl, settings)
    different = {step: difference(text, found.get(step, "")) for step, text in USUAL.items() if found.get(step) != text}
    assert different == {}
    assert list(found) == list(USUAL)
