"""Draws a table that fits the terminal, or one event as a list of its fields."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

from auditctl.display import format_user, harmless
from auditctl.log import selection
from auditctl.log.formats.format import Format, Layout, Row

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

COLORS = {"CREATE": "green", "READ": "cyan", "UPDATE": "yellow", "DELETE": "red", "TRUNCATE": "red", "EVENT": "blue"}

_FIELD = {name: index for index, name in enumerate(selection.COLUMNS)}
LONG = 20_000
"""Laying out so many characters takes a tenth of a second."""

_WITH_ADDRESS = 110
"""The width from which on the address is shown."""


def write(rows: Iterable[Row], layout: Layout) -> Generator[str]:
    """Yield the whole table, values cut to its width; nothing without rows."""
    listed = list(rows)
    if not listed:
        return
    table = _table(wide=layout.width >= _WITH_ADDRESS)
    for row in listed:
        table.add_row(*_line(row, wide=layout.width >= _WITH_ADDRESS))
    yield _drawn(table, layout)


def write_one(row: Row, layout: Layout) -> Generator[str]:
    """Yield every field on lines of its own, nothing cut; the terminal breaks the lines of a long one."""
    from rich.text import Text

    grid, is_empty = _grid(), True
    for name, cell in zip(selection.COLUMNS, row, strict=True):
        text = harmless(cell or "")
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


def _table(*, wide: bool) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1 if wide else 0, 0, 0), expand=True
    )
    table.add_column("event", justify="right", no_wrap=True)
    table.add_column("created on (UTC)", no_wrap=True, width=19)
    if wide:
        table.add_column("ip address", no_wrap=True, max_width=15, overflow="ellipsis")
    table.add_column("user", no_wrap=True, max_width=16 if wide else 10, overflow="ellipsis")
    table.add_column("action", no_wrap=True, min_width=6)
    table.add_column("target", no_wrap=True, max_width=24 if wide else 16, overflow="ellipsis")
    table.add_column("id", no_wrap=True, max_width=12 if wide else 6, overflow="ellipsis")
    table.add_column("details", no_wrap=True, ratio=1, min_width=8, overflow="ellipsis")
    return table


def _line(row: Row, *, wide: bool) -> list[Text]:
    from rich.text import Text

    def field(name: str) -> Text:
        return Text(harmless(row[_FIELD[name]] or ""))

    moment = (row[_FIELD["created_on"]] or "")[:19].replace("T", " ")
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
        width=layout.width,
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
    list_projection=lambda _: selection.heads(),
    write=write,
    write_one=write_one,
    harmless=str,  # each cell is, and colors are codes
)
