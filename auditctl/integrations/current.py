"""Who acts in the running task or thread, for every connection that an integration has instrumented.

A context variable holds it: each request and task has its own, and what they start inherits it. The integrations send
it with the first statement of a transaction that may write; one that only reads costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from auditctl.errors import TransactionRequired, UsageError
from auditctl.integrations import context as contexts
from auditctl.integrations.statements import ends_within, may_read, may_write

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from types import TracebackType


class Settings(NamedTuple):
    """The values of the settings auditctl.actor, auditctl.ip and auditctl.context; empty for none."""

    actor: str = ""
    ip: str = ""
    context: str = ""


NOBODY = Settings()

SQL = "select " + ", ".join(
    f"pg_catalog.set_config('auditctl.{name}', {{}}, true) is null" for name in Settings._fields
)
"""What sends the settings, for the rest of the transaction; with a placeholder for each.

It does not return the values, which the encoding of the client may lack.
"""

LOOK_UP = "select exists (select from pg_catalog.pg_policy where polname = 'auditctl_read')"
"""Returns whether a table of the database has the policy by which reads are recorded."""


User = str | Callable[[], str | None] | None
"""A user's name, or a function that returns it; None for nobody."""


class _Outer(Enum):
    """Stands for the user of the outer block."""

    USER = "the user of the outer block"


@dataclass(frozen=True, slots=True, eq=False)
class _Who:
    settings: Settings
    context: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    name: Callable[[], str | None] | None = None


_open: ContextVar[tuple[_Who, ...]] = ContextVar("auditctl", default=())
"""The blocks that are open, the innermost last. Generators may end theirs in any order."""


class acting_as:  # noqa: N801 - reads as a verb: with acting_as("alice")
    """Name who acts in a block, for every instrumented connection: `with` or `async with`.

    Nothing is sent to the database until a statement may write; see `auditctl.integrations`. Blocks nest: an inner one
    inherits the address and the context of the outer one and adds to them. Only logins with the role auditctl_app are
    believed; see `auditctl grant app`.

    Example:
        with acting_as("alice", ip="203.0.113.7", reason="ticket 4711", request_id="4f2a"):
            session.commit()

    Args:
        actor: The user; None for nobody: the system itself acts. A function that returns it is called when the name is
            to be sent, so that it costs nothing before, and may answer otherwise after a user signs in. Left out, as in
            `acting_as(reason="ticket 4711")`, the user of the outer block.
        ip: The user's address; None for the outer block's.
        reason: Why, for people; part of the context.
        context: More values to record with each event: JSON values, others as their text.

    Raises:
        UsageError: A value shows nothing, holds a NUL byte or has no JSON form, the context is over 16 kB, the block
            is entered twice, or it ends in another thread or task than it began in, or it names no user and there is no
            outer block.
    """

    def __init__(
        self,
        actor: User | _Outer = _Outer.USER,
        ip: str | IPv4Address | IPv6Address | None = None,
        *,
        reason: str | None = None,
        **context: object,
    ) -> None:
        self._is_of_outer = isinstance(actor, _Outer)
        self._name = actor if callable(actor) else None
        self._actor = "" if callable(actor) or isinstance(actor, _Outer) else contexts.actor(actor)
        self._ip = contexts.address(ip)
        self._context = contexts.with_reason(context, reason)
        self._text = contexts.dump(self._context) if self._context else ""
        self._who: _Who | None = None

    def __enter__(self) -> None:
        if self._who is not None:
            raise UsageError("this acting_as(...) is already in use", hint="Make a new one for each block.")
        outer = _innermost()
        if self._is_of_outer and outer is None:
            raise UsageError(
                "acting_as(...) names no user, and is inside no block that names one",
                hint='Name the user, as acting_as("alice", ...); None is the system itself.',
            )
        merged = {**outer.context, **self._context} if outer else self._context
        ip = self._ip if self._ip is not None else outer.settings.ip if outer else ""
        text = contexts.dump(merged) if outer and outer.context else self._text
        actor, name = self._actor, self._name
        if self._is_of_outer and outer is not None:
            actor, name = outer.settings.actor, outer.name
        self._who = _Who(Settings(actor, ip, text), MappingProxyType(merged), name)
        _open.set((*_open.get(), self._who))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        own, self._who = self._who, None
        blocks = _open.get()
        if own in blocks:
            _open.set(tuple(block for block in blocks if block is not own))
        elif own is not None and error is None:
            # Here, nobody was named. An error of the block says more, as when a generator is closed by another task.
            raise UsageError(
                "acting_as(...) ended in another thread or task than it began in, and named nobody in between",
                hint="A function with yield that a framework calls in threads, as FastAPI does, must be async.",
            )

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def settings() -> Settings | None:
    """Return the settings of the innermost block; None outside of any."""
    who = _innermost()
    if who is None or who.name is None:
        return None if who is None else who.settings
    token = _open.set(())  # What the function reads itself must not ask for the name again.
    try:
        return who.settings._replace(actor=contexts.actor(who.name()))
    finally:
        _open.reset(token)


