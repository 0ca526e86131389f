"""Progress of long work, drawn on stderr of a terminal; nothing is drawn elsewhere or with --quiet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from auditctl.cli.session import Session


@contextmanager
def counter(session: Session, noun: str) -> Iterator[Callable[[int, str], None]]:
    """Draw a number, more text, the rate and the time that has passed.

    Args:
        session: The options before the command.
        noun: What is counted, in the plural.

    Yields:
        A function that takes the number so far and the text to show after it.
    """
    if not session.shows_progress:
        yield lambda _number, _text: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    texts = (TextColumn(f"{{task.completed:,.0f}} {noun}"), TextColumn("{task.fields[text]}"))
    columns = (SpinnerColumn(), *texts, TextColumn("{task.fields[rate]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, text="", rate="")

        def show(number: int, text: str) -> None:
            rate = number / (progress.tasks[0].elapsed or 1)
            progress.update(task, completed=number, text=text, rate=f"{rate:,.0f} {noun}/s")

        yield show


@contextmanager
def bar(session: Session, title: str) -> Iterator[Callable[[int, int], None]]:
    """Draw a bar with the percentage and the time that remains.

    Args:
        session: The options before the command.
        title: What is being done.

    Yields:
        A function that takes how much is done, and how much there is to do.
    """
    if not session.shows_progress:
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
