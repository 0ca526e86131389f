"""What an instrumented connection of psycopg sends before a statement, and how; for sync and async alike."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any

from psycopg import Connection, Error, Pipeline, generators
from psycopg.errors import QueryCanceled, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus, TransactionStatus

from auditctl.integrations import current
from auditctl.integrations.current import LOOK_UP, Reads, Sent, Settings
from auditctl.integrations.statements import needs_block, runs_alone, undoes_settings

Steps = Generator[Any, Any, Any]
"""What psycopg does while it holds the lock of a connection: yields what it waits for."""

_BasePipeline: Any = Pipeline.__base__
"""What pipelines, sync and async, have in common."""


class State:
    """What an instrumented connection knows of its transaction.

    Attributes:
        reads: Whether reads are recorded; shared by the connections of a pool.
        sent: What the transaction was sent.
        owns_transaction: Whether the transaction was begun for one statement in autocommit, and ends with it.
        is_cancelled: Whether psycopg cancels the running statement, because of Ctrl-C or a cancelled task.
    """

    __slots__ = ("is_cancelled", "owns_transaction", "reads", "sent")

    def __init__(self, reads: Reads) -> None:
        self.reads, self.sent, self.owns_transaction, self.is_cancelled = reads, Sent(), False, False

    def note_command(self, conn: Any, text: str) -> None:
        """Note a statement that is sent next, which may begin or end a transaction, or go back in one."""
        if _is_idle(conn):
            self.sent.forget()
        # In a pipeline, answers come later, and with them whether what was sent was executed.
        if self.sent.is_certain and (undoes_settings(text) or _is_in_pipeline(conn)):
            self.sent.doubt()


def with_settings(conn: Any, state: State, text: str, steps: Steps, *, is_plain: bool) -> Steps:
    """Send what is due before a statement, and the statement, which is the steps."""
    conn._check_connection_ok()
    state.is_cancelled = False
    due = yield from _due(conn, state, text)
    idle = _is_idle(conn)
    if due is None or (idle and conn.autocommit and runs_alone(text)):
        state.note_command(conn, text)
    elif idle and conn.autocommit and is_plain and Pipeline.is_supported() and not needs_block(text):
        steps = _in_pipeline(conn, _prepend(_exec_settings(conn, due), steps))
    else:
        state.owns_transaction = idle and conn.autocommit
        yield from send_settings(conn, due)
        state.sent.note(due)
        state.note_command(conn, text)
    if state.is_cancelled:
        raise QueryCanceled("canceling statement due to user request")
    return (yield from steps)


def _due(conn: Any, state: State, text: str) -> Generator[Any, Any, Settings | None]:
    """Return the settings to send before a statement; looks up at most once whether reads are recorded."""
    reads = state.reads
    if _is_idle(conn):
        state.sent.forget()
    if reads.must_look_up(text):
        if _is_in_pipeline(conn):
            reads = Reads(True)  # Its answer would come too late.
        else:
            yield from conn._start_query()
            reads.are_recorded = (yield from conn._exec_command(LOOK_UP)).get_value(0, 0) == b"t"
    known = None
    if current.calls_function() and isinstance(conn, Connection) and state.sent.may_be_due(text, reads):
        # The function for the name may use this connection, as Django's does to load the user of a request.
        conn.lock.release()
        try:
            known = current.settings()
        finally:
            conn.lock.acquire()
        if _is_idle(conn):  # It, or another thread, may have ended the transaction.
            state.sent.forget()
    return state.sent.due(text, reads, known)


def send_settings(conn: Any, due: Settings) -> Steps:
    """Send settings in the running transaction, or with the BEGIN of a new one."""
    if _is_in_pipeline(conn):
        yield from conn._start_query()
        yield from _exec_settings(conn, due)
    elif _is_idle(conn):
        begin = b"begin" if conn.autocommit else conn._get_tx_start_command()
        yield from _execute(conn, begin + b"; " + _encode(conn, due))
    else:
        yield from _execute(conn, _encode(conn, due))


def _exec_settings(conn: Any, due: Settings) -> Steps:
    yield from conn._exec_command(_encode(conn, due))


def _execute(conn: Any, command: bytes) -> Steps:
    """Execute commands in one round trip."""
    conn.pgconn.send_query(command)
    for result in (yield from generators.execute(conn.pgconn)):
        if result.status == ExecStatus.FATAL_ERROR:
            raise error_from_result(result, encoding=conn.info.encoding)


def _prepend(*parts: Steps) -> Steps:
    for steps in parts:
        yield from steps


def _in_pipeline(conn: Any, steps: Steps) -> Steps:
    """Take steps in a pipeline: outside of a transaction, they are one by themselves, in one round trip."""
    pipeline = conn._pipeline = _BasePipeline(conn)
    error: BaseException | None = None
    try:
        yield from pipeline._enter_gen()
        try:
            yield from steps
        except Exception:
            if conn.pgconn.status == ConnStatus.OK:  # A lost connection has nothing more to read.
                with suppress(Exception):
                    yield from _sync(pipeline)
            raise
        yield from _sync(pipeline)
    except Exception as raised:
        error = raised
        raise
    finally:
        conn._pipeline = None
        pipeline._exit(error)
    # What answers tell of prepared statements psycopg heeds before the next statement, as it does without a pipeline.
    yield from conn._prepared.maintain_gen(conn)


def _sync(pipeline: Any) -> Steps:
    """End the transaction that a pipeline is, and read all answers that are left."""
    pipeline._enqueue_sync()
    pipeline.result_queue.append(None)  # A deferred constraint fails at the end, with an answer of its own.
    try:
        yield from pipeline._communicate_gen()
    except Error:
        yield from pipeline._fetch_gen(flush=False)
        raise
    yield from pipeline._fetch_gen(flush=False)


def end_after(conn: Any, state: State, steps: Steps) -> Steps:
    """Take steps; end the transaction of one statement once nothing of it runs any more, as a stream or COPY may."""
    try:
        result = yield from steps
    except Exception:
        with suppress(Error):
            yield from _end(conn, state, is_good=False)
        raise
    yield from _end(conn, state, is_good=True)
    return result


def _end(conn: Any, state: State, *, is_good: bool) -> Steps:
    status = conn.pgconn.transaction_status
    if state.owns_transaction and status != TransactionStatus.ACTIVE:
        state.owns_transaction = False
        if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            yield from _execute(conn, b"commit" if is_good and status == TransactionStatus.INTRANS else b"rollback")


def _encode(conn: Any, due: Settings) -> bytes:
    command = current.command(due)
    try:
        return command.encode(conn.info.encoding)
    except UnicodeEncodeError:  # All that is not ASCII stands in constants with escapes.
        return "".join(letter if letter.isascii() else f"\\U{ord(letter):08x}" for letter in command).encode()


def _is_idle(conn: Any) -> bool:
    """Whether no transaction runs; inside a pipeline nobody can tell, so that it counts as one."""
    return conn.pgconn.transaction_status == TransactionStatus.IDLE and not _is_in_pipeline(conn)


def _is_in_pipeline(conn: Any) -> bool:
    return bool(conn.pgconn.pipeline_status != PipelineStatus.OFF)
