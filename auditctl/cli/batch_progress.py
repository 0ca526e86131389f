"""Says how an apply goes on that takes more than one transaction, and what an interruption leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from auditctl.capture.batches import Progress, Watch
from auditctl.cli import progress
from auditctl.cli.session import Session
from auditctl.text import plural


@contextmanager
def batch_progress(session: Session) -> Iterator[Watch]:
    """Yield what `apply` shows its progress to; if the block raises between batches, say what is done."""
    last = Progress(0, 0, 1)
    with ExitStack() as stack:
        show = None

        def watch(current: Progress) -> None:
            nonlocal last, show
            if current.batches > 1:
                if show is None:
                    tables, transactions = plural(current.total, "table"), plural(current.batches, "transaction")
                    session.say(f"Changing {tables} in {transactions}.")
                    show = stack.enter_context(progress.bar(session, "Applying"))
                show(current.done, current.total)
            last = current

        try:
            yield watch
        except BaseException:
            stack.close()
            if 0 < last.done < last.total:
                session.say(f"{last.done} of {plural(last.total, 'table')} are done; the others are as before.")
            raise
