"""An install over an installed store: how long it takes, what it locks, and how long a writer waits for it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from auditctl import store
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from auditctl.database import Connection, connect
from auditctl.demo.server import EmbeddedServer
from bench import results, tables
from bench.markdown import grid
from tests.support import next_version

SIZES, QUICK_SIZES = (3, 500), (3,)
ROUNDS = 5

TITLES = {
    "same": "the same version again",
    "next": "a version in which functions change that capture calls",
}


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure; return for each number of tables and kind of install its seconds and the longest write beside it."""
    return {"sizes": {str(number): _measure(server, number) for number in (QUICK_SIZES if quick else SIZES)}}


def _measure(server: EmbeddedServer, number: int) -> dict[str, Any]:
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in TITLES}
    for turn in range(ROUNDS):
        name = f"bench_upgrade_{number}_{turn}"
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute(f"create database {name}".encode())
        dsn = server.dsn(name)
        _prepare(dsn, number)
        with connect(dsn) as watching, tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            found["same"].append(_beside(dsn, watching, number))
            with next_version.running(next_version.make(Path(folder)), patch):
                found["next"].append(_beside(dsn, watching, number))
    return {kind: {key: max(each[key] for each in seen) for key in seen[0]} for kind, seen in found.items()}


def _prepare(dsn: str, number: int) -> None:
    store.install(dsn)
    with connect(dsn) as conn:
        for tenant in range(-(-number // tables.TENANT)):
            tables.make_tenant(conn, tenant)
        apply.enable(conn, Rule("tenant_*.*", DEFAULT))


def _beside(dsn: str, watching: Connection, number: int) -> dict[str, float]:
    """Install while four writers write to tables chosen at random."""
    watched = tables.Watched()
    with tables.beside(dsn, watching, number, watched):
        started = time.perf_counter()
        store.install(dsn)
        seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 3), "longest_write": round(watched.longest, 3)}


def table() -> str:
    """Return the table for the documentation; empty if it was never measured."""
    sizes = results.read("upgrade").get("sizes", {})
    rows = [
        [f"{title}, {int(size):,} tables", *(f"{found[kind][key]:.2f}" for key in ("seconds", "longest_write"))]
        for size, found in sizes.items()
        for kind, title in TITLES.items()
    ]
    return grid(["seconds, the most of five", "install", "longest write beside it"], rows) if rows else ""
