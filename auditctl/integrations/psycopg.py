"""Names the user who acts on connections of psycopg, by session variables.

`instrument` does it for `auditctl.acting_as`. `acting` does it for a connection at hand: it sets the variables at the
start of a block and restores them at its end. The database decides by the login whether it believes them. Needs no
object of the store, so that it works before the store is installed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from auditctl import resources
from auditctl.errors import TransactionRequired, UsageError
from auditctl.integrations import context as contexts
from auditctl.integrations.current import Sent, Settings
from auditctl.integrations.psycopg_connections import instrument, sent_on

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from types import TracebackType

__all__ = ["acting", "instrument"]

_BEGIN = resources.sql_text("queries/acting_begin.sql")
_END = resources.sql_text("queries/acting_end.sql")

ConnectionType = TypeVar("ConnectionType", bound="Connection[Any] | AsyncConnection[Any]")


@dataclass(frozen=True, slots=True)
class _Before:
    """The former values of the variables, and the transaction in which they were changed."""

    actor: str
    ip: str
    context: str
    transaction: str

    @classmethod
    def of(cls, row: tuple[Any, ...] | None) -> _Before:
        """Return the values in the first columns of queries/acting_begin.sql."""
        return cls(*(row or ())[:4])

    def values(self) -> dict[str, str]:
        """Return the parameters of queries/acting_end.sql."""
        return asdict(self)


class acting(Generic[ConnectionType]):  # noqa: N801 - reads as a verb: with acting(conn, "alice")
    """Name who acts in the statements of a `with` block, or of an `async with` block.

    The variables are set for the connection's transaction, so that they cannot leak through a pooler; at the end of
    the block the former values are restored. Blocks nest: an inner one inherits the address and the context of the
    outer one and adds to them. Only logins with the role auditctl_app are believed; see `auditctl grant app`.

    Example:
        with conn.transaction(), acting(conn, "alice", ip=request.ip, request_id=request.id):
            conn.execute("update billing.customer set status = 'closed' where id = 7")

    Args:
        conn: A connection in a transaction, or one that begins transactions by itself.
        actor: The user; None for nobody: the system itself acts.
        ip: The user's address; None for the outer block's.
        reason: Why, for people; part of the context.
        context: More values to record with each event: JSON values, others as their text.

    Raises:
        UsageError: A value shows nothing, holds a NUL byte or has no JSON form, or the context is over 16 kB.
        TransactionRequired: At the start: the connection is in autocommit outside a transaction, so that the variables
            would be lost at once. At the end: the block's transaction ended and another began, whose statements were
            recorded without the user.
        psycopg.Error: The server refused, as for any statement of the application.
    """

    def __init__(
        self,
        conn: ConnectionType,
        actor: str | None,
        ip: str | IPv4Address | IPv6Address | None = None,
        *,
        reason: str | None = None,
        **context: object,
    ) -> None:
        self._conn = conn
        self._actor = contexts.actor(actor)
        self._ip = contexts.address(ip)
        self._context = contexts.with_reason(context, reason)
        self._context_text = contexts.dump(self._context) if self._context else None
        self._before: _Before | None = None
        self._sent_before: Sent | None = None

    def __enter__(self: acting[Connection[Any]]) -> None:
        self._require_transaction()
        with self._conn.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(_BEGIN, self._names(self._context_text))
            row = cursor.fetchone()
            before = _Before.of(row)
            try:
                merged = self._enter(before)
            except UsageError:
                cursor.execute(_END, before.values())
                raise
            if merged is not None:
                cursor.execute(_BEGIN, self._names(merged))
            self._note(row, merged)

    def __exit__(
        self: acting[Connection[Any]],
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if (before := self._to_restore()) is None:
            return
        with self._conn.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(_END, before.values())
            self._leave(cursor.fetchone(), error)

    async def __aenter__(self: acting[AsyncConnection[Any]]) -> None:
        self._require_transaction()
        async with self._conn.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_BEGIN, self._names(self._context_text))
            row = await cursor.fetchone()
            before = _Before.of(row)
            try:
                merged = self._enter(before)
            except UsageError:
                await cursor.execute(_END, before.values())
                raise
            if merged is not None:
                await cursor.execute(_BEGIN, self._names(merged))
            self._note(row, merged)

    async def __aexit__(
        self: acting[AsyncConnection[Any]],
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if (before := self._to_restore()) is None:
            return
        async with self._conn.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_END, before.values())
            self._leave(await cursor.fetchone(), error)

    def _require_transaction(self) -> None:
        if self._before is not None:
            raise UsageError("this acting(...) is already in use", hint="Make a new one for each block.")
        if self._conn.autocommit and self._conn.info.transaction_status == TransactionStatus.IDLE:
            raise TransactionRequired(hint="Use it inside `with conn.transaction():`.")

    def _names(self, context: str | None) -> dict[str, str | None]:
        return {"actor": self._actor, "ip": self._ip, "context": context}

    def _enter(self, before: _Before) -> str | None:
        """Return the outer context with this one added; None where there is nothing to merge."""
        outer = contexts.load(before.context)
        merged = contexts.dump({**outer, **self._context}) if outer and self._context else None
        self._before = before
        return merged

    def _note(self, row: tuple[Any, ...] | None, merged: str | None) -> None:
        """Let an instrumented connection know of the settings, the last columns of queries/acting_begin.sql."""
        if row is not None and (sent := sent_on(self._conn)) is not None:
            actor, ip, context = row[4:]
            self._sent_before = sent.state(Settings(actor, ip, merged or context))

    def _note_end(self, *, is_restored: bool) -> None:
        before, self._sent_before = self._sent_before, None
        if before is not None and (sent := sent_on(self._conn)) is not None:
            sent.restore(before, is_certain=is_restored)

    def _to_restore(self) -> _Before | None:
        before, self._before = self._before, None
        in_transaction = self._conn.info.transaction_status == TransactionStatus.INTRANS
        if not in_transaction:
            self._note_end(is_restored=False)
        return before if in_transaction else None

    def _leave(self, row: tuple[Any, ...] | None, error: BaseException | None) -> None:
        self._note_end(is_restored=row == (True,))
        if row == (False,) and error is None:
            raise TransactionRequired(
                "the transaction ended inside acting(...) and another began: its statements carry no actor",
                hint="Use one acting(...) for each transaction.",
            )
