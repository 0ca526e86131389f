"""Reads imported from the server's log: lines a second and peak memory; and what pgaudit costs a reader."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
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

LINES = 100_000
READ_EVERY = {"every_line": 1, "one_in_a_hundred": 100}
FORMATS = ("jsonlog", "csvlog")
CLIENTS = (1, 8)
ROWS = 10_000

TABLES = f"""
    create schema billing;
    create table billing.customer (id integer primary key, name text not null);
    create table billing.watched (id integer primary key, name text not null);
    insert into billing.customer select i, 'customer ' || i from generate_series(1, {ROWS}) as i;
    insert into billing.watched select * from billing.customer;
"""
TRANSACTION = f"\\set row random(1, {ROWS})\nselect name from billing.{{table}} where id = :row;\n"


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure; return medians of lines a second, of transactions a second, and peaks of memory in megabytes."""
    lines, rounds = (LINES // 10, 1) if quick else (LINES, 5)
    return {"lines": lines, "rounds": rounds, **_imports(server, lines, rounds), "pgaudit": _pgaudit(server, quick)}


def table() -> str:
    """Return the part of docs/performance.md; empty where it was never measured."""
    measured = results.read("importing")
    if not measured:
        return ""
    rows = [
        [form, share.replace("_", " "), f"{measured['lines_per_second'][share][form]:,}", f"{peak:.0f}"]
        for share, peaks in measured["peak_megabytes"].items()
        for form, peak in peaks.items()
    ]
    head = ["`import-log`", "lines with a read", "lines per second", "peak memory, MB"]
    text = f"A log of {measured['lines']:,} lines imported:\n\n{grid(head, rows)}"
    if "skipped" in measured["pgaudit"]:
        return text
    figures = measured["pgaudit"]["transactions_per_second"]
    names = list(next(iter(figures.values())))
    shares = [[f"{name.replace('_', ' ')}", *(f"{side[name]:,}" for side in figures.values())] for name in names]
    head = [
        "point SELECT, transactions per second",
        *(f"{clients} client{'s' * (clients != '1')}" for clients in figures),
    ]
    return f"{text}\nThe cost of pgaudit and its line in jsonlog to a reader, by pgbench:\n\n{grid(head, shares)}"


def _imports(server: EmbeddedServer, lines: int, rounds: int) -> dict[str, Any]:
    speeds: dict[str, dict[str, int]] = {}
    peaks: dict[str, dict[str, float]] = {}
    for share, every in READ_EVERY.items():
        peak: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as folder:
            logs = {form: _write(Path(folder) / form, form, lines, every) for form in FORMATS}

            def once(form: str, logs: dict[str, Path] = logs, peak: dict[str, float] = peak) -> float:
                done = _import(server, logs[form])
                peak[form] = max(round(done.peak / 1e6, 1), peak.get(form, 0))
                return done.seconds

            seconds = measure.interleaved({form: partial(once, form) for form in FORMATS}, rounds)
        speeds[share] = {form: round(lines / value) for form, value in seconds.items()}
        peaks[share] = peak
    return {"lines_per_second": speeds, "peak_megabytes": peaks}


def _import(server: EmbeddedServer, log: Path) -> measure.Process:
    """Import into a database of its own."""
    with psycopg.connect(server.dsn(), autocommit=True) as conn:
        conn.execute("drop database if exists importing with (force)")
        conn.execute("create database importing")
    dsn = server.dsn("importing")
    store.install(dsn)
    with connect(dsn) as conn:
        conn.execute(TABLES.encode())
        apply.enable(conn, Rule("billing.customer", DEFAULT))
    command: list[str | Path] = [sys.executable, "-m", "auditctl", "--quiet", "--dsn", dsn, "import-log", log]
    return measure.process(command, log.with_suffix(".out"))


def _write(path: Path, form: str, lines: int, every: int) -> Path:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_lines(form, lines, every))
    return path


def _lines(form: str, lines: int, every: int) -> Iterator[str]:
    start = datetime(2026, 11, 24, 8, tzinfo=UTC)
    session, began = f"{int(start.timestamp()):x}.10", f"{start:%Y-%m-%d %H:%M:%S} UTC"
    for number in range(lines):
        moment = f"{start + timedelta(milliseconds=number):%Y-%m-%d %H:%M:%S.%f}"[:23] + " UTC"
        query = f"select name from billing.customer where id = {number}"
        read = f"AUDIT: OBJECT,{number + 1},1,READ,SELECT,TABLE,billing.customer,{query},<not logged>"
        message = read if number % every == 0 else f"duration: 0.123 ms  statement: {query}"
        if form == "csvlog":
            yield (
                f'{moment},"web","importing",16,"192.0.2.7:40000",{session},{number + 1},"SELECT",{began},3/{number},0,'
                f'LOG,00000,"{message}",,,,,,,,,"web","client backend",,0\n'
            )
        else:
            fields = {
                "timestamp": moment, "user": "web", "dbname": "importing", "pid": 16, "remote_host": "192.0.2.7",
                "remote_port": 40000, "session_id": session, "line_num": number + 1, "ps": "SELECT",
                "session_start": began, "vxid": f"3/{number}", "txid": 0, "error_severity": "LOG", "message": message,
                "application_name": "web", "backend_type": "client backend", "query_id": 0,
            }  # fmt: skip
            yield json.dumps(fields, separators=(",", ":")) + "\n"


def _pgaudit(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure point SELECTs of a table that pgaudit looks at, and of one that it does not, in turn."""
    if not (server.bindir.parent / "lib" / "pgaudit.so").exists():
        return {"skipped": f"PostgreSQL {server.version} came without pgaudit"}
    settings = {
        "logging_collector": "on",
        "log_destination": "jsonlog",
        "shared_preload_libraries": "pgaudit",
        "pgaudit.role": "readlog",
    }
    seconds, rounds = 1, 1 if quick else 5
    with EmbeddedServer(server.bindir, settings=settings) as watched, tempfile.TemporaryDirectory() as folder:
        with psycopg.connect(watched.dsn(), autocommit=True) as conn:
            conn.execute(TABLES.encode())
            conn.execute("create role readlog nologin; grant select on billing.watched to readlog")
        scripts = {"no_audit": "customer", "pgaudit": "watched"}
        for name, relation in scripts.items():
            (Path(folder) / name).write_text(TRANSACTION.format(table=relation), "utf-8")
        rates = {}
        for clients in CLIENTS:
            runs = {name: partial(_rate, watched, Path(folder) / name, clients, seconds) for name in scripts}
            samples = measure.samples(runs, rounds)
            rates[str(clients)] = {name: round(statistics.median(found)) for name, found in samples.items()}
    return {"seconds": seconds, "rounds": rounds, "transactions_per_second": rates}


def _rate(server: EmbeddedServer, script: Path, clients: int, seconds: int) -> float:
    program = server.bindir / "pgbench"
    return measure.pgbench(program, server.dsn(), ["-M", "prepared", "-f", script], clients, seconds).rate
