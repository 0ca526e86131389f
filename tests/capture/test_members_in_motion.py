"""Partitions that are detached or attached while apply reads the catalog, or between that and its locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditctl.actions import DEFAULT
from auditctl.capture import catalog, rule_store
from auditctl.capture.config import document
from auditctl.capture.rule_keys import Rule
from auditctl.retention.times import Retention
from tests.support.capturing import apply, events, pending

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

pytestmark = pytest.mark.slow

FILE = document.dump((Rule("public.parted", DEFAULT),), (), Retention())
DETACH = "alter table parted detach partition part_1"
ATTACH = "alter table parted attach partition part_1 for values in (1)"


@pytest.fixture
def parted(conn: psycopg.Connection) -> None:
    conn.execute("""
        create table parted (id int) partition by list (id);
        create table part_0 partition of parted for values in (0);
        create table part_1 partition of parted for values in (1)
    """)


def before(function: Callable[..., Any], conn: psycopg.Connection, statements: list[str]) -> Callable[..., Any]:
    """The function, which runs the next of these statements in another session before each call."""

    def run(*arguments: Any, **options: Any) -> Any:
        if statements:
            conn.execute(statements.pop(0).encode())
        return function(*arguments, **options)

    return run


@pytest.mark.parametrize("start", ["attached", "detached"])
@pytest.mark.parametrize(("module", "place"), [(catalog, "read_triggers"), (rule_store, "lock")])
@pytest.mark.usefixtures("parted")
def test_a_partition_that_moves_while_apply_works_has_capture_with_its_parent_alone(
    db: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, module: Any, place: str, start: str
) -> None:
    moves = [DETACH, ATTACH] if start == "attached" else [ATTACH, DETACH]
    if start == "detached":
        conn.execute(DETACH.encode())
    with monkeypatch.context() as patch:
        patch.setattr(module, place, before(getattr(module, place), conn, moves[:1]))
        apply(db, FILE)
    assert pending(db, FILE) == []
    conn.execute(moves[1].encode())
    if start == "detached":
        conn.execute(ATTACH.encode())
    assert pending(db, FILE) == []
    conn.execute("insert into part_1 values (1); truncate part_1")
    assert [action for _, action, *_ in events(conn, "public.parted")] == ["CREATE", "TRUNCATE"]
