"""Parses log_destination = stderr: lines of text that begin with log_line_prefix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial

from auditctl.log_import.formats import text_log
from auditctl.log_import.formats.line_format import Detected, FormatKind, LineFormat, LogSettings
from auditctl.log_import.prefix import Prefix

NAME = "stderr"


@lru_cache
def text_format(name: str, prefix: Prefix) -> LineFormat:
    """Return the format of lines of text that begin with a prefix."""
    return LineFormat(
        name=name,
        begins=lambda first: prefix.first.match(first) is not None,
        split=partial(text_log.split, prefix=prefix),
        is_whole=lambda _: True,
        parse=partial(text_log.parse, prefix=prefix),
        salvage=lambda _: b"",
        state_marks=(b"", b"") if "state" in prefix.fields else None,
        prefix=prefix,
    )


def _detect(head: Sequence[bytes], settings: LogSettings) -> Detected | None:
    prefix = text_log.best([prefix for prefix in settings.prefixes if prefix.has_time], head)
    if prefix is None:
        return None
    return Detected(text_format(NAME, prefix), next(line for line in head if prefix.first.match(line)))


KIND = FormatKind(NAME, _detect)
