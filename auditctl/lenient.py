"""Reads what the log recorded, whatever it is: text that is not UTF-8, and times and JSON that Python cannot have."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from psycopg import DataError
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.postgres import adapters
from psycopg.pq import Format
from psycopg.types.json import JsonbLoader

EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
"""Stands for each earlier time, such as one BC and -infinity; in each zone it is one that Python can have."""

LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""Stands for each later time, such as infinity."""


class _Text(Loader):
    """Decodes UTF-8, invalid bytes as U+FFFD: PostgreSQL does not check every text that reaches a table."""

    def load(self, data: Buffer) -> str:
        """Return the text."""
        return str(data, "utf-8", "replace")


class _Time(Loader):
    """Reads a time with zone; one that Python cannot have is the nearest of `EARLIEST` and `LATEST`."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        loader = adapters.get_loader(oid, Format.TEXT)
        self._exact: Any = loader and loader(oid, context)

    def load(self, data: Buffer) -> datetime:
        """Return the time; aware."""
        with suppress(DataError):
            found: datetime = self._exact.load(data)
            if EARLIEST <= found <= LATEST:
                return found
        text = bytes(data)
        return EARLIEST if text.startswith((b"-", b"0001")) or text.endswith(b"BC") else LATEST


class _Json(JsonbLoader):
    """Reads JSON; what is too deep for Python, or has a number with too many digits, is an object that says so."""

    def load(self, data: Buffer) -> Any:
        """Return the document."""
        try:
            return super().load(data)
        except (RecursionError, ValueError):
            return {"unreadable": f"{len(data)} bytes"}


def adapt_json(context: AdaptContext) -> None:
    """Let no JSON end a query of a connection from now on."""
    for name in ("json", "jsonb"):
        context.adapters.register_loader(name, _Json)


def adapt(context: AdaptContext) -> None:
    """Let no text and no time end a query of a connection from now on."""
    for name, loader in (("text", _Text), ("name", _Text), ("timestamptz", _Time)):
        context.adapters.register_loader(name, loader)
