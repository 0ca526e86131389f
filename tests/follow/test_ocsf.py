"""Events in OCSF: class 3004 Entity Management, by the schema that is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from auditctl import __version__
from tests.support.recorded import Recorded, label, minutes, record

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "ocsf-1.4.0-entity_management.json").read_text("utf-8"))

ODD = '{"n": 1.10, "big": 12345678901234567890.1, "none": null, "t": "\\" \\\\ \\n → 名"}'

EVENTS = (
    Recorded(at=minutes(0), action="CREATE", old=None, new=ODD, context='{"application_name": "web", "reason": "r"}'),
    Recorded(at=minutes(1), action="UPDATE", old='{"balance": 1.0}', new='{"balance": 1.00}', ip="2001:db8::1"),
    Recorded(at=minutes(2), action="DELETE", old=ODD, new=None, ip="203.0.113.0/24", target_id=None),
    Recorded(at=minutes(3), action="READ", old=None, new=None, ip=None, context=None),
    Recorded(at=minutes(4), action="TRUNCATE", old=None, new=None, target_id=None, actor=None, kind="system"),
    Recorded(at=minutes(5), action="EVENT", old=None, new='[1, {"a": null}]', actor="System", target_id=""),
    Recorded(
        at=minutes(6),
        action="EVENT",
        old=None,
        new='"x"',
        actor='a "b" \\ \n',
        target_id="%s {}",
        context='{"outcome": "refused"}',
    ),
    Recorded(at=minutes(7), action="CREATE", old=None, new='{"a": 1}', context='{"baseline": 1}'),
)


@pytest.fixture
def documents(conn: psycopg.Connection, auditctl: RunAuditctl) -> list[dict[str, Any]]:
    record(conn, *EVENTS)
    label(conn, "billing.customer", "Our customer")
    out = auditctl("follow", "--once", "--format", "ocsf", check=0).out
    return [json.loads(line, parse_float=str) for line in out.splitlines()]


def test_every_event_is_valid_by_the_published_schema_and_has_its_values(
    documents: list[dict[str, Any]], conn: psycopg.Connection
) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [error.message for document in documents for error in validator.iter_errors(document)] == []
    assert {document["metadata"]["version"] for document in documents} == {"1.4.0"}
    assert not validator.is_valid({**documents[0], "time": "today"})
    own = [document for document in documents if document["entity"]["type"] == "billing.customer"]
    assert [(one["activity_id"], one["activity_name"], one["type_uid"]) for one in own] == [
        (1, "Create", 300401), (3, "Update", 300403), (4, "Delete", 300404), (2, "Read", 300402),
        (99, "Truncate", 300499), (99, "Event", 300499), (99, "Event", 300499),
        (99, "Baseline", 300499),
    ]  # fmt: skip
    created, updated, deleted, read, truncated, event, odd, baseline = own
    (event_id, moment, xact) = (
        conn.execute(
            "select event_id, extract(epoch from occurred_at) * 1000, xact_id::text::bigint "
            "from auditctl.event where action = 'CREATE' and context ->> 'reason' = 'r'"
        ).fetchone()
        or ()
    )
    assert created["metadata"] == {
        "uid": str(event_id), "version": "1.4.0", "log_name": "auditctl.event",
        "product": {"name": "auditctl", "vendor_name": "auditctl", "version": __version__},
        "original_time": created["metadata"]["original_time"],
    }  # fmt: skip
    assert created["time"] == int(moment)
    values = json.loads(ODD, parse_float=str)
    assert created["entity"] == {
        "name": "Our customer", "type": "billing.customer", "type_id": 99, "uid": "7", "data": values
    }  # fmt: skip
    assert created["comment"] == "r"
    assert created["actor"] == {"user": {"name": "alice", "type_id": 1, "type": "User"}, "app_name": "web"}
    assert created["src_endpoint"] == {"ip": "203.0.113.7"}
    assert created["unmapped"]["xact_id"] == xact
    assert (updated["entity"]["data"], updated["entity_result"]["data"]) == ({"balance": "1.0"}, {"balance": "1.00"})
    assert updated["src_endpoint"] == {"ip": "2001:db8::1"}
    assert deleted["entity"]["data"] == values
    assert "uid" not in deleted["entity"]
    assert deleted["src_endpoint"] == {"ip": "203.0.113.0"}
    assert {"src_endpoint", "entity_result", "comment"}.isdisjoint(read)
    assert truncated["actor"]["user"] == {"name": "System", "type_id": 3, "type": "System"}
    assert event["actor"]["user"] == {"name": "System", "type_id": 1, "type": "User"}
    assert event["entity"]["data"] == [1, {"a": None}]
    assert odd["actor"]["user"]["name"] == 'a "b" \\ \n'
    assert odd["entity"]["uid"] == "%s {}"
    assert [(one["status_id"], one["status"]) for one in own] == [
        *[(1, "Success")] * 6, (2, "Failure"), (1, "Success"),
    ]  # fmt: skip
    assert (baseline["type_name"], baseline["unmapped"]["action"]) == ("Entity Management: Other", "CREATE")


def test_number_of_the_event_is_the_same_in_every_format(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    (event_id,) = record(conn, Recorded())
    shown = json.loads(auditctl("show", str(event_id), "--format", "ocsf", check=0).out)
    exported = auditctl("export", "--format", "ocsf", "--target", "customer", check=0).out
    assert shown["metadata"]["uid"] == str(event_id)
    assert json.loads(exported) == shown
