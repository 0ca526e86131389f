"""Counts what a server executes, and how often its client waits for it, on the wire between them."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_COMPLETE, _READY, _ERROR = b"C", b"Z", b"E"


@dataclass(slots=True)
class Traffic:
    """What went over the wire.

    Attributes:
        statements: What the server executed: `BEGIN`, `SELECT 1` and so on, or `ERROR`, in order.
        round_trips: How often the server was ready for more, for which a client waits.
    """

    statements: list[str] = field(default_factory=list)
    round_trips: int = 0


class Wire:
    """Stands before the Unix socket of a server, in a thread of its own.

    Args:
        dsn: How to connect past it.
    """

    def __init__(self, dsn: str) -> None:
        known = conninfo_to_dict(dsn)
        self._name = f".s.PGSQL.{known['port']}"
        self._server = Path(str(known["host"])) / self._name
        self._folder = Path(tempfile.mkdtemp(prefix="wire"))
        self._dsn = dsn
        self._traffic = Traffic()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def dsn(self) -> str:
        """How to connect through it."""
        return make_conninfo(self._dsn, host=str(self._folder))

    @contextmanager
    def opened(self) -> Iterator[Wire]:
        """Listen while the block runs."""
        listener = self._loop.run_until_complete(
            asyncio.start_unix_server(self._serve, path=str(self._folder / self._name))
        )
        thread = threading.Thread(target=self._loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            listener.close()
            self._loop.run_until_complete(self._cancel())
            self._loop.close()
            with suppress(FileNotFoundError):
                (self._folder / self._name).unlink()
            self._folder.rmdir()

    @contextmanager
    def counting(self) -> Iterator[Traffic]:
        """Count what goes over the wire while the block runs."""
        self._traffic = Traffic()
        yield self._traffic
        self._traffic = Traffic()

    async def _cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server, statements = await asyncio.open_unix_connection(str(self._server))
        there = asyncio.ensure_future(_copy(client, statements))
        try:
            await self._watch(server, answers)
        finally:
            there.cancel()
            for writer in (statements, answers):
                writer.close()
            self._tasks.discard(task)

    async def _watch(self, server: asyncio.StreamReader, answers: Any) -> None:
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while True:
                head = await server.readexactly(5)
                body = await server.readexactly(int.from_bytes(head[1:], "big") - 4)
                if head[:1] == _COMPLETE:
                    self._traffic.statements.append(body[:-1].decode())
                elif head[:1] == _ERROR:
                    self._traffic.statements.append("ERROR")
                elif head[:1] == _READY:
                    self._traffic.round_trips += 1
                answers.write(head + body)
                await answers.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
