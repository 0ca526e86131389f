"""The cursor: a place in the log that people can copy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from auditctl.errors import UsageError
from auditctl.log.selection import Cursor


def test_cursor_is_printed_in_utc_with_microseconds() -> None:
    moment = datetime(2026, 11, 23, 22, 38, 19, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert str(Cursor(moment, 42)) == "2026-11-23T20:38:19.123456Z/42"


def test_whole_seconds_keep_their_microseconds() -> None:
    assert str(Cursor(datetime(2026, 1, 1, tzinfo=UTC), 1)) == "2026-01-01T00:00:00.000000Z/1"


def test_cursor_is_parsed_from_what_it_prints() -> None:
    place = Cursor(datetime(2026, 11, 23, 20, 38, 19, 1, tzinfo=UTC), 2**63 - 1)
    assert Cursor.parse(str(place)) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        "2026-11-23/42",
        "2026-11-23T20:38:19.123456Z",
        "2026-11-23T20:38:19.123456Z/",
        "2026-11-23T20:38:19.123456Z/0",
        "2026-11-23T20:38:19.123456Z/-1",
        "2026-11-23T20:38:19.123456Z/42 ",
        "2026-11-23T20:38:19.123456Z/4٢",
        "2026-11-23T20:38:19.123456+00:00/42",
        "2026-11-23T20:38:19.123Z/42",
        "2026-02-30T20:38:19.123456Z/42",
        "2026-11-23T20:38:19.123456Z/9223372036854775808",
        "2026-11-23T20:38:19.123456Z/42\0",
        "2026-11-23T20:38:19.123456Z/42'; drop table x",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a cursor") as caught:
        Cursor.parse(text)
    assert caught.value.hint
