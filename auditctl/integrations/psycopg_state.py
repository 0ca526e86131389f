"""Decides what an instrumented connection of psycopg sends before a statement, and how; sync and async alike."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Any

from psycopg import Pipeline, sql
from psycopg.pq import PipelineStatus, TransactionStatus

from auditctl.integrations import current
from auditctl.integrations.current import NOBODY, Reads, Sent, Settings
from auditctl.integrations.statements import has_several, is_control, runs_alone

SETTINGS = current.SQL.format("%s", "%s", "%s")

_UNKNOWN = "call"
"""A statement that may do anything, in place of one whose text is not known."""


class How(Enum):
    """How settings travel with a statement."""

    NOT = auto()
    BEFORE = auto()
    WITH_BEGIN = auto()
    TOGETHER = auto()
    IN_TRANSACTION = auto()


class State:
    """What an instrumented connection knows of its transaction.

    Attributes:
        reads: Whether reads are recorded; shared by the connections of a pool.
        lock: Held while settings and their statement are sent, so that no other thread or task comes between.
        task: The task that holds it.
    """

    __slots__ = ("_conn", "_sent", "lock", "reads", "task")

    def __init__(self, conn: Any, reads: Reads, lock: Any) -> None:
        self._conn, self.reads, self.lock = conn, reads, lock
        self._sent = Sent()
        self.task: asyncio.Task[Any] | None = None

    def plan(self, text: str, *, is_plain: bool) -> tuple[How, Settings]:
        """Return how which settings travel with a statement.

        Args:
            text: The statement.
            is_plain: Whether it may be part of a pipeline: COPY, streams and server-side cursors may not.

        Raises:
            TransactionRequired: The text writes, and begins or ends a transaction in between.
        """
        self.note_begin()
        due = self._sent.due(text, self.reads)
        if due is None:
            return How.NOT, NOBODY
        if not self._is_idle():
            return How.BEFORE, due
        if not self._conn.autocommit:
            return How.WITH_BEGIN, due
        if runs_alone(text):
            return How.NOT, due
        is_together = is_plain and Pipeline.is_supported() and not has_several(text)
        return (How.TOGETHER if is_together else How.IN_TRANSACTION), due

    def note(self, sent: Settings) -> None:
        """Note what was sent."""
        self._sent.note(sent)

    def note_statement(self, text: str) -> None:
        """Note that a statement was sent, which may have undone settings."""
        # In a pipeline, answers come later, and with them whether what was sent was executed.
        if is_control(text) or self._is_in_pipeline():
            self.note_change()

    def note_change(self) -> None:
        """Note that a transaction began or ended, or went back to a savepoint."""
        self._sent.forget() if self._is_idle() else self._sent.doubt()

    def note_begin(self) -> None:
        """Note that a transaction or a savepoint begins."""
        if self._is_idle():
            self._sent.forget()

    def _is_idle(self) -> bool:
        """Whether no transaction runs; inside a pipeline nobody can tell, so that it counts as one."""
        is_idle = self._conn.pgconn.transaction_status == TransactionStatus.IDLE
        return is_idle and not self._is_in_pipeline()

    def _is_in_pipeline(self) -> bool:
        return bool(self._conn.pgconn.pipeline_status != PipelineStatus.OFF)


def text_of(conn: Any, query: Any) -> str:
    """Return the text of a query, in any form that psycopg takes."""
    if isinstance(query, sql.Composable):
        return query.as_string(conn)
    if isinstance(query, bytes):
        return query.decode("utf-8", "replace")
    return query if isinstance(query, str) else _UNKNOWN
