"""Types of business events: labeled, switched off and on by the configuration file, each change recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditctl.actions import Action
from auditctl.capture import event_types
from auditctl.capture.model import EventType
from auditctl.errors import ConfigurationError
from tests.fixtures.databases import connect
from tests.support.capturing import apply, audit, events, lines, pending, plan
from tests.support.recorded import documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

TYPES = """table = []

[[event]]
name = "auth.login"
label = "Login"

[[event]]
name = "telemetry.*"
enabled = false

[[event]]
name = "telemetry.alarm"
"""


@pytest.fixture
def web(db: str, login: MakeLogin) -> Iterator[psycopg.Connection]:
    """A session of an application."""
    with connect(login("web", roles=["auditctl_app"]).dsn) as session:
        yield session


def recorded(session: psycopg.Connection, target: str) -> bool:
    """Whether an event for a target is recorded."""
    row = session.execute("select auditctl.record_event(%s, '1', 'done')", [target]).fetchone()
    assert row is not None
    return row[0] is not None


def changed(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    """What was recorded of the types, without who and when."""
    return [
        (name, action, *({k: v for k, v in (some or {}).items() if not k.startswith("set_")} for some in (old, new)))
        for _, action, name, old, new in events(conn, "auditctl.event_type")
    ]


def test_a_type_that_is_switched_off_is_not_recorded_and_fails_nothing(
    db: str, conn: psycopg.Connection, web: psycopg.Connection
) -> None:
    apply(db, TYPES)
    names = ("auth.login", "telemetry.ping", "telemetry.", "telemetry.alarm", "telemetry", "Telemetry.ping", "unknown")
    assert [name for name in names if not recorded(web, name)] == ["telemetry.ping", "telemetry."]
    assert conn.execute(
        "select target from auditctl.event where action = 'EVENT' and target !~ '^auditctl[.]' order by event_id"
    ).fetchall() == [("auth.login",), ("telemetry.alarm",), ("telemetry",), ("Telemetry.ping",), ("unknown",)]
    apply(db, "table = []\nevent = []")
    assert recorded(web, "telemetry.ping") is True


def test_a_type_in_a_schema_named_audit_is_one_like_any_other(db: str, web: psycopg.Connection) -> None:
    apply(db, 'table = []\n[[event]]\nname = "audit.role"\nenabled = false')
    assert [name for name in ("audit.role", "audit.user") if not recorded(web, name)] == ["audit.role"]


def test_what_could_not_be_recorded_is_refused_even_where_it_is_switched_off(db: str, web: psycopg.Connection) -> None:
    apply(db, TYPES)
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        web.execute("select auditctl.record_event('telemetry.ping', p_action => 'UPDATE')")


@pytest.mark.parametrize(
    ("stated", "off"),
    [
        ({"a.*": False, "a.b*": True}, {"a.x"}),
        ({"a.*": True, "a.b*": False}, {"a.b", "a.bc", "a.b%"}),
        ({"*": False, "a.b": True}, {"a.bc", "a.x", "a.b%", "a_x", "a\\x"}),
        ({"a.??": False}, {"a.bc", "a.b%"}),
        ({"a.b%": False}, {"a.b%"}),
        ({"a_?": False}, {"a_x"}),
        ({"a\\*": False}, {"a\\x"}),
    ],
)
def test_the_name_itself_counts_before_every_glob_and_the_longest_glob_before_others(
    db: str, web: psycopg.Connection, stated: dict[str, bool], off: set[str]
) -> None:
    apply(
        db,
        "table = []\n"
        + "".join(f"[[event]]\nname = '{name}'\nenabled = {str(on).lower()}\n" for name, on in stated.items()),
    )
    assert {name for name in ("a.b", "a.bc", "a.x", "a.b%", "a_x", "a\\x") if not recorded(web, name)} == off


def test_switching_off_a_type_that_is_a_table_leaves_its_rows_changes_recorded(
    db: str, conn: psycopg.Connection, web: psycopg.Connection
) -> None:
    conn.execute("create table note (id int primary key)")
    apply(db, '[[table]]\nname = "note"\nlabel = "Note"\n[[event]]\nname = "public.note"\nenabled = false')
    assert recorded(web, "public.note") is False
    conn.execute("insert into note values (1)")
    assert events(conn, "public.note") == [("public.note", "CREATE", "1", None, {"id": 1})]


def test_a_table_that_has_the_name_of_a_type_is_seen_under_its_own(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    conn.execute("create table note (id int primary key)")
    apply(db, 'table = []\n[[event]]\nname = "public.note"\nlabel = "Remark"')
    audit(db, "note")
    conn.execute("insert into note values (1)")
    (event,) = documents(auditctl("log", "--target", "note", "--format", "jsonl", check=0).out)
    assert event["target"] == "public.note"
    assert auditctl("log", "--target", "Remark", check=2).out == ""
    printed = auditctl("config", check=0).out
    assert auditctl("apply", "-", input=printed, check=0).err == "Nothing to do: the database matches the rules.\n"


def test_people_see_and_find_events_by_the_label(
    db: str, conn: psycopg.Connection, web: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    apply(db, TYPES)
    assert auditctl("log", "--target", "Login", check=0).err == "No events.\n"
    recorded(web, "auth.login")
    for name in ("Login", "login", "auth.login", "auth.*", "Log*"):
        (event,) = documents(auditctl("log", "--target", name, "--format", "jsonl", check=0).out)
        assert (event["target"], event["details"]) == ("Login", "done")
    assert conn.execute("select target, target_name from auditctl.activity where target_id = '1'").fetchall() == [
        ("Login", "auth.login")
    ]
    assert len(documents(auditctl("history", "Login", "1", "--format", "jsonl", check=0).out)) == 1
    assert auditctl("log", "--target", "telemetry.ping", check=2).out == ""


def test_a_plan_names_each_type_and_apply_records_each_change(db: str, conn: psycopg.Connection) -> None:
    steps = [
        "CREATE auth.login event: The file states it.",
        "CREATE telemetry.* event: The file states it, switched off.",
        "CREATE telemetry.alarm event: The file states it.",
    ]
    assert pending(db, TYPES) == steps
    assert changed(conn) == []
    assert lines(apply(db, TYPES)) == steps
    assert [f"{change.kind} {change.reason}" for change in plan(db, TYPES).changes] == ["KEEP It is as stated."] * 3
    assert pending(db) == []
    other = 'table = []\n[[event]]\nname = "auth.login"\nlabel = "Sign-in"\n[[event]]\nname = "telemetry.*"\n'
    assert lines(apply(db, other)) == [
        "DROP telemetry.alarm event: The file does not state it.",
        "REPLACE auth.login event: Its label differs.",
        "REPLACE telemetry.* event: It is switched on.",
    ]
    login, every, alarm = (
        {"name": "auth.login", "label": "Login", "enabled": True},
        {"name": "telemetry.*", "label": None, "enabled": False},
        {"name": "telemetry.alarm", "label": None, "enabled": True},
    )
    assert changed(conn) == [
        ("auth.login", "CREATE", {}, login),
        ("telemetry.*", "CREATE", {}, every),
        ("telemetry.alarm", "CREATE", {}, alarm),
        ("telemetry.alarm", "DELETE", alarm, {}),
        ("auth.login", "UPDATE", login, login | {"label": "Sign-in"}),
        ("telemetry.*", "UPDATE", every, every | {"enabled": True}),
    ]
    assert events(conn, "auditctl.capture") == []


def test_a_file_without_event_types_leaves_them_and_says_so(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    apply(db, TYPES)
    (tmp_path / "audit.toml").write_text("table = []\n")
    said = (
        "warning: The file has no [[event]], so the 3 event types in the database stay; to remove all, begin the file "
        "with: event = []\n"
    )
    nothing = "Nothing to do: the database matches the rules.\n"
    assert (auditctl("plan", "audit.toml", check=0).out, auditctl("plan", "audit.toml").err) == ("", said + nothing)
    assert auditctl("check", "audit.toml", check=0).err == said
    assert auditctl("apply", "audit.toml", check=0).err == said + nothing
    assert len(event_types.read(conn)) == 3
    (tmp_path / "audit.toml").write_text("table = []\nevent = []\n")
    assert auditctl("check", "audit.toml", check=3).out == (
        "DROP    auth.login  event  The file does not state it.\n"
        "DROP    telemetry.*  event  The file does not state it.\n"
        "DROP    telemetry.alarm  event  The file does not state it.\n"
    )
    auditctl("apply", "audit.toml", check=0)
    assert event_types.read(conn) == ()


def test_what_config_prints_plans_nothing(db: str, auditctl: RunAuditctl) -> None:
    apply(db, TYPES)
    printed = auditctl("config", check=0).out
    assert printed.endswith(TYPES.removeprefix("table = []\n"))
    again = auditctl("apply", "-", input=printed, check=0)
    assert again.err == "Nothing to do: the database matches the rules.\n"


def test_the_statements_of_a_plan_state_the_types(db: str, conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    script = auditctl("plan", "-", "--sql", input=TYPES, check=0).out
    conn.execute(script.encode())
    assert event_types.read(conn) == (
        EventType("auth.login", "Login"), EventType("telemetry.*", enabled=False), EventType("telemetry.alarm"),
    )  # fmt: skip


def test_a_table_cannot_take_the_label_of_an_event_type(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table note (id int primary key)")
    apply(db, TYPES)
    with pytest.raises(ConfigurationError) as error:
        audit(db, "note", label="Login")
    assert error.value.problems == ("--label: Login is already used for auth.login",)
    with pytest.raises(ConfigurationError) as error:
        pending(db, '[[table]]\nname = "note"\nlabel = "auth.login"')
    assert error.value.problems == ("audit.toml: table[0].label: auth.login is already used for auth.login",)


def test_a_mistake_in_one_type_changes_nothing_else(db: str, conn: psycopg.Connection) -> None:
    conn.execute("create table note (id int primary key)")
    with pytest.raises(ConfigurationError):
        apply(db, '[[table]]\nname = "note"\n[[event]]\nname = "auth.login"\n[[event]]\nname = "auditctl.rule"')
    assert event_types.read(conn) == ()
    assert events(conn, "auditctl.rule", "auditctl.event_type") == []


@pytest.mark.parametrize("role", ["auditctl_app", "auditctl_reader", "auditctl_admin"])
def test_no_member_of_a_role_changes_a_type(db: str, login: MakeLogin, role: str) -> None:
    apply(db, TYPES)
    with connect(login("member", roles=[role]).dsn) as session:
        for statement in (
            "update auditctl.event_type set enabled = false",
            "insert into auditctl.event_type (name) values ('x')",
            "delete from auditctl.event_type",
            "truncate auditctl.event_type",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.encode())


def test_who_writes_to_the_table_past_the_tool_is_recorded(db: str, conn: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("insert into auditctl.event_type (name, enabled) values ('auditctl.role', false)")
    conn.execute("insert into auditctl.event_type (name, enabled) values ('*', false)")
    assert [action for _, action, *_ in changed(conn)] == [Action.CREATE]
    conn.execute("select auditctl.record_membership('auditctl_app', session_user)")
    assert len(events(conn, "auditctl.role")) == 1
