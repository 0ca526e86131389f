"""Draws tables on the terminal, for every command but those that read the log."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditctl.cli.printing import uses_color
from auditctl.display import harmless

WIDTH_WITHOUT_TERMINAL = 160


class _Console(Console):
    """A console that leaves a closed pipe to `main`; rich itself would end with the exit code 1."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str] = ()) -> None:
    """Print a table to stdout that fits the terminal, columns of numbers to the right; nothing for no rows."""
    if not rows:
        return
    colored = uses_color(sys.stdout)
    width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    table = Table(box=None, pad_edge=False, header_style="bold" if colored else "")
    for name in header:
        is_number = name in numbers
        table.add_column(name, overflow="fold", justify="right" if is_number else "left", no_wrap=is_number)
    for row in rows:
        table.add_row(*(Text(harmless(cell)) for cell in row))
    _Console(no_color=not colored, width=width, highlight=False).print(table)
