"""Parses the log of Amazon RDS and Aurora: text with a prefix that nobody can change."""

from __future__ import annotations

from collections.abc import Sequence

from auditctl.log_import.formats.line_format import Detected, FormatKind, LogSettings
from auditctl.log_import.formats.stderr import text_format
from auditctl.log_import.prefix import compile_prefix

NAME = "rds"
PREFIX = compile_prefix("%t:%r:%u@%d:[%p]:")


def _detect(head: Sequence[bytes], _: LogSettings) -> Detected | None:
    first = next((line for line in head if PREFIX.first.match(line)), None)
    return None if first is None else Detected(text_format(NAME, PREFIX), first)


KIND = FormatKind(NAME, _detect)
