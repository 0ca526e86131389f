"""Writes the tables of docs/performance.md from bench/results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench import (
    archive,
    evidence,
    guard,
    importing,
    integrations,
    reading,
    reconcile,
    results,
    storage,
    tables,
    targets,
    transactions,
    upgrade,
    web,
)
from bench.capture.figures import Figures
from bench.contenders import NO_AUDIT, TITLES
from bench.markdown import grid
from bench.subject import STATEMENTS
from bench.targets import clean

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
SIZING = PAGE.parent / "reference" / "sizing.md"
START, END = "<!-- generated: python -m bench table -->\n", "<!-- end of generated -->\n"
START_UPKEEP = "<!-- generated: python -m bench table, upkeep -->\n"
START_PAGES = "<!-- generated: python -m bench table, pages -->\n"

START_TRANSACTIONS = "<!-- generated: python -m bench table, transactions -->\n"
START_TABLES = "<!-- generated: python -m bench table, tables -->\n"
START_STORAGE = "<!-- generated: python -m bench table, storage -->\n"
START_UPGRADE = "<!-- generated: python -m bench table, upgrade -->\n"
START_INTEGRATIONS = "<!-- generated: python -m bench table, integrations -->\n"
START_RECONCILE = "<!-- generated: python -m bench table, reconcile -->\n"
START_EVIDENCE = "<!-- generated: python -m bench table, evidence -->\n"
START_ARCHIVE = "<!-- generated: python -m bench table, archive -->\n"
START_GUARD = "<!-- generated: python -m bench table, guard -->\n"

KINDS = ("single", "bulk")


def rewrite() -> None:
    """Put the tables of the newest results into the pages."""
    for page, start, content in parts():
        before, _, rest = page.read_text("utf-8").partition(start)
        _, _, after = rest.partition(END)
        page.write_text(f"{before}{start}\n{content}\n{END}{after}", "utf-8")


def parts() -> tuple[tuple[Path, str, str], ...]:
    """Return what stands at each mark of the pages."""
    return (
        (PAGE, START, generated()),
        (PAGE, START_UPKEEP, upkeep()),
        (PAGE, START_PAGES, web.table()),
        (PAGE, START_TRANSACTIONS, transactions.table()),
        (PAGE, START_TABLES, tables.table()),
        (PAGE, START_UPGRADE, upgrade.table()),
        (PAGE, START_GUARD, guard.table()),
        (PAGE, START_RECONCILE, reconcile.table()),
        (PAGE, START_EVIDENCE, evidence.table()),
        (PAGE, START_ARCHIVE, archive.table()),
        (PAGE, START_INTEGRATIONS, integrations.table()),
        (SIZING, START_STORAGE, storage.table()),
    )


def generated() -> str:
    """Return the tables; a benchmark that was never run is left out."""
    parts = (
        _overhead(),
        _wide(),
        _flat(),
        _commits(),
        _size(),
        _memory(),
        targets.table(),
        _reading(),
        importing.table(),
    )
    return "\n".join(part for part in parts if part)


def _overhead() -> str:
    measured = {kind: results.read(f"capture-{kind}") for kind in KINDS}
    if not all(measured.values()):
        return ""
    workloads = {
        f"{kind} {statement}": measured[kind]["microseconds_per_row"][statement]
        for statement in STATEMENTS
        for kind in KINDS
    }
    single, bulk = (f"{measured[kind]['rows']:,}" for kind in KINDS)
    rows = [
        [TITLES[name], *(_cell(figures, name) for figures in workloads.values())]
        for name in TITLES
        if any(name in figures for figures in workloads.values())
    ]
    return (
        f"The additional cost of a row over no audit; in brackets, its ratio to the floor's overhead. For no audit, "
        f"the cost of the row itself. `single` is a loop of {single} statements, `bulk` one statement for {bulk} rows."
        "\n\n"
        f"{grid(['microseconds per row', *workloads], rows)}"
    )


def _cell(figures: Figures, name: str) -> str:
    if name not in figures:
        return "-"
    if name == NO_AUDIT.name:
        return _number(figures[name], "cost")
    return f"{_number(figures[name], 'overhead')} ({clean(figures[name], 'over_floor'):.2f})"


def _number(figures: Mapping[str, float], name: str) -> str:
    return f"{clean(figures, name):.1f}" if name in figures else "-"


def _wide() -> str:
    measured = results.read("capture-wide")
    if not measured:
        return ""
    sides = [measured["microseconds_per_row"][name] for name in measured["columns"]]
    kinds = ("cost", "overhead")
    rows = [[TITLES[name], *(_number(side[name], kind) for kind in kinds for side in sides)] for name in sides[0]]
    columns = [f"{number} columns" for number in measured["columns"].values()]
    head = ["microseconds per update", *(f"{kind}, {number}" for kind in kinds for number in columns)]
    return f"Two changed columns, in a loop of {measured['rows']} statements:\n\n{grid(head, rows)}"


def _flat() -> str:
    measured = results.read("capture-flat")
    if not measured:
        return ""
    sizes: dict[str, dict[str, Figures]] = measured["microseconds_per_row"]
    orders = next(iter(sizes.values()))
    names = list(next(iter(orders.values())))
    rows = [
        [f"{int(rows):,}", str(measured["rounds"][rows])]
        + [_number(figures[order][name], "cost") for name in names for order in orders]
        for rows, figures in sizes.items()
    ]
    head = [f"{TITLES[name]}, {order.replace('_', ' ')}" for name in names for order in orders]
    return (
        "One update of many rows, in microseconds per row, each in a new session that had updated only as many "
        f"rows as the heading gives:\n\n{grid(['rows', 'rounds', *head], rows)}"
    )


def _commits() -> str:
    measured = results.read("capture-commits")
    if not measured or "skipped" in measured:
        return ""
    figures = measured["transactions_per_second"]
    rows = [
        [TITLES[name], *(f"{side[name]['rate']:,.0f} ({side[name]['of_no_audit']:.2f})" for side in figures.values())]
        for name in TITLES
        if all(name in side for side in figures.values())
    ]
    fsync = measured["settings"]["fsync"]
    head = ["transactions per second", *(f"{clients} client{'s' * (clients != '1')}" for clients in figures)]
    return (
        f"pgbench with real commits (fsync {fsync}), an update of two columns in each transaction; in brackets the "
        f"share of no audit:\n\n{grid(head, rows)}"
    )


def _reading() -> str:
    measured = results.read("reading")
    if not measured or "skipped" in measured:
        return ""
    figures = measured["transactions_per_second"]
    rows = [
        [title, *(f"{side[name]['rate']:,.0f} ({side[name]['of_no_audit']:.2f})" for side in figures.values())]
        for name, title in reading.TITLES.items()
    ]
    return (
        "SELECTs by pgbench, each in its own transaction; in brackets, the ratio to no audit. `RAISE LOG alone` is the "
        f"cost of a policy that writes no event:\n\n{grid(['transactions per second', *figures], rows)}"
    )


def _size() -> str:
    measured = results.read("capture-size")
    if not measured:
        return ""
    figures = measured["bytes_per_event"]
    names = [name for name in TITLES if name in figures["update"]]
    rows = [[TITLES[name], *(f"{figures[statement][name]:.0f}" for statement in STATEMENTS)] for name in names]
    return (
        f"Bytes of an event with all indexes, after {measured['events']:,} of its kind:\n\n"
        f"{grid(['bytes per event', *STATEMENTS], rows)}"
    )


def _memory() -> str:
    measured = results.read("capture-memory")
    if not measured:
        return ""
    workloads = measured["microseconds_per_row"]
    rows = [
        [
            TITLES[name],
            f"{kept['megabytes_per_table']:.2f}",
            f"{kept['plans_per_table']:.0f}",
            f"{kept['truncate_milliseconds']:.1f}",
            *(_number(figures[name], "cost") for figures in workloads.values()),
        ]
        for name, kept in measured["kept"].items()
    ]
    head = ["", "MB a table", "plans a table", "TRUNCATE, ms", *workloads]
    return (
        f"What a session keeps for each table of {measured['columns']} columns that it inserted into, updated and "
        f"deleted from, a TRUNCATE in a session that did so with {measured['tables']} tables, and microseconds per row "
        f"of one table, with the row itself:\n\n{grid(head, rows)}"
    )


def upkeep() -> str:
    """Return the table of upkeep; empty where it was never measured."""
    measured = results.read("maintain")
    if not measured:
        return ""
    names = {
        "move_out_of_default": "moved out of the DEFAULT partition, to which the sessions also write",
        "expire_with_1_percent_kept": "an expired month, of which 1 percent remains",
    }
    rows = [
        [
            title,
            f"{measured[name]['seconds']:.1f}",
            f"{measured[name]['before']['rate']:,.0f}",
            f"{measured[name]['rate_of_before']:.2f}",
            f"{measured[name]['before']['longest_ms']:.0f}",
            f"{measured[name]['meanwhile']['longest_ms']:.0f}",
        ]
        for name, title in names.items()
    ]
    head = ["upkeep", "seconds", "writes per second before", "meanwhile", "longest write before, ms", "meanwhile, ms"]
    return (
        f"`auditctl maintain` with {measured['events']:,} events, while {measured['writers']} sessions insert audited "
        f"rows one by one. The first `meanwhile` is the ratio to the rate before:\n\n{grid(head, rows)}"
    )
