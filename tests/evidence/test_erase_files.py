"""Erased values leave the files of the log: all forks, TOAST, indexes, statistics and the block that sealed them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pytest

from tests.evidence.test_erase_sealed import write
from tests.support.leaves import seal
from tests.support.recorded import Recorded

if TYPE_CHECKING:
    import psycopg

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

FILES: LiteralString = """
    select c.oid::regclass::text, pg_relation_filepath(c.oid)
      from pg_class as c
     where c.relkind in ('r', 'i', 't') and pg_relation_filepath(c.oid) is not null
       and (c.relnamespace in ('auditctl'::regnamespace, 'pg_toast'::regnamespace) or c.relname ^@ 'pg_statistic')
"""

MARKS = [b"MARK-IN-VALUES", b"MARK-IN-A-LONG-VALUE", b"mark-in-key", b"mark-in-former-key", b"mark-in-actor"]
ADDRESS = bytes((203, 0, 113, 77))


def holders(server: EmbeddedServer, conn: psycopg.Connection, marks: list[bytes]) -> set[tuple[str, bytes]]:
    """Which relations have a mark in one of their files."""
    conn.execute("checkpoint")
    found = set()
    for name, path in conn.execute(FILES).fetchall():
        for file in Path(server.data).glob(f"{path}*"):
            data = file.read_bytes()
            found |= {(name, mark) for mark in marks if mark in data}
    return found


def test_what_was_erased_leaves_the_files_when_the_table_is_rewritten(
    server: EmbeddedServer, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    long = "".join(f"{number:x}" for number in range(9000)) + "MARK-IN-A-LONG-VALUE"
    common = Recorded(
        actor="mark-in-actor", ip="203.0.113.77", target_id="mark-in-key", old=f'{{"note": "{long}"}}',
        new='{"name": "MARK-IN-VALUES"}', context='{"previous_target_id": "mark-in-former-key"}',
    )  # fmt: skip
    numbers = write(conn, *[common] * 20)
    conn.execute("alter table auditctl.event_default alter old_values set storage external")
    numbers += write(conn, common)
    conn.execute("analyze auditctl.event")
    seal(conn)
    (secret,) = conn.execute("select secret from auditctl.block").fetchone() or (b"",)
    marks = [*MARKS, ADDRESS, secret]
    assert {mark for _, mark in holders(server, conn, marks)} == set(marks)
    columns = ("note", "name", "event.actor", "event.ip", "event.target_id")
    words = [*(f"--event={number}" for number in numbers), *(f"--column={name}" for name in columns)]
    hint = auditctl("erase", "--yes", *words, "--reason", "r", check=0).err.splitlines()[1]
    for statement in hint.partition("runs: ")[2].split("; "):
        conn.execute(statement.encode())
    assert holders(server, conn, marks) == set()
