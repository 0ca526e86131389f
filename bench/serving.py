"""A million events downloaded from the web page, against `auditctl export`, with the web server's peak memory."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg

from auditctl import store
from auditctl.demo.server import EmbeddedServer
from bench import measure
from bench.export import EVENTS, FILL

ROUNDS = 3
LOGIN = "bench_reader"
PASSWORD = "bench"
_ADDRESS = re.compile(r"http://[0-9.:]+")
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Measure; return medians in seconds, bytes, and the server's peak memory after smaller and larger exports."""
    events, rounds = (EVENTS // 10, 1) if quick else (EVENTS, ROUNDS)
    dsn = server.dsn()
    store.install(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(FILL, [events])
        conn.execute("vacuum analyze auditctl.event")
    with tempfile.TemporaryDirectory() as folder, served(server, dsn) as (process, client):
        target = Path(folder) / "download"
        peaks = {"after_pages": _peak(process)}
        _download(client, "/export.csv?id=7", target)
        peaks["after_a_small_export"] = _peak(process)
        seconds = measure.interleaved(
            {
                "export": lambda: (
                    measure.process(
                        [sys.executable, "-m", "auditctl", "--dsn", dsn, "export"], Path(folder) / "export"
                    ).seconds
                ),
                "download_csv": lambda: _download(client, "/export.csv", target),
                "download_jsonl": lambda: _download(client, "/export.jsonl", target),
            },
            rounds,
        )
        peaks["after_all_exports"] = _peak(process)
    return {
        "events": events,
        "rounds": rounds,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "server_peak_megabytes": {name: round(value / 1e6, 1) for name, value in peaks.items()},
        "download_over_export": round(seconds["download_csv"] / seconds["export"], 3),
    }


@contextmanager
def served(
    server: EmbeddedServer, dsn: str, role: str = "auditctl_reader"
) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Serve the page of a store in a process of its own, to a member of a role who is signed in."""
    server.require_passwords([LOGIN])
    with psycopg.connect(dsn, autocommit=True) as conn:
        if not conn.execute("select from pg_roles where rolname = %s", [LOGIN]).rowcount:
            conn.execute(f"create role {LOGIN} login password '{PASSWORD}'".encode())
        conn.execute(f"grant {role} to {LOGIN}".encode())
        conn.execute("select pg_reload_conf()")
    command = [sys.executable, "-m", "auditctl", "--dsn", dsn, "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = _ADDRESS.search(process.stderr.readline())
            if found is None:
                raise RuntimeError("the page is not served")
            with httpx.Client(base_url=found[0], timeout=600) as client:
                token = _CSRF.search(client.get("/login").text)
                client.post("/login", data={"csrf": token[1] if token else "", "login": LOGIN, "password": PASSWORD})
                client.get("/").raise_for_status()
                yield process, client
        finally:
            process.terminate()


def _download(client: httpx.Client, path: str, target: Path) -> float:
    started = time.perf_counter()
    with client.stream("GET", path) as answer, target.open("wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_raw():
            file.write(chunk)
    return time.perf_counter() - started


def _peak(process: subprocess.Popen[str]) -> int:
    """Return the greatest resident memory of a process so far, in bytes; 0 on other systems than Linux."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
