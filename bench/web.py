"""What a page of the log takes: the first page of each filter, and its overview, in a log of ten million events.

The queries are timed by the database's clock. Some pages are also timed by a client that keeps its connection, as
browsers and proxies do.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import psycopg

from auditctl import database
from auditctl.database import Connection
from auditctl.demo.server import EmbeddedServer
from auditctl.log import reader, selection
from auditctl.log.filters import Filters
from auditctl.log.histogram.read import read_histogram
from auditctl.log.selection import Selection
from bench import measure, results, serving, webbed
from bench.markdown import grid

EVENTS, QUICK_EVENTS = 10_000_000, 50_000
ROUNDS, QUICK_ROUNDS = 5, 1
PAGE = 50

SHAPES = {"months": "in 13 months", "month": "in one month"}
"""How the events lie in time: the databases, and what the page calls them."""

CASES: Mapping[str, Mapping[str, list[str]]] = {
    "no filter": {},
    "target, common": {"target": ["shop.table_0"]},
    "target, one in a hundred": {"target": ["shop.table_20"]},
    "target, one in 100,000": {"target": ["shop.rare"]},
    "target, ended long ago": {"target": ["legacy.order"]},
    "target, new": {"target": ["shop.launch"]},
    "id": {"id": ["77"]},
    "id, absent": {"id": ["nothing"]},
    "user, common": {"user": ["user0"]},
    "user, rare": {"user": ["visitor"]},
    "user, long gone": {"user": ["departed"]},
    "user, absent": {"user": ["nobody"]},
    "user, the system": {"user": ["System"]},
    "login, common": {"user": ["app_web"]},
    "login, one in a thousand": {"user": ["dba"]},
    "login, long gone": {"user": ["app_old"]},
    "action, common": {"action": ["update"]},
    "action, one in fifty": {"action": ["delete"]},
    "action, one in 10,000": {"action": ["event"]},
    "action, three in all": {"action": ["truncate"]},
    "action, absent": {"action": ["read"]},
    "address, one in 100,000": {"ip": ["203.0.113.7"]},
    "address, absent": {"ip": ["10.0.7.250"]},
    "network, one in 100,000": {"ip": ["203.0.113.0/24"]},
    "transaction": {"xact": ["2000"]},
    "transaction, absent": {"xact": ["7"]},
    "time, one day": {"since": ["1d"]},
    "time, old": {"until": ["2026-01-01"]},
    "time, empty": {"since": ["2020-01-01"], "until": ["2020-02-01"]},
    "kind, one in a thousand": {"kind": ["database"]},
    "all but one user": {"not-user": ["user0"]},
    "changed column, common": {"column": ["balance"]},
    "changed column, three events": {"column": ["limit"]},
    "value before or after, one in 100,000": {"changed": ["status=disputed"]},
    "value after, one event": {"became": ["balance=7500001.5"]},
    "value before, absent": {"was": ["balance=-1"]},
    "reason, one in a thousand": {"reason": ["ticket"]},
    "reason, one event": {"reason": ["ticket 4711"]},
    "request, three events": {
        "context": [f"request_id={hashlib.md5(b'1666667', usedforsecurity=False).hexdigest()[:12]}"]
    },
    "request, absent": {"context": ["request_id=none"]},
    "other context, absent": {"context": ["application_name=none"]},
    "target and action, never together": {"target": ["shop.rare"], "action": ["truncate"]},
    "common target, rare action": {"target": ["shop.table_0"], "action": ["event"]},
    "common target, rare user": {"target": ["shop.table_0"], "user": ["visitor"]},
    "ended target, common user": {"target": ["legacy.order"], "user": ["user0"]},
    "login long gone, one action in fifty": {"user": ["app_old"], "action": ["delete"]},
    "target one in a hundred, login one in a thousand": {"target": ["shop.table_20"], "user": ["dba"]},
}
"""What is looked for, by how often and where in the log it is."""

PAIRS = 20


def pairs() -> dict[str, Mapping[str, list[str]]]:
    """Return some pairs of cases with one filter each, the same in every run."""
    single = [(name, texts) for name, texts in CASES.items() if len(texts) == 1 and not name.startswith("time")]
    found = [(a, b) for a, b in itertools.combinations(single, 2) if a[1].keys() != b[1].keys()]
    return {f"{a[0]}; {b[0]}": {**a[1], **b[1]} for a, b in random.Random(3).sample(found, PAIRS)}


ADDRESSES = ("/healthz", "/static/style.css", "/", "/?target=shop.table_20", "/?target=shop.rare", "/overview")
"""What a client asks for."""

REPEATS = 10
"""How often, in each round."""


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Build both logs and measure; return milliseconds."""
    now = datetime.now(UTC)
    spans = {"months": timedelta(days=395), "month": now - now.replace(day=1, hour=0, minute=0, second=0)}
    for name, span in spans.items():
        with psycopg.connect(server.dsn(), autocommit=True) as conn:
            conn.execute(f"create database {name}".encode())
        webbed.build(server.dsn(name), QUICK_EVENTS if quick else EVENTS, max(span, timedelta(days=2)))
    rounds = QUICK_ROUNDS if quick else ROUNDS
    found = measured({name: server.dsn(name) for name in spans}, rounds)
    with serving.served(server, server.dsn("months")) as (_, client):
        runs = {address: partial(_asked, client, address) for address in ADDRESSES}
        samples = measure.samples(runs, rounds * REPEATS)
    return {**found, "client": {address: round(statistics.median(some), 1) for address, some in samples.items()}}


