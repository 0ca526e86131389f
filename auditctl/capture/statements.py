"""Orders the statements of a plan, writes them as a script, or runs them and says which one failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import psycopg
from psycopg import sql

from auditctl import database
from auditctl.capture.model import Statement
from auditctl.capture.plan import Change, Plan
from auditctl.database import Connection
from auditctl.errors import DatabaseError
from auditctl.session_settings import SEARCH_PATH


def ordered(changes: Iterable[Change]) -> list[tuple[Change, Statement]]:
    """Return the statements of changes in the order in which they run, each once."""
    once: dict[tuple[str, int], tuple[Change, Statement]] = {}
    for change in changes:
        for statement in change.statements:
            once.setdefault((statement.sql, statement.step), (change, statement))
    return sorted(once.values(), key=lambda step: step[1].step)


def script(planned: Plan) -> Iterator[str]:
    """Yield a plan as SQL for people to read and run: its statements, each under the role that it needs.

    Args:
        planned: The plan.

    Yields:
        The script piece by piece, without line ends; nothing where no trigger and no time has to change.
    """
    if not planned.has_work:
        return
    yield f"begin;\nset local search_path = {SEARCH_PATH};\n"
    for _, statement in ordered(planned.pending):
        role = "set role auditctl_owner;\n" if statement.as_owner else "reset role;\n"
        yield f"{role}{statement.sql};\n"
    for difference in planned.retention.differences:
        words = [
            sql.SQL("null") if word is None else sql.Literal(word) for word in (difference.target, difference.after)
        ]
        call = sql.SQL("select auditctl.set_retention({}, {})").format(*words).as_string(None)
        yield f"set role auditctl_owner;\n{call};\n"
    yield "reset role;\ncommit;"


def run(conn: Connection, statements: Iterable[tuple[str, str]]) -> None:
    """Run statements that need no result, inside the caller's transaction, in one round trip if libpq can.

    Args:
        conn: The connection.
        statements: What each is about, for an error, and its text.

    Raises:
        DatabaseError: One failed.
    """
    sent: list[tuple[str, psycopg.Cursor[Any]]] = []
    try:
        with database.errors_translated(), conn.pipeline() if psycopg.Pipeline.is_supported() else nullcontext():
            for subject, text in statements:
                cursor = conn.cursor()
                sent.append((subject, cursor))
                # The database wrote it: in binary mode, the server accepts a single statement only.
                cursor.execute(sql.SQL(text.replace("{", "{{").replace("}", "}}")).format(), binary=True, prepare=False)
    except DatabaseError as error:
        subject = next((subject for subject, cursor in sent if cursor.statusmessage is None), "")
        if isinstance(error.__cause__, psycopg.Error):
            raise database.translate(error.__cause__, subject) from error.__cause__
        raise
