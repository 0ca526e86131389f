"""The page about compliance: every command of it is run, in its order; `--update-golden` writes the output into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from auditctl.cli.main import COMMANDS
from tests.fixtures.databases import connect
from tests.project.test_docs import SHOP, code_of
from tests.support.dumps import require_programs
from tests.support.guide import FOLDER, Console, Reading

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.demo.server import EmbeddedServer

PAGE = "../compliance.md"
FUTURE = {"seal", "verify", "erase", "archive", "prove", "review", "access"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_command_of_the_page_shows_what_it_says(
    server: EmbeddedServer, empty_db: str, role_names: list[str], tmp_path: Path, update_golden: bool
) -> None:
    require_programs(server, "psql")
    role_names += ["dana", "billing_web", "auditor"]
    with connect(empty_db) as conn:
        conn.execute(SHOP)
    dana = make_conninfo(empty_db, user="dana")
    console = Console(PAGE, server, dana, tmp_path, {}, None, ("sh", "sql", "toml", "console"))
    reading = Reading(console, is_guarded=True, update=update_golden)
    for block in console.blocks:
        reading.run(block)


def test_the_page_claims_no_command_that_does_not_exist() -> None:
    page = FOLDER / PAGE
    words = {word for code in code_of(page) for word in code.removeprefix("auditctl ").split()[:1]}
    assert words & (FUTURE - set(COMMANDS)) == set()
