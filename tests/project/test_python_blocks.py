"""The Python of the documentation: it compiles, what it imports exists, and the connections it makes name the user."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, LiteralString

import asyncpg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine, text

from tests.fixtures.databases import connect
from tests.project.test_docs import PAGES, ROOT, fenced

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

BLOCKS = [(page.relative_to(ROOT).as_posix(), block) for page in PAGES for block in fenced(page, "python")]
APPLICATIONS = fenced(ROOT / "docs" / "how-to" / "applications.md", "python")
WRITE = "insert into note values ({})"
RECORDED: LiteralString = """
    select target_id, actor, host(ip), context ->> 'reason' from auditctl.event where target = 'public.note' order by 1
"""


def test_every_block_compiles_and_imports_what_there_is() -> None:
    assert len(BLOCKS) > 5
    for page, block in BLOCKS:
        tree = compile(block, page, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("auditctl"):
                module = import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == [], page
            elif isinstance(node, ast.Import):
                assert [import_module(alias.name) for alias in node.names], page


def test_dotted_names_in_texts_exist() -> None:
    for page, block in BLOCKS:
        for name in re.findall(r"\"(auditctl(?:\.\w+)+)\"", block):
            module, _, attribute = name.rpartition(".")
            assert hasattr(import_module(module), attribute) or import_module(name), page


def block_with(words: str) -> str:
    (found,) = [block for block in APPLICATIONS if words in block]
    return found


async def run(block: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run a block, which may await, and return its names."""
    result = eval(compile(block, "block", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.isawaitable(result):
        await result
    return names


def as_alice(write: Callable[[], None]) -> None:
    """Run the page's first block, with a write in the place of the dots."""
    (first,) = [block for block in APPLICATIONS if block.startswith("from auditctl import acting_as")]
    exec(first.replace("...  #", "write()  #"), {"write": write})


@pytest.fixture
def shop(db: str, auditctl: RunAuditctl, login: MakeLogin) -> str:
    with connect(db) as conn:
        conn.execute("create table note (id int primary key); grant insert on note to public")
    auditctl("enable", "note", check=0)
    return login("web", roles=["auditctl_app"]).dsn


def test_each_connection_of_the_page_names_the_user(shop: str, db: str) -> None:
    names = asyncio.run(run(block_with("create_engine").replace("...", ""), {"create_engine": engine_of(shop)}))

    def write_by_engine() -> None:
        with names["engine"].begin() as conn:
            conn.execute(text(WRITE.format(1)))

    as_alice(write_by_engine)
    names["engine"].dispose()
    names = asyncio.run(
        run(block_with("ConnectionPool").replace('"..."', f'"{shop}"'), {"ConnectionPool": ConnectionPool})
    )

    def write_by_pool() -> None:
        with names["pool"].connection() as conn:
            conn.execute(WRITE.format(2))

    as_alice(write_by_pool)
    names["pool"].close()
    asyncio.run(write_by_asyncpg(shop))
    with connect(db) as conn:
        recorded = conn.execute(RECORDED)
        assert recorded.fetchall() == [
            ("1", "alice", "203.0.113.7", "ticket 4711"),
            ("2", "alice", "203.0.113.7", "ticket 4711"),
            ("3", "alice", None, None),
        ]


def engine_of(dsn: str) -> Callable[[str], Any]:
    return lambda url: create_engine(url, connect_args=conninfo_to_dict(dsn))


async def write_by_asyncpg(dsn: str) -> None:
    from auditctl import acting_as

    parts = conninfo_to_dict(dsn)
    address = f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}&port={parts['port']}"
    names = await run(block_with("asyncpg").replace('"..."', f'"{address}"'), {"asyncpg": asyncpg})
    async with acting_as("alice"):
        await names["pool"].execute(WRITE.format(3))
    await names["pool"].close()


def test_middleware_of_the_page_wraps_an_application() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["seen"] = True

    names = asyncio.run(run(block_with("integrations.asgi"), {"app": app}))
    scope = {"type": "http", "headers": [], "client": ("10.0.0.1", 1), "session": {"user": "alice"}}
    asyncio.run(names["app"](scope, None, None))
    assert scope["seen"]
