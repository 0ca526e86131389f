"""Parses the diagnostic log of Azure Database for PostgreSQL: a JSON object in each line, around a line of text.

The objects do not say whether a login made the server write a line of pgaudit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial

from auditctl.log_import.formats import text_log
from auditctl.log_import.formats.line_format import (
    Detected,
    FormatKind,
    LineFormat,
    LogSettings,
    json_lines,
    json_object,
    text_of,
)
from auditctl.log_import.prefix import Prefix, compile_prefix
from auditctl.log_import.records import Clock, Malformed, Record

NAME = "azure"
PREFIX = compile_prefix("%t-%c-")
_CATEGORY = "PostgreSQLLogs"
_MARKS = (_CATEGORY.encode(),)


def _parse(text: str, clock: Clock, prefix: Prefix) -> Record:
    properties = json_object(text).get("properties")
    message = text_of(properties, "message")
    if not isinstance(properties, dict) or not message:
        raise Malformed("not a record of Azure")
    record = text_log.parse(
        message,
        clock,
        prefix,
        at=clock.read_alone(text_of(properties, "timestamp")),
        state=text_of(properties, "sqlerrcode"),
    )
    process = text_of(properties, "processId")
    return replace(record, is_bare=None, process=process or record.process)


@lru_cache
def _format(prefix: Prefix) -> LineFormat:
    return json_lines(NAME, partial(_parse, prefix=prefix), _MARKS, prefix=prefix)


def _detect(head: Sequence[bytes], settings: LogSettings) -> Detected | None:
    if not head[0].startswith(b"{"):
        return None
    entries = [json_object(line) for line in head]
    if text_of(entries[0], "category") != _CATEGORY:
        return None
    texts = [text_of(entry.get("properties"), "message").encode() for entry in entries]
    return Detected(_format(text_log.best((*settings.prefixes, PREFIX), texts) or PREFIX), head[0])


KIND = FormatKind(NAME, _detect)
