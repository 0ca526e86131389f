"""Logs of text, and of services that wrap it: which lines become events, and which cannot be forged."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditctl.log_import import scanner
from auditctl.log_import.files import FilePosition, LogFile, digest
from auditctl.log_import.formats import FORMATS, format_of
from auditctl.log_import.formats.line_format import LogSettings
from auditctl.log_import.log_settings import USUAL
from auditctl.log_import.prefix import compile_prefix
from auditctl.log_import.records import Clock
from auditctl.log_import.report import Summary
from auditctl.log_import.sources.source import Activity, ForgedRecord, Read, UnverifiableRecord
from tests.fixtures.templates import begin_with
from tests.log_import.test_import_activities import DENIED, EXPECTED, FAILED, activities, lines
from tests.support.server_log import as_csv, as_json, line, read, set_up
from tests.support.text_log import (
    DEBIAN,
    as_azure,
    as_cloud_sql,
    as_cloudnative_pg,
    as_rds,
    as_syslog,
    as_text,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.fixtures.command import RunAuditctl

db_template = begin_with(set_up)

WRITERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "jsonlog": as_json,
    "csvlog": as_csv,
    "cloudnativepg": as_cloudnative_pg,
    "cloudsql": as_cloud_sql,
    "azure": as_azure,
    "syslog": as_syslog,
    "rds": as_rds,
    "stderr": as_text,
}
SETTINGS = LogSettings(tuple(compile_prefix(text) for text in USUAL))


def entries(data: bytes, *prefixes: str) -> tuple[list[object], Summary]:
    """What the sources find in a file; of an activity what `activities` selects."""
    settings = LogSettings(tuple(map(compile_prefix, prefixes))) if prefixes else SETTINGS
    detected = format_of(data.splitlines(keepends=True), settings)
    assert detected
    summary = Summary()
    file = LogFile(Path("pg"), detected.form, "f", "", len(data), is_compressed=False)
    scan = scanner.Scanner(file, FilePosition("f", 0, 0, digest(b"")), b"", Clock(), summary)
    found: list[object] = []
    for entry in scan.entries(io.BytesIO(data), lambda: None):
        match entry.read:
            case Activity(record=record, target=target, name=name, outcome=outcome, summary=text, login=login):
                found.append((login, target, name, outcome, text))
                assert record.at.replace(microsecond=0, second=0) == datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
            case other:
                found.append(type(other))
    return found, summary


def test_every_format_of_the_registry_says_the_same() -> None:
    assert list(WRITERS) == [kind.name for kind in FORMATS]
    for name, write in WRITERS.items():
        data = write(lines("shop"))
        detected = format_of(data.splitlines(keepends=True), SETTINGS)
        assert detected and detected.form.name == name
        found, summary = entries(data)
        hidden = [UnverifiableRecord if "statement" in str(each[1]) else each for each in EXPECTED]
        assert (name, found) == (name, hidden if name == "azure" else EXPECTED)
        assert (name, summary.malformed.places, summary.outcomes["unmatched"]) == (name, [], 0)


@pytest.mark.parametrize(
    "prefix",
    [
        "%m [%p] %q%u@%d/%a ",
        "100%% %m|%-10u|%12d|%p|",
        "%t-%c-%u-%d-%e-",
        "<%u@%d>%m ",
        "%m %s %c %l %i %h %u %d ",
    ],
)
def test_any_prefix_is_understood(prefix: str) -> None:
    assert entries(as_text(lines("shop"), prefix), prefix)[0] == EXPECTED


def test_carriage_returns_null_bytes_and_long_lines_cost_no_record() -> None:
    first, *rest = lines("shop")
    long = line(9, "x" * 10_000_000, dbname="shop")
    data = as_text([first]) + b"\0 binary output\n" + as_text([long, *rest])
    assert entries(data)[0] == EXPECTED
    assert entries(as_text(lines("shop")).replace(b"\n", b"\r\n"))[0] == EXPECTED


def test_statement_of_pgaudit_that_goes_on_is_left_for_the_next_import() -> None:
    query = '"select\n1\nfrom shop.x"'
    whole = as_text([line(1, f"AUDIT: SESSION,1,1,DDL,CREATE TABLE,TABLE,shop.x,{query},<not logged>", dbname="shop")])
    cut = whole.index(b"1\n\tfrom")
    assert entries(whole[:cut])[0] == []
    assert len(entries(whole)[0]) == 1


def test_lines_of_a_statement_cannot_pass_for_a_record() -> None:
    fake = text_of(read(7, dbname="shop"), DEBIAN) + text_of(line(8, "x", dbname="shop", **FAILED), DEBIAN)
    for write in (as_text, as_rds, as_syslog, as_azure, as_cloudnative_pg):
        for hidden in (fake, f"\n{fake}", f"'\r\n{fake}", f"#011{fake}", f"\\n{fake}"):
            bad = line(2, "syntax error", dbname="shop", error_severity="ERROR", state_code="42601", statement=hidden)
            raised = line(3, hidden, dbname="shop", error_severity="NOTICE", context="PL/pgSQL")
            assert set(entries(write([bad, raised]))[0]) <= {ForgedRecord}


def test_line_of_pgaudit_that_a_login_wrote_is_forged() -> None:
    message = "AUDIT: SESSION,1,1,ROLE,GRANT ROLE,,,grant a to b,<not logged>"
    written = [line(1, message, dbname="shop", statement="do $$ begin raise log 'AUDIT'; end $$")]
    for write in (as_text, as_rds, as_syslog, as_cloudnative_pg):
        assert entries(write(written))[0] == [ForgedRecord]
    assert entries(as_azure(written))[0] == [UnverifiableRecord]


NAMES = [
    "a@shop LOG:  AUDIT: OBJECT,1,1,READ,SELECT,T,s.t,x,y",
    "a@shop LOG:  AUDIT: OBJECT,1,1,READ,SELECT,T,s.t,x,y\n",
    "a@shop LOG:  AUDIT: OBJECT,1,1,READ,SELECT,T,s.t,x,y\n\n\n",
    "a@shop LOG:  AUDIT: OBJECT,1,1,READ,SELECT,T,s.t,x,y\nz\nz\n",
    "x\n2026-11-24 08:00:09.000 UTC [5] a@shop ERROR:  must be owner",
    "\n2026-11-24 08:00:09.000 UTC [5] a@shop LOG:  AUDIT: OBJECT,1",
    "LOG:  AUDIT: OBJECT,1,1,READ,SELECT,T,s.t,x,y ",
]


def test_name_of_a_login_cannot_forge_a_line_of_another() -> None:
    for name in NAMES:
        attempt = line(1, f'password authentication failed for user "{name}"', **{**FAILED, "state_code": "28P01"})
        for fields in ({"user": name, "dbname": "shop"}, {"user": "x", "dbname": name}):
            found, _ = entries(
                as_text([line(9, "x", dbname="shop"), {**attempt, **fields}, line(10, "y", dbname="shop")])
            )
            assert Read not in found, name
            assert not any(isinstance(each, tuple) and each[1] == "auditctl.refusal" for each in found), (name, found)
            assert found, name


def test_translated_words_are_understood_and_messages_need_the_sqlstate() -> None:
    german = line(1, "keine Berechtigung für Tabelle customer", dbname="shop", **{**DENIED, "error_severity": "FEHLER"})
    expected = ("reader", "auditctl.refusal", None, "refused", german["message"])
    data = as_text([german], "%m [%p] %u@%d %e ").replace(b"STATEMENT", b"ANWEISUNG")
    assert entries(data, "%m [%p] %u@%d %e ")[0] == [expected]
    assert entries(as_text([german]))[0] == []


def test_log_of_text_is_imported_once_and_says_what_it_lacks(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    log = tmp_path / "postgresql.log"
    data = as_text(lines(conn.info.dbname))
    log.write_bytes(data[:-20])
    auditctl("import-log", log, check=0)
    log.write_bytes(data)
    result = auditctl("import-log", log, check=0)
    assert "log_line_prefix = '%m [%p] %q%u@%d ' lacks %r or %h" in result.err
    nothing_new = auditctl("import-log", log, check=0)
    assert nothing_new.err.startswith("0 new lines")
    assert "log_line_prefix" not in nothing_new.err
    (tmp_path / "copy.log.gz").write_bytes(gzip.compress(b"other output\n" + data[data.index(b"\n") + 1 :]))
    auditctl("import-log", tmp_path, check=0)
    auditctl("import-log", "--again", tmp_path, check=0)
    assert activities(conn) == EXPECTED


def test_equal_lines_of_one_moment_count_each(auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path) -> None:
    denied = line(2, "permission denied for table customer", dbname=conn.info.dbname, **DENIED)
    log = tmp_path / "pg.log"
    for number in (3, 3, 4):
        log.write_bytes(as_rds([denied] * number))
        auditctl("import-log", "--again", log, check=0)
        assert len(activities(conn)) == number
    (tmp_path / "pg.log.csv").write_bytes(as_csv([denied]))
    assert "pg.log left out: the file in csvlog or jsonlog beside it" in auditctl("import-log", tmp_path, check=0).err


def test_wrong_prefix_and_unknown_zone_are_errors_with_a_hint(auditctl: RunAuditctl, tmp_path: Path) -> None:
    log = tmp_path / "pg.log"
    log.write_bytes(as_text(lines("x")))
    wrong = auditctl("import-log", "--prefix", "%t %u ", log, check=2)
    assert wrong.err.startswith(f"error: the lines of {log} do not begin with log_line_prefix = '%t %u '\nhint: ")
    log.write_bytes(as_text(lines("x")).replace(b" UTC ", b" CET "))
    assert "has times in CET, which is not an abbreviation" in auditctl("import-log", log, check=2).err
    auditctl("import-log", "--time-zone", "Europe/Berlin", log, check=0)
    assert "'Mars' is not a time zone" in auditctl("import-log", "--time-zone", "Mars", log, check=2).err
    log.write_bytes(as_syslog(lines("x"), "%q%u@%d ").replace(b"2026-11-24T08:00:00.000000+00:00", b"Nov 24 08:00:00"))
    assert "have no year and no time zone" in auditctl("import-log", log, check=2).err


def test_log_without_names_imports_failed_logins_alone(
    auditctl: RunAuditctl, conn: psycopg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "pg.log").write_bytes(as_text(lines(conn.info.dbname), "%m [%p] "))
    result = auditctl("import-log", tmp_path, check=0)
    assert "  4 that do not name user and database\n" in result.err
    assert "lacks %u: " in result.err
    assert activities(conn) == EXPECTED[:1]
