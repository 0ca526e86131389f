"""What archived months take: to write them, to keep them, and to find the first page of each filter in them.

The same ten million events are read from PostgreSQL and from files, in turns. Then the archive is made ten times as
large, so that the growth is seen.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from auditctl import database
from auditctl.archive import archive, engines, files
from auditctl.archive.names import ArchiveNames
from auditctl.archive.pages import ArchivePage
from auditctl.archive.search import ArchiveSelection, Search
from auditctl.demo.server import EmbeddedServer
from auditctl.log import reader, selection
from auditctl.log.filters import Filters
from auditctl.log.formats import BY_NAME, Layout
from auditctl.log.selection import Selection
from bench import archive_copies, measure, results, web, webbed
from bench.markdown import grid

EVENTS, QUICK_EVENTS = 10_000_000, 50_000
YEARS, QUICK_YEARS = 10, 2
"""How many times as large the archive is made."""

ROUNDS, QUICK_ROUNDS = 3, 1
PAGE = 50
CASES = {name: texts for name, texts in web.CASES.items() if texts.get("since") != ["1d"]}
"""What is looked for; the newest month is over, so that the last day has no events."""

BLOOMS = {"target_id": ("77", "nothing"), "actor": ("visitor", "nobody"), "target": ("shop.table_20", "shop.rare")}
"""Values of which the groups of rows are counted that may have them."""

SIZE = "select sum(pg_total_relation_size(relid))::bigint from pg_partition_tree('auditctl.event')"


def run(server: EmbeddedServer, quick: bool) -> dict[str, Any]:
    """Archive a log and measure; return seconds, bytes, milliseconds and groups of rows."""
    events, years = (QUICK_EVENTS, QUICK_YEARS) if quick else (EVENTS, YEARS)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    end = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    dsn = server.dsn()
    webbed.build(dsn, events, timedelta(days=365), end=end, report=_say)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, Any] = {"events": events, "rounds": rounds, "archived": _archive(server, dsn, folder)}
        with database.connect(dsn) as conn, _opened(folder / "archive") as search:
            runs = {
                **{("PostgreSQL", case): partial(_page_of_log, conn, texts) for case, texts in CASES.items()},
                **{("DuckDB", case): partial(_page_of_archive, search, texts) for case, texts in CASES.items()},
            }
            found["page"] = _medians(measure.samples(runs, rounds))
            found["groups"] = {"1": _groups(search)}
        place = files.at(str(folder / "archive"))
        source = archive.read(place)
        for years_ago in range(1, years):
            archive_copies.write(source, place, years_ago)
            _say(f"{events * (years_ago + 1):,} events in files")
        with _opened(folder / "archive") as search:
            larger = {(f"DuckDB, {years} times", case): partial(_page_of_archive, search, texts)
                      for case, texts in CASES.items()}  # fmt: skip
            found["page"] |= _medians(measure.samples(larger, rounds))
            found["groups"][str(years)] = _groups(search)
        found["years"] = years
        found["command"] = _commands(folder, rounds)
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _archive(server: EmbeddedServer, dsn: str, folder: Path) -> dict[str, Any]:
    """Archive all months; return what it took."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        (stored,) = conn.execute(SIZE).fetchone() or (0,)
    command: list[str | Path] = [sys.executable, "-m", "auditctl", "--quiet", "--dsn", dsn]
    before = measure.server_seconds(server.pid)
    done = measure.process([*command, "archive", "--to", folder / "archive"], folder / "output")
    time.sleep(1)  # until the postmaster has waited for the session
    written = sum(path.stat().st_size for path in (folder / "archive").rglob("*.parquet"))
    return {
        "seconds": round(done.seconds, 1), "tool_seconds": round(done.busy, 1),
        "server_seconds": round(measure.server_seconds(server.pid) - before, 1),
        "peak_megabytes": round(done.peak / 1e6), "bytes_in_postgresql": stored, "bytes_in_files": written,
    }  # fmt: skip


@contextmanager
def _opened(folder: Path) -> Iterator[Search]:
    with engines.session() as engine:
        yield Search(archive.read(files.at(str(folder))), engine)


