"""The registry of engines that read an archive: one row and one file each, loaded on use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

from auditctl.archive.engines.engine import Engine, EngineError, EngineMemoryError, EngineStopped
from auditctl.errors import UsageError

__all__ = ["BY_NAME", "ENGINES", "Engine", "EngineError", "EngineMemoryError", "EngineRow", "EngineStopped", "session"]


@dataclass(frozen=True, slots=True)
class EngineRow:
    """An engine.

    Attributes:
        name: The value of --engine.
        help: What it is, as a phrase.
        module: The module below auditctl.archive.engines whose `start` begins a session.
        extra: The extra that installs it.
    """

    name: str
    help: str
    module: str
    extra: str


ENGINES = (
    EngineRow("duckdb", "in this process", "duckdb", "archive"),
    EngineRow("spark", "the session of Spark's own environment", "spark", "spark"),
)
"""Every engine; the first is the default."""

BY_NAME = {row.name: row for row in ENGINES}


@contextmanager
def session(name: str = ENGINES[0].name) -> Iterator[Engine]:
    """Start a session of an engine, and end it with the block.

    Raises:
        UsageError: It is not installed.
    """
    row = BY_NAME[name]
    try:
        engine: Engine = import_module(f"auditctl.archive.engines.{row.module}").start()
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the engine {row.name} needs {error.name}, which is not installed",
            hint=f"Run: pip install 'auditctl[{row.extra}]'",
        ) from error
    try:
        yield engine
    finally:
        engine.close()
