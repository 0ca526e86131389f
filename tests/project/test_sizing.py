"""The page about sizes: every block of it runs, for readers too, and its figures are those of the benchmarks."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import results, table
from tests.project.test_docs import fenced
from tests.support.capturing import audit

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "sizing.md"


def test_every_block_of_the_page_runs(db: str, conn: psycopg.Connection[Any], auditctl: RunAuditctl) -> None:
    conn.execute("create table item (id int primary key, v text)")
    audit(db, "item")
    conn.execute("insert into item values (1, 'a'); analyze auditctl.event")
    setting, months, values, memory = fenced(PAGE, "sql")
    conn.execute(setting.replace("shop", conn.info.dbname).encode())
    conn.execute("set role auditctl_reader")
    found = conn.execute(months.encode()).fetchall()
    assert "event_default" in [row[0] for row in found]
    assert sum(row[4] is not None for row in found) == 1
    rows = conn.execute(values.encode()).fetchall()
    assert [row[:3] for row in rows if row[0] == "public.item" and row[1] == "CREATE"] == [("public.item", "CREATE", 1)]
    conn.execute("reset role")
    assert conn.execute(memory.encode()).rowcount == 1
    for block in fenced(PAGE, "sh"):
        assert "public.item" in auditctl(*shlex.split(block)[1:], check=0).out


def test_figures_of_many_tables_are_those_that_were_measured() -> None:
    sizes = results.read("tables")["sizes"].values()
    text = PAGE.read_text("utf-8")
    assert f"| locks of its largest transaction | {' | '.join(str(size['locks']) for size in sizes)} |" in text
    longest = " | ".join(f"{size['longest_write']:.2f}" for size in sizes)
    assert f"| longest write beside the first `apply`, seconds | {longest} |" in text


def test_a_writer_holds_as_many_locks_as_the_page_says(db: str, conn: psycopg.Connection[Any]) -> None:
    conn.execute("create table item (id int primary key, v text)")
    audit(db, "item")
    with conn.transaction():
        conn.execute("insert into item select i, 'a' from generate_series(1, 100) as i")
        held = conn.execute("""
            select count(*) from pg_locks as l join pg_class as c on c.oid = l.relation
             where l.pid = pg_backend_pid() and c.relnamespace = 'auditctl'::regnamespace
               and l.mode = 'RowExclusiveLock'
        """).fetchone()
    assert held == (3,)
    assert "three locks" in PAGE.read_text("utf-8")


def test_the_page_has_the_marks_of_its_table() -> None:
    assert table.START_STORAGE in PAGE.read_text("utf-8")