def _innermost() -> _Who | None:
    blocks = _open.get()
    return blocks[-1] if blocks else None


def calls_function() -> bool:
    """Return whether `settings` calls a function of the application."""
    who = _innermost()
    return who is not None and who.name is not None


def command(due: Settings) -> str:
    """Return the statement that sends settings, without parameters."""
    return SQL.format(*map(_literal, due))


def _literal(text: str) -> str:
    """Return a string constant, whatever standard_conforming_strings is."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


class Reads:
    """Whether a rule of a database records reads: only then do statements that only read need the user.

    Attributes:
        are_recorded: Whether one does; None where that was not looked up yet.
    """

    __slots__ = ("are_recorded",)

    def __init__(self, are_recorded: bool | None = None) -> None:
        self.are_recorded = are_recorded

    def must_look_up(self, statement: str) -> bool:
        """Return whether it depends on what `LOOK_UP` finds whether a statement needs settings."""
        is_open = self.are_recorded is None and bool(_open.get())
        return is_open and may_read(statement) and not may_write(statement)


class Sent:
    """What the running transaction of a connection was sent.

    An integration calls `forget` wherever a transaction begins or ends, and `doubt` wherever one may have gone back to
    a savepoint, which undoes settings: whatever is not certain is sent again.
    """

    __slots__ = ("_is_clean", "_sent", "_stated")

    def __init__(self) -> None:
        self.forget()

    @property
    def is_certain(self) -> bool:
        """Whether the transaction certainly has settings, and which."""
        return self._sent is not None

    def forget(self) -> None:
        """Note that the transaction has no settings."""
        self._sent: Settings | None = None
        self._is_clean = True
        self._stated: tuple[_Who | None, Settings] | None = None

    def doubt(self) -> None:
        """Note that the transaction may have other settings, or none."""
        self._sent = None

    def may_be_due(self, statement: str, reads: Reads) -> bool:
        """Return whether a statement needs settings, sent already or not; a way to ask that calls no function."""
        if not _open.get() and self._is_clean:
            return False
        return may_write(statement) or (reads.are_recorded is True and may_read(statement))

    def due(self, statement: str, reads: Reads, known: Settings | None = None) -> Settings | None:
        """Return the settings to send before a statement; None if nothing is to be sent.

        Args:
            statement: The text of the statement.
            reads: Whether statements that only read need them, too.
            known: The settings of the innermost block, if the caller has them.

        Raises:
            TransactionRequired: The text writes, and begins or ends a transaction in between.
        """
        if not self.may_be_due(statement, reads):
            return None
        stated = self._stated
        due = stated[1] if stated is not None and stated[0] is _innermost() else known or settings() or NOBODY
        if due != NOBODY and ends_within(statement):
            raise TransactionRequired(
                "a text of several statements begins or ends a transaction, and writes",
                hint="Execute BEGIN and COMMIT by themselves.",
            )
        return None if due == self._sent else due

    def note(self, sent: Settings) -> None:
        """Note what was sent."""
        self._sent = sent
        self._is_clean = False

    def state(self, stated: Settings) -> Sent:
        """Note what `acting` sent, which holds until its block ends but for blocks of `acting_as` inside of it.

        Returns:
            What was known before, for `restore`.
        """
        before = Sent()
        before._take(self)
        self.note(stated)
        self._stated = (_innermost(), stated)
        return before

    def restore(self, before: Sent, *, is_certain: bool) -> None:
        """Note that the block of `acting` ended.

        Args:
            before: What `state` returned.
            is_certain: Whether the transaction certainly has its former settings again.
        """
        if self._stated is None:
            return  # That transaction ended: what is known is about another.
        self._take(before)
        if not is_certain:
            self.doubt()

    def _take(self, other: Sent) -> None:
        self._sent, self._is_clean, self._stated = other._sent, other._is_clean, other._stated
