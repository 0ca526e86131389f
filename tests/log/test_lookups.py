"""Whoever looks at the log is recorded: once an hour for each search and person, unless it is switched off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.capturing import audit
from tests.support.recorded import Recorded, documents, record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create schema billing; create table billing.customer (id int primary key, name text)")
    audit(dsn, "billing.customer", label="Customer")
    with connect(dsn) as conn:
        record(conn, Recorded(), Recorded(target_id="8"), Recorded(target="crm.note", target_id=None, action="EVENT"))


db_template = begin_with(prepare)


@pytest.fixture
def dana(login: MakeLogin) -> Login:
    """A reader, who may record nothing else."""
    return login("dana", roles=["auditctl_reader"])


def looks(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    """What the log says of look-ups, oldest first."""
    return conn.execute(
        "select regexp_replace(a.actor, '_[0-9]+$', ''), a.target_id, a.details, a.new_values "
        "from auditctl.activity as a where a.target_name = 'auditctl.lookup' order by a.event_id"
    ).fetchall()


def test_a_search_a_history_and_an_event_are_recorded_before_they_are_printed(
    dana: Login, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    (number,) = conn.execute("select max(event_id) from auditctl.event where target_id = '8'").fetchone() or ()
    auditctl("log", "--target", "Customer", "--user", "alice", "--since", "2026-01-01", dsn=dana.dsn, check=0)
    auditctl("history", "Customer", "07", dsn=dana.dsn, check=0)
    auditctl("show", str(number), dsn=dana.dsn, check=0)
    filters = {"since": "2026-01-01", "target": ["Customer"], "user": "alice"}
    assert looks(conn) == [
        (
            "dana", '["billing.customer"]',
            "log viewed: from 2026-01-01, target Customer, user alice, dates in UTC",
            {"view": "log", "filters": filters},
        ),
        ("dana", '["billing.customer", "7"]', "history viewed: billing.customer 07", {"view": "history"}),
        (
            "dana", '["billing.customer", "8"]', f"event viewed: {number}, billing.customer 8",
            {"view": "event", "event_id": number},
        ),
    ]  # fmt: skip


def test_one_filter_answers_who_looked_at_an_object(dana: Login, auditctl: RunAuditctl) -> None:
    auditctl("log", "--target", "Customer", "--id", "7", dsn=dana.dsn, check=0)
    auditctl("log", "--target", "Customer", "--id", "8", dsn=dana.dsn, check=0)
    auditctl("history", "Customer", "7", check=0)
    found = auditctl(
        "log", "--target", "auditctl.lookup", "--id", '["billing.customer","7"]', "--format", "jsonl", check=0
    )
    assert [event["user"] for event in documents(found.out)] == ["postgres", dana.name]
    assert "Look-ups on the page and by auditctl are recorded" not in found.err


def test_the_same_search_of_the_same_person_is_one_event_within_an_hour(
    dana: Login, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    page = auditctl("log", "--limit", "1", dsn=dana.dsn, check=0)
    auditctl("log", "--limit", "2", "--after", page.err.split("--after ")[1].strip(), dsn=dana.dsn, check=0)
    auditctl("log", "--tz", "Asia/Kolkata", dsn=dana.dsn, check=0)
    assert [look[0] for look in looks(conn)] == ["dana"]
    auditctl("log", check=0)
    auditctl("log", "--user", "alice", dsn=dana.dsn, check=0)
    elsewhere = make_conninfo(dana.dsn, application_name="script")
    auditctl("log", dsn=elsewhere, check=0)
    assert [look[0] for look in looks(conn)] == ["dana", "postgres", "dana", "dana"]


@pytest.mark.parametrize(("ago", "is_new"), [("61 minutes", True), ("59 minutes", False)])
def test_an_hour_later_it_is_another_event(dana: Login, conn: psycopg.Connection, ago: str, is_new: bool) -> None:
    data, words = {"view": "log", "filters": {}}, {"application_name": "psql", "summary": "log viewed: every event"}
    conn.execute(
        "insert into auditctl.event (occurred_at, actor, actor_kind, db_user, target, action, new_values, context)"
        " values (now() - %s::interval, %s, 'database', %s, 'auditctl.lookup', 'EVENT', %s, %s)",
        [ago, dana.name, dana.name, Jsonb(data), Jsonb(words)],
    )
    with connect(make_conninfo(dana.dsn, application_name="psql")) as session:
        found = session.execute("select auditctl.record_lookup('every event', %s) is not null", [Jsonb(data)])
        assert found.fetchone() == (is_new,)


def test_nobody_hides_a_search_of_an_object_behind_a_forged_one(
    dana: Login, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    data = {"view": "log", "filters": {"id": "7", "target": ["billing.customer"]}}
    with connect(make_conninfo(dana.dsn, application_name="auditctl")) as session:
        session.execute("select auditctl.record_lookup('nothing', %s)", [Jsonb(data)])
    auditctl("log", "--target", "billing.customer", "--id", "7", dsn=dana.dsn, check=0)
    assert [(look[1], look[3]) for look in looks(conn)] == [(None, data), ('["billing.customer", "7"]', data)]


def test_the_first_answer_leaves_out_the_event_about_itself(
    dana: Login, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    lines = ("log", "--limit", "3", "--format", "jsonl")
    first = documents(auditctl(*lines, dsn=dana.dsn, check=0).out)
    assert len(first) == 3
    assert "auditctl.lookup" not in {event["target"] for event in first}
    assert documents(auditctl(*lines, dsn=dana.dsn, check=0).out)[0]["target"] == "auditctl.lookup"


def test_what_shows_no_event_is_not_recorded(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    auditctl("stats", check=0)
    auditctl("log", "--target", "no.such", check=2)
    auditctl("show", "999999", check=2)
    auditctl("history", "Customer", "seven", check=2)
    assert looks(conn) == []


def test_switching_it_off_is_recorded_and_named_when_the_time_is_searched(
    dana: Login, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    file = tmp_path / "audit.toml"
    file.write_text(
        '[[table]]\nname = "billing.customer"\nlabel = "Customer"\n[[event]]\nname = "*"\nenabled = false\n'
    )
    auditctl("apply", "--yes", file, check=0)
    auditctl("log", "--id", "1", dsn=dana.dsn, check=0)
    assert len(looks(conn)) == 1, "a glob means none of auditctl's own events"
    file.write_text(file.read_text().replace('"*"', '"auditctl.lookup"'))
    auditctl("apply", "--yes", file, check=0)
    assert 'name = "auditctl.lookup"\nenabled = false' in auditctl("config", check=0).out
    searched = auditctl("log", "--target", "auditctl.lookup", dsn=dana.dsn, check=0)
    assert "EVENT of auditctl.lookup is not recorded since" in searched.err
    assert searched.err.rstrip().endswith("switched off by postgres.")
    auditctl("history", "Customer", "7", dsn=dana.dsn, check=0)
    assert len(looks(conn)) == 1
    conn.execute("delete from auditctl.event_type")
    found = auditctl("log", "--target", "auditctl.lookup", dsn=dana.dsn, check=0).err
    assert "EVENT of auditctl.lookup was not recorded from" in found
    auditctl("log", "--target", "auditctl.event_type", "--action", "create", dsn=dana.dsn, check=0)
    assert len(looks(conn)) == 3


def test_auditctls_other_events_cannot_be_switched_off(conn: psycopg.Connection) -> None:
    for name in ("auditctl.export", "auditctl.*", "AUDITCTL.lookup", "auditctl.lookup "):
        with pytest.raises(psycopg.errors.Error):
            conn.execute("insert into auditctl.event_type (name, enabled) values (%s, false)", [name])
    listed = conn.execute("select (auditctl.deciding_type('auditctl.export')).enabled").fetchone()
    conn.execute("insert into auditctl.event_type (name, enabled) values ('*', false)")
    assert conn.execute("select (auditctl.deciding_type('auditctl.export')).enabled").fetchone() == listed == (None,)


def test_a_look_up_says_who_and_nothing_but_that(dana: Login, conn: psycopg.Connection) -> None:
    refused = (
        ("x", "null", None), ("x", "[]", None), ("x", '{"view": "rule"}', None), ("x", '{"filters": {}}', None),
        ("x" * 65537, '{"view": "log"}', None), ("x", json.dumps({"view": "log", "x": "y" * 65536}), None),
        ("x", '{"view": "log"}', "k" * 65537),
    )  # fmt: skip
    with connect(dana.dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', '203.0.113.7')")
        for words, data, key in refused:
            with pytest.raises(psycopg.errors.InvalidParameterValue), session.transaction():
                session.execute("select auditctl.record_lookup(%s, %s, null, %s)", [words, data, key])
        session.execute("select auditctl.record_lookup(null, '{\"view\": \"log\"}', '{a,b}', '7')")
    (who, kind, key, details, context), *others = conn.execute(
        "select actor, actor_kind::text, target_id, details, context - 'application_name' from auditctl.activity"
        " where target_name = 'auditctl.lookup'"
    ).fetchall()
    assert (who, kind, key, details, others) == (dana.name, "database", None, "log viewed: ", [])
    assert context == {"summary": "log viewed: ", "claimed_actor": "alice", "claimed_ip": "203.0.113.7"}


def test_a_renamed_table_is_looked_at_under_its_present_name(
    dana: Login, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("alter table billing.customer rename to client")
    conn.execute("insert into billing.client values (1, 'a')")
    auditctl("log", "--target", "Customer", "--id", "1", dsn=dana.dsn, check=0)
    auditctl("history", "Customer", "1", dsn=dana.dsn, check=0)
    assert {look[1] for look in looks(conn)} == {'["billing.client", "1"]'}


def test_a_login_that_may_read_and_not_record_is_answered_and_told(
    login: MakeLogin, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    odd = login("odd", roles=["auditctl_reader"])
    conn.execute("revoke execute on function auditctl.record_lookup from auditctl_reader")
    found = auditctl("log", "--target", "Customer", dsn=odd.dsn, check=0)
    assert f"{odd.name} may not record events: that you look at this is not recorded." in found.err
    assert "alice" in found.out


def test_a_session_that_is_read_only_by_default_is_recorded_all_the_same(
    dana: Login, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    dsn = make_conninfo(dana.dsn, options="-c default_transaction_read_only=on")
    assert "not recorded" not in auditctl("log", "--target", "crm.note", dsn=dsn, check=0).err
    assert len(looks(conn)) == 1
