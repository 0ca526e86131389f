"""Draws a table that fits the terminal, or one event as a list of its fields."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg.sql import Composable

from auditctl.clock import UTC
from auditctl.display import format_user, harmless
from auditctl.log import event_texts, selection
from auditctl.log.columns import Columns
from auditctl.log.event_texts import Project
from auditctl.log.formats.format import Format, Layout, Row

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

COLORS = {
    "CREATE": "green", "READ": "cyan", "UPDATE": "yellow", "DELETE": "red", "TRUNCATE": "red", "EVENT": "blue",
    "BASELINE": "green",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a column of the table looks.

    Attributes:
        title: Its header.
        narrow: The maximum width on a narrow terminal; None for as wide as its values.
        wide: The maximum width on a wide one.
        share: Its share of what the other columns leave; 0 for none.
    """

    title: str
    narrow: int | None = None
    wide: int | None = None
    share: int = 0


_SHAPES = {
    "event_id": _Shape("event"),
    "created_on": _Shape("created on"),
    "ip_address": _Shape("ip address", 15, 15),
    "user": _Shape("user", 10, 16),
    "target": _Shape("target", 16, 24),
    "target_id": _Shape("id", 6, 12),
    "action": _Shape("action"),
    "details": _Shape("details", share=2),
    "reason": _Shape("reason", share=1),
    "old_values": _Shape("old values", share=2),
    "new_values": _Shape("new values", share=2),
    "db_user": _Shape("db user", 10, 16),
    "actor_kind": _Shape("actor kind"),
    "xact_id": _Shape("xact id"),
    "context": _Shape("context", share=2),
    "database": _Shape("database", 10, 16),
}

_ALWAYS = ("event_id", "created_on", "user", "action", "target", "target_id", "details")
_WITH_ROOM = ("event_id", "created_on", "ip_address", "user", "action", "target", "target_id", "details")
LONG = 20_000
"""Laying out so many characters takes a tenth of a second."""

_UNBOUNDED = 120
"""The width at which lines of one event are broken where nothing says how wide they may be."""

_WITH_ADDRESS = 110
"""The width from which on the address is shown."""


def shown(layout: Layout) -> Columns:
    """Return the columns of a list: those that were chosen, or what there is room for."""
    if layout.columns is not None:
        return layout.columns
    if layout.width is None:
        return (*layout.more, *_WITH_ROOM, "reason")
    return (*layout.more, *(_WITH_ROOM if layout.width >= _WITH_ADDRESS else _ALWAYS))


def project_list(layout: Layout) -> Composable:
    """Return what to read for a list: its columns, and the kind of each user."""
    names = _read(layout)
    return selection.cells(safe=False, names=names) if layout.width is None else selection.heads(names)


def list_texts(layout: Layout) -> Project:
    """Return what makes the same of an event that is texts already."""
    names = _read(layout)
    return event_texts.cells(safe=False, names=names) if layout.width is None else event_texts.heads(names)


def _read(layout: Layout) -> Columns:
    names = shown(layout)
    return (*names, "actor_kind") if "user" in names and "actor_kind" not in names else names


def write(rows: Iterable[Row], layout: Layout) -> Generator[str]:
    """Yield the whole table, values cut to its width if it has one; nothing without rows."""
    listed = [_line(row, layout) for row in rows]
    if not listed:
        return
    if layout.width is None:
        yield from _uncut(listed, layout)
        return
    table = _table(layout, layout.width)
    for line in listed:
        table.add_row(*line)
    yield _drawn(table, layout)


def _titles(layout: Layout) -> list[str]:
    zone = layout.zone.name if layout.zone else UTC.name
    return [f"{_SHAPES[name].title}{f' ({zone})' * (name == 'created_on')}" for name in shown(layout)]


def _uncut(lines: list[list[Text]], layout: Layout) -> Generator[str]:
    """Yield a line for each row, each column as wide as its longest value; rich would take long to lay them out."""
    from rich.cells import cell_len

    names = shown(layout)
    if layout.columns is None and not any(line[-1] for line in lines):
        names = names[:-1]  # nobody stated a reason
    cells = [_titles(layout)[: len(names)], *([cell.plain for cell in line[: len(names)]] for line in lines)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for number, texts in enumerate(cells):
        padded = []
        for name, text, width in zip(names, texts, widths, strict=True):
            blanks = " " * (width - cell_len(text))
            one = blanks + text if name == "event_id" else text + blanks
            has_color = name == "action" and number and layout.color
            padded.append(_colored(one, COLORS.get(text, "none")) if has_color else one)
        yield "  ".join(padded).rstrip() + "\n"


def _colored(text: str, style: str) -> str:
    from rich.color import ColorSystem
    from rich.style import Style

    return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)


def write_one(row: Row, layout: Layout) -> Generator[str]:
    """Yield every field on lines of its own, nothing cut; the terminal breaks the lines of a long one."""
    from rich.text import Text

    grid, is_empty = _grid(layout), True
    for name, cell in zip(layout.names, row, strict=True):
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
        grid, is_empty = _grid(layout), True
    if not is_empty:
        yield _drawn(grid, layout)


def _grid(layout: Layout) -> Table:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True, min_width=max(map(len, layout.names)))
    grid.add_column(overflow="fold")
    return grid


def _table(layout: Layout, width: int) -> Table:
    from rich import box
    from rich.table import Table

    is_wide, names = width >= _WITH_ADDRESS, shown(layout)
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1 if is_wide else 0, 0, 0),
        expand=any(_SHAPES[name].share for name in names),
    )  # fmt: skip
    for name, title in zip(names, _titles(layout), strict=True):
        shape = _SHAPES[name]
        if name == "created_on":
            table.add_column(
                title, no_wrap=True, width=None if layout.zone else 19, min_width=24 if layout.zone else 19
            )
        elif shape.share:
            table.add_column(title, no_wrap=True, ratio=shape.share, min_width=8, overflow="ellipsis")
        else:
            table.add_column(
                title, no_wrap=True, overflow="ellipsis", max_width=shape.wide if is_wide else shape.narrow,
                justify="right" if name == "event_id" else "left", min_width=6 if name == "action" else None,
            )  # fmt: skip
    return table


def _line(row: Row, layout: Layout) -> list[Text]:
    from rich.text import Text

    names = shown(layout)
    values = dict(zip((*names, "actor_kind"), row, strict=False))
    cells = []
    for name in names:
        text, style = values[name] or "", ""
        if name == "user":
            kind = values["actor_kind"] or ""
            cells.append(Text(format_user(text, kind), style="italic" if kind == "system" else ""))
            continue
        if name == "created_on":
            text = layout.zone.digits(datetime.fromisoformat(text)) if layout.zone else text[:19].replace("T", " ")
        elif name == "action":
            style = COLORS.get(text, "")
        cells.append(Text(harmless(text), style=style))
    return cells


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
    project=lambda _, columns: selection.cells(safe=False, names=columns),
    project_texts=lambda _, columns: event_texts.cells(safe=False, names=columns),
    list_projection=project_list,
    list_texts=list_texts,
    write=write,
    write_one=write_one,
    harmless=str,  # each cell is, and colors are codes
)