def _page_of_log(conn: database.Connection, texts: Mapping[str, list[str]]) -> float:
    start = time.perf_counter()
    predicates = Filters.parse(texts).resolve(conn).predicates()
    list(reader.Page(conn, Selection(predicates, limit=PAGE), selection.cells(safe=False)))
    return time.perf_counter() - start


def _page_of_archive(search: Search, texts: Mapping[str, list[str]]) -> float:
    start = time.perf_counter()
    predicates = Filters.parse(texts).resolve(ArchiveNames(search)).archive_predicates()
    project = BY_NAME["table"].listed_texts(False, Layout())
    list(ArchivePage(search, ArchiveSelection(predicates, limit=PAGE), project))
    return time.perf_counter() - start


def _medians(samples: Mapping[tuple[str, str], list[float]]) -> dict[str, dict[str, float]]:
    """Return milliseconds by contender and case."""
    found: dict[str, dict[str, float]] = {}
    for (contender, case), seconds in samples.items():
        found.setdefault(contender, {})[case] = round(statistics.median(seconds) * 1000, 1)
    return found


def _groups(search: Search) -> dict[str, Any]:
    """Return how many groups of rows there are, and how many of them the Bloom filters do not exclude."""
    paths = [part.files.location(part.path) for month in search.archive.months for part in month.parts]
    with duckdb.connect() as conn:
        kept = "select count(*) filter (where not bloom_filter_excludes), count(*) from parquet_bloom_probe(?, ?, ?)"
        counts = {
            value: conn.execute(kept, [paths, column, value]).fetchone() or (0, 0)
            for column, values in BLOOMS.items()
            for value in values
        }
    return {"all": max(total for _, total in counts.values()), **{value: some for value, (some, _) in counts.items()}}


def _commands(folder: Path, rounds: int) -> dict[str, float]:
    """Return the seconds of whole commands, which start Python and DuckDB anew."""
    command: list[str | Path] = [sys.executable, "-m", "auditctl", "log", "--archive", folder / "archive"]
    some = {"log": [], "log --user visitor": ["--user", "visitor"], "log --id nothing": ["--id", "nothing"]}
    runs = {
        name: lambda options=options: measure.process([*command, *options], folder / "output").seconds
        for name, options in some.items()
    }
    return {name: round(seconds, 2) for name, seconds in measure.interleaved(runs, rounds).items()}


def table() -> str:
    """Return the part of docs/performance.md; empty where it was never measured."""
    measured = results.read("archive")
    if not measured:
        return ""
    events, archived, years = measured["events"], measured["archived"], measured["years"]
    stored, written = (archived[f"bytes_in_{place}"] / events for place in ("postgresql", "files"))
    contenders = list(measured["page"])
    rows = [[case, *(f"{measured['page'][name][case]:,.0f}" for name in contenders)] for case in CASES]
    once, more = measured["groups"]["1"], measured["groups"][str(years)]
    groups = [[f"`{value}`", f"{count:,}", f"{more[value]:,}"] for value, count in once.items()]
    commands = [[f"`auditctl {name}`", f"{seconds:.2f}"] for name, seconds in measured["command"].items()]
    return (
        f"`auditctl archive` wrote {events:,} events in {archived['seconds']:.0f} s, "
        f"{events / archived['seconds']:,.0f} a second, read back and compared; the tool's processor took "
        f"{archived['tool_seconds']:.0f} s, the server's {archived['server_seconds']:.0f} s, and the tool "
        f"{archived['peak_megabytes']} MB of memory. An event takes {stored:.0f} bytes in PostgreSQL with its indexes, "
        f"and {written:.0f} in files: {written / stored:.3f} of it.\n\n"
        f"The first {PAGE} events of a filter, from the same {events:,} events in both, and from {years} times as many "
        f"in files:\n\n{grid(['milliseconds', *contenders], rows)}\n"
        f"The groups of rows that the statistics and Bloom filters leave, of `all`:\n\n"
        f"{grid(['value', f'{events:,} events', f'{events * years:,} events'], groups)}\n"
        f"Whole commands over the larger archive:\n\n{grid(['command', 'seconds'], commands)}"
    )