def measured(dsns: Mapping[str, str], rounds: int) -> dict[str, Any]:
    """Measure the logs that were built; return medians in milliseconds, by shape and case."""
    found: dict[str, Any] = {"rounds": rounds, "events": {}, "page": {}, "overview": {}, "pairs": {}}
    for name, dsn in dsns.items():
        with database.connect(dsn) as conn:
            (found["events"][name],) = conn.execute("select count(*) from auditctl.event").fetchone() or (0,)
            parts = (("page", _page, CASES), ("overview", _overview, CASES), ("pairs", _page, pairs()))
            for what, once, cases in parts:
                samples = measure.samples({case: partial(once, conn, texts) for case, texts in cases.items()}, rounds)
                found[what][name] = {
                    case: {"median": round(statistics.median(some), 1), "greatest": round(max(some), 1)}
                    for case, some in samples.items()
                }
    return found


def _page(conn: Connection, texts: Mapping[str, list[str]]) -> float:
    start = _clock(conn)
    predicates = Filters.parse(texts).resolve(conn).predicates()
    list(reader.Page(conn, Selection(predicates, limit=PAGE), selection.cells(safe=False)))
    return _clock(conn) - start


def _overview(conn: Connection, texts: Mapping[str, list[str]]) -> float:
    start = _clock(conn)
    read_histogram(conn, Filters.parse(texts).resolve(conn))
    return _clock(conn) - start


def _asked(client: httpx.Client, address: str) -> float:
    """Return how long the client waits for the whole answer, in milliseconds."""
    start = time.perf_counter()
    client.get(address).raise_for_status()
    return (time.perf_counter() - start) * 1000


def _clock(conn: Connection) -> float:
    """Return the server's time, in milliseconds."""
    row = conn.execute("select extract(epoch from clock_timestamp())::float8 * 1000").fetchone()
    return 0.0 if row is None else float(row[0])


def table() -> str:
    """Return the part of docs/performance.md; empty where it was never measured."""
    measured = results.read("web")
    if not measured:
        return ""
    columns = [(what, shape) for what in ("page", "overview") for shape in SHAPES]
    rows = [
        [case, *(f"{measured[what][shape][case]['median']:.0f}" for what, shape in columns)]
        for case in measured["page"]["months"]
    ]
    whole = measured["events"]["months"]
    head = ["milliseconds", *(f"{what}, {SHAPES[shape]}" for what, shape in columns)]
    return (
        f"The first {PAGE} events of a filter in a log of {whole:,}, and the overview of all its events:\n\n"
        f"{grid(head, rows)}{_pairs_table(measured.get('pairs', {}))}{_client_table(measured.get('client', {}))}"
    )


def _pairs_table(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    if not found:
        return ""
    rows = [[pair, *(f"{found[shape][pair]['median']:.0f}" for shape in SHAPES)] for pair in found["months"]]
    return f"\nThe first page of {PAIRS} pairs at random:\n\n{grid(['milliseconds', *SHAPES.values()], rows)}"


def _client_table(milliseconds: Mapping[str, float]) -> str:
    if not milliseconds:
        return ""
    rows = [[f"`{address}`", f"{some:.1f}"] for address, some in milliseconds.items()]
    return f"\nThe whole answer, for a client that keeps its connection:\n\n{grid(['milliseconds', 'answer'], rows)}"
