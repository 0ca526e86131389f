"""What the coverage guard adds to DDL: in a session that ran such statements before, and in one that begins with it."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

import psycopg

from auditctl import store
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from auditctl.database import connect
from auditctl.demo.server import EmbeddedServer
from bench import measure, results
from bench.markdown import grid
from bench.subject import Subject

DATABASE = "bench_guard"
OWNER = "bench_owner"
Connection = psycopg.Connection[Any]

AUDITED = Subject("audited", 16)
PLAIN = Subject("plain", 16)
CONSTRAINTS = 668

STATEMENTS = {
    "add a column": "alter table audited add column x text",
    "rename a column": "alter table audited rename column x to y",
    "change the type of a column": "alter table audited alter column y type varchar(40)",
    "set a default": "alter table audited alter column y set default 'none'",
    "drop a column": "alter table audited drop column y",
    "add a constraint": "alter table audited add constraint positive check (id > 0) not valid",
    "drop a constraint": "alter table audited drop constraint positive",
    "create an index": "create index audited_c1_idx on audited (c1)",
    "drop an index": "drop index audited_c1_idx",
    "add a column to a table that is not audited": "alter table plain add column x text",
    "drop a column of one": "alter table plain drop column x",
    "create a table that is not audited": "create table fresh (id integer primary key, v text)",
    "drop it": "drop table fresh",
    "create a temporary table": "create temporary table passing (id integer)",
    "drop that": "drop table passing",
}
"""In an order in which each can run, and after which all is as before."""

TEMPORARY = ("create a temporary table", "drop that")
"""What only one session sees."""

WAYS = {"off": (False, False), "on": (True, False), "first_off": (False, True), "first_on": (True, True)}
"""Whether the guard is on, and whether each statement is the first of its session."""

HEADS = ("guard off", "guard on", "off, first in a session", "on, first in a session")

ADD_MANY = f"""
    do $$ begin for i in 1..{CONSTRAINTS} loop
        execute format('alter table audited add constraint c_%s check (id <> -%s) not valid', i, i);
    end loop; end $$
"""
DROP_MANY = """
    do $$ declare name text; begin
        for name in select conname from pg_constraint where conrelid = 'audited'::regclass and contype = 'c' loop
            execute format('alter table audited drop constraint %I', name);
        end loop;
    end $$
"""


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Run every statement with the guard and without it in turn; return medians, in milliseconds of the processor."""
    rounds = 3 if quick else 40
    dsn = _set_up(server)
    with (
        psycopg.connect(server.dsn(DATABASE), autocommit=True) as admin,
        psycopg.connect(dsn, autocommit=True) as owner,
    ):
        found = measure.samples(
            {
                way: partial(_each, admin, owner, dsn, is_on=is_on, is_new=is_new)
                for way, (is_on, is_new) in WAYS.items()
            },
            rounds,
        )
        dropped = measure.interleaved(
            {
                way: partial(_drop_many, admin, owner, is_on=is_on)
                for way, (is_on, is_new) in WAYS.items()
                if not is_new
            },
            1 if quick else 3,
        )
    medians = {
        title: {way: round(statistics.median(sample[title] for sample in samples), 2) for way, samples in found.items()}
        for title in STATEMENTS
    }
    return {"rounds": rounds, "milliseconds": medians, "constraints": CONSTRAINTS, "dropped": dropped}


def _set_up(server: EmbeddedServer) -> str:
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute(f"create database {DATABASE}".encode())
        conn.execute(f"create role {OWNER} login".encode())
    dsn = server.dsn(DATABASE, user=OWNER)
    store.install(server.dsn(DATABASE))
    with psycopg.connect(server.dsn(DATABASE), autocommit=True) as admin:
        admin.execute(f"grant all on schema public to {OWNER}".encode())
    with psycopg.connect(dsn, autocommit=True) as owner:
        for subject in (AUDITED, PLAIN):
            owner.execute(subject.definition.encode())
    with connect(server.dsn(DATABASE)) as conn:
        apply.enable(conn, Rule(f"public.{AUDITED.name}", DEFAULT))
    return dsn


def _switch(admin: Connection, *, is_on: bool) -> None:
    for trigger in ("ddl", "drop", "start"):
        admin.execute(
            f"alter event trigger auditctl_guard_{trigger} {'enable always' if is_on else 'disable'}".encode()
        )


def _each(admin: Connection, owner: Connection, dsn: str, *, is_on: bool, is_new: bool) -> dict[str, float]:
    """Run all statements, in one session or each but those on temporary tables in a new one."""
    _switch(admin, is_on=is_on)
    taken = {}
    for title, statement in STATEMENTS.items():
        if is_new and title not in TEMPORARY:
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("select 1")
                taken[title] = _busy(conn, statement)
        else:
            taken[title] = _busy(owner, statement)
    return taken


def _drop_many(admin: Connection, owner: Connection, *, is_on: bool) -> float:
    _switch(admin, is_on=False)
    owner.execute(ADD_MANY.encode())
    _switch(admin, is_on=is_on)
    return round(_busy(owner, DROP_MANY) / 1e3, 2)


def _busy(conn: Connection, statement: str) -> float:
    """Return how many milliseconds the server's process was on a processor."""
    pid, query = conn.info.backend_pid, statement.encode()
    before = measure.processor_seconds(pid)
    conn.execute(query)
    return (measure.processor_seconds(pid) - before) * 1e3


def table() -> str:
    """Return the table of the page; empty where it was never measured."""
    measured = results.read("guard")
    if not measured:
        return ""
    rows = [
        [title, *("-" if title in TEMPORARY and WAYS[way][1] else f"{taken[way]:.1f}" for way in WAYS)]
        for title, taken in measured["milliseconds"].items()
    ]
    dropped = measured["dropped"]
    rows.append(
        [
            f"drop {measured['constraints']} constraints one by one",
            *(f"{dropped[way] * 1e3:,.0f}" for way in ("off", "on")),
            "-",
            "-",
        ]
    )
    return grid(["milliseconds", *HEADS], rows)
