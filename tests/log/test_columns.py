"""Columns that somebody chooses: only these, in their order, in every format that has columns."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from auditctl.errors import UsageError
from auditctl.log import columns
from auditctl.log.formats import FORMATS
from tests.support.recorded import HEADER, Recorded, documents, label, minutes, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

EVENT = Recorded(actor="dana", kind="database", context='{"reason": "ticket 4711"}', new='{"balance": 12.50}')
LIST = "action,user,created_on,new_values,reason"


def test_names_are_those_of_the_header_and_keep_their_order() -> None:
    assert ",".join(columns.COLUMNS) == HEADER
    assert columns.parse(" user, event_id ") == ("user", "event_id")
    for text, message in (
        ("user,colour", "'colour' is not a column"),
        ("usr", "'usr' is not a column. Did you mean user?"),
        ("user,details,user", "the column user is named twice"),
        ("", "'' is not a column"),
        ("user,", "'' is not a column"),
        ("User", "'User' is not a column. Did you mean user?"),
    ):
        with pytest.raises(UsageError) as error:
            columns.parse(text)
        assert str(error.value) == message
        assert error.value.hint == "Name each column once." or HEADER.replace(",", ", ") in error.value.hint


def test_chosen_columns_are_all_that_csv_and_json_have(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event,) = record(conn, EVENT)
    cells = ["UPDATE", "dana", "2026-03-01T12:00:00.123456Z", '{"balance": 12.50}', "ticket 4711"]
    for command in (["log", "--target", "customer"], ["history", "customer", "7"], ["show", str(event)]):
        for form in ("csv", "csv-excel", "json", "jsonl"):
            out = auditctl(*command, "--columns", LIST, "--format", form, check=0).out
            if form.startswith("csv"):
                header, row = csv.reader(io.StringIO(out.removeprefix("\ufeff")))
                assert (header, row) == (LIST.split(","), cells), command
                continue
            document = documents(out)[0] if form == "jsonl" or command[0] == "show" else json.loads(out)[0]
            assert list(document) == LIST.split(",")
            assert document == dict(zip(LIST.split(","), cells, strict=True)) | {"new_values": {"balance": 12.5}}
            assert "12.50}" in out


def test_chosen_columns_are_those_of_the_table(auditctl: RunAuditctl, conn: psycopg.Connection) -> None:
    (event, _) = record(conn, EVENT, Recorded(actor="x" * 40, new=json.dumps({"n": "y" * 3000}), at=minutes(-1)))
    label(conn, "billing.customer", "Customer")
    log = ("log", "--target", "customer", "--columns", "action,user,event_id,new_values")
    head, _, line, long = auditctl(*log, env={"COLUMNS": "80"}, check=0).out.splitlines()
    assert head.split() == ["action", "user", "event", "new", "values"]
    assert line.split() == ["UPDATE", "@dana", str(event), '{"balance":', "12.50}"]
    assert (long.count("…"), len(long)) == (2, 80)
    wide = auditctl(*log, "--wide", check=0).out.splitlines()
    assert wide[0].split() == head.split()
    assert "y" * 3000 in wide[2]
    lines = auditctl("show", str(event), "--columns", "user,target,xact_id", check=0).out.splitlines()
    assert [line.split() for line in lines] == [["user", "dana"], ["target", "Customer"], ["xact_id", "700"]]


@pytest.mark.parametrize("command", [["log"], ["show", "1"], ["history", "customer", "7"], ["export"]])
def test_format_without_columns_and_a_name_that_is_none_are_refused(auditctl: RunAuditctl, command: list[str]) -> None:
    (without,) = [row.name for row in FORMATS if not row.has_columns]
    refused = auditctl(*command, "--columns", "user", "--format", without, check=2)
    assert "the format ocsf takes no columns" in refused.err
    assert "Columns: event_id, created_on, " in auditctl(*command, "--columns", "user,name", check=2).err
