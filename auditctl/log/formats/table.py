"""Draws a table that fits the terminal, or one event as a list of its fields."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from auditctl.clock import UTC
from auditctl.display import format_user, harmless
from auditctl.log import selection
from auditctl.log.formats.format import Format, Layout, Row

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

COLORS = {
    "CREATE": "green", "READ": "cyan", "UPDATE": "yellow", "DELETE": "red", "TRUNCATE": "red", "EVENT": "blue",
    "BASELINE": "green",
}  # fmt: skip

_HEADER = ("event", "created on", "ip address", "user", "action", "target", "id", "details")
_FIELD = {name: index for index, name in enumerate(selection.COLUMNS)}
LONG = 20_000
"""Laying out so many characters takes a tenth of a second."""

_UNBOUNDED = 120
"""The width at which lines of one event are broken where nothing says how wide they may be."""

_WITH_ADDRESS = 110
"""The width from which on the address is shown."""


def write(rows: Iterable[Row], layout: Layout) -> Generator[str]:
    """Yield the whole table, values cut to its width if it has one; nothing without rows."""
    listed = list(rows)
    if not listed:
        return
    if layout.width is None:
        yield from _uncut(listed, layout)
        return
    table = _table(layout, wide=layout.width >= _WITH_ADDRESS)
    for row in listed:
        table.add_row(*_line(row, layout, wide=layout.width >= _WITH_ADDRESS))
    yield _drawn(table, layout)


def _header(layout: Layout) -> tuple[str, ...]:
    event, moment, *others = _HEADER
    return event, f"{moment} ({layout.zone.name if layout.zone else UTC.name})", *others


def _uncut(rows: list[Row], layout: Layout) -> Generator[str]:
    """Yield a line for each row, each column as wide as its longest value; rich would take long to lay them out."""
    from rich.cells import cell_len

    cells = [list(_header(layout)), *([cell.plain for cell in _line(row, layout, wide=True)] for row in rows)]
    if any(row[_FIELD["reason"]] for row in rows):
        reasons = ["reason", *(harmless(row[_FIELD["reason"]] or "") for row in rows)]
        cells = [[*texts, reason] for texts, reason in zip(cells, reasons, strict=True)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    action = _HEADER.index("action")
    for number, texts in enumerate(cells):
        padded = [text + " " * (width - cell_len(text)) for text, width in zip(texts, widths, strict=True)]
        padded[0] = " " * (widths[0] - cell_len(texts[0])) + texts[0]
        if number and layout.color:
            padded[action] = _colored(padded[action], COLORS.get(texts[action], "none"))
        yield "  ".join(padded).rstrip() + "\n"


def _colored(text: str, style: str) -> str:
    from rich.color import ColorSystem
    from rich.style import Style

    return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)


def write_one(row: Row, layout: Layout) -> Generator[str]:
    """Yield every field on lines of its own, nothing cut; the terminal breaks the lines of a long one."""
    from rich.text import Text

    grid, is_empty = _grid(), True
    for name, cell in zip(selection.COLUMNS, row, strict=True):
        text = harmless(cell or "")
        if name == "created_on" and layout.zone and cell:
            text = layout.zone.iso(datetime.fromisoformat(cell))
        if len(text) <= LONG:
            grid.add_row(Text(name), Text(text, style=COLORS.get(text, "") if name == "action" else ""))
            is_empty = False
            continue
        if not is_empty:
            yield _drawn(grid, layout)
        yield f"{name}\n{text}\n"
        grid, is_empty = _grid(), True
    if not is_empty:
        yield _drawn(grid, layout)


def _grid() -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True, min_width=max(map(len, selection.COLUMNS)))
    grid.add_column(overflow="fold")
    return grid


def _table(layout: Layout, *, wide: bool) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1 if wide else 0, 0, 0), expand=True
    )
    event, moment, address, user, action, target, key, details = _header(layout)
    table.add_column(event, justify="right", no_wrap=True)
    table.add_column(moment, no_wrap=True, width=None if layout.zone else 19, min_width=24 if layout.zone else 19)
    if wide:
        table.add_column(address, no_wrap=True, max_width=15, overflow="ellipsis")
    table.add_column(user, no_wrap=True, max_width=16 if wide else 10, overflow="ellipsis")
    table.add_column(action, no_wrap=True, min_width=6)
    table.add_column(target, no_wrap=True, max_width=24 if wide else 16, overflow="ellipsis")
    table.add_column(key, no_wrap=True, max_width=12 if wide else 6, overflow="ellipsis")
    table.add_column(details, no_wrap=True, ratio=1, min_width=8, overflow="ellipsis")
    return table


def _line(row: Row, layout: Layout, *, wide: bool) -> list[Text]:
    from rich.text import Text

    def field(name: str) -> Text:
        return Text(harmless(row[_FIELD[name]] or ""))

    created_on = row[_FIELD["created_on"]] or ""
    moment = (
        layout.zone.digits(datetime.fromisoformat(created_on)) if layout.zone else created_on[:19].replace("T", " ")
    )
    action = row[_FIELD["action"]] or ""
    return [
        field("event_id"),
        Text(moment),
        *([field("ip_address")] if wide else []),
        _user(row),
        Text(action, style=COLORS.get(action, "")),
        field("target"),
        field("target_id"),
        field("details"),
    ]


def _user(row: Row) -> Text:
    from rich.text import Text

    kind = row[_FIELD["actor_kind"]] or ""
    return Text(format_user(row[_FIELD["user"]] or "", kind), style="italic" if kind == "system" else "")


def _drawn(table: Table, layout: Layout) -> str:
    console = _console(layout)
    console.print(table)
    drawn = console.file.getvalue()  # type: ignore[attr-defined]
    return "".join(line.rstrip() + "\n" for line in drawn.splitlines()) if not layout.color else drawn


def _console(layout: Layout) -> Console:
    from rich.console import Console

    # Nothing is taken from the environment: the caller has looked at it.
    return Console(
        file=io.StringIO(),
        width=layout.width or _UNBOUNDED,
        force_terminal=layout.color,
        color_system="standard" if layout.color else None,
        no_color=not layout.color,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )


FORMAT = Format(
    name="table",
    help="for people; fits the terminal",
    projection=lambda _: selection.cells(safe=False),
    list_projection=lambda layout: selection.heads(is_cut=layout.width is not None),
    write=write,
    write_one=write_one,
    harmless=str,  # each cell is, and colors are codes
)
