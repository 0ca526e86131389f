"""Says what to install where the libraries of the extra `archive` are missing. Imports none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from auditctl.errors import UsageError

_LIBRARIES = ("pyarrow", "duckdb", "ibis")


@contextmanager
def required() -> Iterator[None]:
    """Turn the failed import of a library of the extra, in the block, into UsageError."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _LIBRARIES:
            raise
        raise UsageError(
            f"an archive needs {library}, which is not installed", hint="Run: pip install 'auditctl[archive]'"
        ) from error
