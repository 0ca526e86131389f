"""Prints data to standard output and messages to standard error, for every command.

The only place that prints: on a terminal nothing recorded arrives as it is, because its control characters would reach
the terminal. In a pipe or file data is exact. Messages are never exact.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from auditctl import display
from auditctl.output import STANDARD_NAME, Sink
from auditctl.text import bounded

if TYPE_CHECKING:
    from auditctl.log.formats import Format


def uses_color(stream: Any) -> bool:
    """Whether colors may be used on a stream: only on a terminal, and never with NO_COLOR or TERM=dumb."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def print_text(text: str, code: Callable[[str], str] = display.harmless_lines, *, end: str = "\n") -> None:
    """Print a text of one or more lines.

    Args:
        text: The text.
        code: What makes it harmless on a terminal.
        end: What follows it.
    """
    click.echo((code(text) if sys.stdout.isatty() else text) + end, nl=False)


def print_heading(text: str) -> None:
    """Print a line after an empty one, bold where there are colors, and an empty line."""
    text = display.harmless(text)
    styled = click.style(text, bold=True) if uses_color(sys.stdout) else text
    click.echo(f"\n{styled}\n", color=uses_color(sys.stdout))


def print_json(value: Any, default: Callable[[Any], Any] | None = None) -> None:
    """Print a value as JSON on several lines; `default` makes JSON values of others."""
    print_text(json.dumps(value, ensure_ascii=False, indent=2, default=default), display.harmless_json)


def standard_output(code: Callable[[str], str]) -> Sink:
    """Return standard output as a sink, whose text `code` makes harmless on a terminal."""
    return Sink(sys.stdout.fileno(), STANDARD_NAME, code)


def print_pieces(texts: Iterable[str], code: Callable[[str], str]) -> None:
    """Print texts piece by piece; raises as `Sink.write` does."""
    standard_output(code).write_texts(texts)


@contextmanager
def ignoring_broken_pipe() -> Iterator[None]:
    """End the command without an error when the reader of its output stops reading, as `head` does."""
    try:
        yield
    except BrokenPipeError:
        raise click.exceptions.Exit(0) from None


def print_events(output_format: Format, texts: Generator[str]) -> None:
    """Print the texts of a format of events; raises as `Sink.write` does."""
    # Closed before the connection is: a read that stopped half-way must release it.
    with ignoring_broken_pipe(), closing(texts):
        print_pieces(texts, output_format.harmless)


def print_message(message: str) -> None:
    """Print a message to standard error, on one line; the middle of one that is too long to read is left out."""
    click.echo(bounded(display.harmless(message)), err=True)


def print_messages(text: str) -> None:
    """Print each line of a text to standard error."""
    for line in text.splitlines():
        print_message(line)


def print_warning(message: str) -> None:
    """Print a warning to standard error, on one line."""
    print_message(f"warning: {message}")
