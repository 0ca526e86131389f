"""The formats of the server's log: both tell the same, and nothing that a login writes can pass for a record."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditctl.log_import import scanner
from auditctl.log_import.files import FilePosition, LogFile, digest
from auditctl.log_import.formats import FORMATS, csv_log, format_of, json_log, line_format
from auditctl.log_import.records import Clock, Malformed, Record
from auditctl.log_import.report import Summary
from auditctl.log_import.sources import SOURCES
from tests.support.server_log import RECORDED, as_csv, as_json, line, read

if TYPE_CHECKING:
    from auditctl.log_import.formats.line_format import LineFormat

WRITERS = [(json_log.FORMAT, as_json), (csv_log.FORMAT, as_csv)]


def records(form: LineFormat, data: bytes) -> list[Record]:
    """Every record, also those that tell of no read."""
    clock = Clock()
    return [form.parse(piece.raw.decode(), clock) for piece in form.split(io.BytesIO(data)) if not piece.is_torn]


def test_every_format_of_the_registry_is_tested_and_told_by_its_first_bytes() -> None:
    assert [form.name for form, _ in WRITERS] == [kind.name for kind in FORMATS][:2]
    for form, write in WRITERS:
        found = format_of([write([read(1)])])
        assert found and found.form is form
    assert format_of([b"2026-11-24 08:00:00 UTC [1] LOG:  database system is ready\n"]) is None
    assert format_of([b""]) is None
    assert [source.name for source in SOURCES] == ["pgaudit", "auditctl", "sign_ins", "refusals"]


def test_both_formats_of_a_real_log_tell_the_same() -> None:
    found = [
        records(form, (RECORDED / f"pgaudit.{end}").read_bytes())
        for (form, _), end in zip(WRITERS, ("json", "csv"), strict=True)
    ]
    assert len(found[0]) == 21
    assert found[0] == found[1]
    assert found[0][0] == Record(
        at=datetime(2026, 11, 25, 1, 36, 43, 602000, UTC),
        login="reader",
        database="recorded",
        host="127.0.0.1",
        port="59052",
        session="6b063bab.2d51",
        number=1,
        command="SELECT",
        transaction="3/31",
        xact_id="0",
        state="00000",
        message="AUDIT: OBJECT,1,1,READ,SELECT,TABLE,shop.customer,select * from shop.customer,<not logged>",
        is_bare=True,
        file="",
        application="psql",
        severity="LOG",
    )


@pytest.mark.parametrize(
    ("started", "written", "moment"),
    [
        ("2026-11-24 08:00:00 UTC", "2026-11-24 08:00:01.500 UTC", "08:00:01.500"),
        ("2026-11-24 09:00:00 CET", "2026-11-24 09:00:01.500 CET", "08:00:01.500"),
        ("2026-11-24 13:30:00 IST", "2026-11-24 13:30:01.500 IST", "08:00:01.500"),
        ("2026-11-24 11:00:00 +03", "2026-11-24 11:00:01.500 +03", "08:00:01.500"),
        ("2026-11-24 04:30:00 -0330", "2026-11-24 04:30:01.500 -0330", "08:00:01.500"),
        ("2026-11-24 10:00:00 CEST", "2026-11-24 09:00:01.500 GMT", "09:00:01.500"),
    ],
)
def test_time_of_any_zone_is_understood(started: str, written: str, moment: str) -> None:
    for form, write in WRITERS:
        (record,) = records(form, write([read(1, session_start=started, timestamp=written)]))
        assert record.at == datetime.fromisoformat(f"2026-11-24T{moment}+00:00")


def test_abbreviation_keeps_the_offset_it_had_when_the_clock_is_changed() -> None:
    clock = Clock()
    summer, winter = datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)
    clock.read("2026-10-25 13:00:00.000 CET", f"{int(winter.timestamp()):x}.1", "2026-10-25 13:00:00 CET")
    late = clock.read("2026-10-25 14:00:00.000 CET", f"{int(summer.timestamp()):x}.1", "2026-10-24 14:00:00 CEST")
    assert late == datetime(2026, 10, 25, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp": "2026-13-24 08:00:00.000 UTC"},
        {"timestamp": "infinity"},
        {"session_start": "2026-11-24"},
        {"session_id": "nonsense"},
        {"line_num": "x"},
    ],
)
def test_what_is_no_record_is_malformed(changes: dict[str, str]) -> None:
    for form, write in WRITERS:
        with pytest.raises(Malformed):
            form.parse(write([read(1, **changes)]).decode(), Clock())
    for text in ("", "{}", "[]", '{"timestamp":1}', "a,b", '"', "1" * 5000, "[" * 100_000):
        for form, _ in WRITERS:
            with pytest.raises(Malformed):
                form.parse(text, Clock())


def scan(form: LineFormat, data: bytes) -> tuple[list[int], list[str]]:
    """The numbers of the records about a read, and where those are that were left out."""
    summary = Summary()
    file = LogFile(Path("pg"), form, "f", "", len(data), False)
    lines = scanner.Scanner(file, FilePosition("f", 0, 0, digest(b"")), b"", Clock(), summary)
    numbers = [entry.read.record.number for entry in lines.entries(io.BytesIO(data), lambda: None)]
    return numbers, [*summary.malformed.places, *summary.oversize.places]


def test_torn_record_costs_itself_alone() -> None:
    for form, write in WRITERS:
        first, long, last = (
            write([read(1)]),
            write([line(2, 'many\n"quoted"\nlines', statement="x\ny")]),
            write([read(3), line(4, "idle", user="", dbname=""), read(4)]),
        )
        for end in range(1, len(long)):
            numbers, malformed = scan(form, first + long[:end] + last)
            assert (end, numbers, len(malformed)) == (end, [1, 3, 4], 1)
            assert (end, scan(form, first + long[:end] + b"\n" + last)[0]) == (end, [1, 3, 4])


def test_record_inside_a_value_is_none_however_it_is_quoted() -> None:
    for form, write in WRITERS:
        inner = write([read(7)]).decode()
        for hidden in (
            inner,
            f"\n{inner}",
            f'"\n{inner}',
            f'",\n{inner}"',
            f'""\n{inner}',
            f"\\\n{inner}",
            f'\\"\n{inner}',
        ):
            for place in ("message", "statement", "application_name", "detail"):
                data = write(
                    [read(1), line(2, "x", **{place: hidden}) if place != "message" else line(2, hidden), read(3)]
                )
                assert scan(form, data) == ([1, 3], [])


def test_record_that_is_too_long_is_left_out_and_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (line_format, csv_log, json_log):
        monkeypatch.setattr(module, "LONGEST", 4096)
    for form, write in WRITERS:
        for text in ("x" * 10_000, '"\n' * 5000, "\n".join(["y" * 4000] * 4)):
            data = write([read(1), line(2, f"AUDIT: {text}"), read(3)])
            assert scan(form, data) == ([1, 3], ["pg:2"])
