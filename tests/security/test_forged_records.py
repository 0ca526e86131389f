"""What each role can record by calling functions: never a change of a row, nor an event of auditctl itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect, prepared
from tests.security.test_write_once import refused
from tests.support.capturing import audit
from tests.support.recorded import documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

ANYBODY = {"record_read", "set_context"}
ANYBODY |= {"audited_table", "make_way", "put_aside"}
ANYBODY |= {"check_ddl", "check_drop", "has_pass", "is_free", "is_trusted", "refuse", "refuse_secret"}
"""The guard's functions, which run as whoever gives the command, only look and raise; so does a policy's."""

READER = ANYBODY | {
    "canonical_target", "capture_triggers", "deciding_type", "details", "history", "is_audited_view", "is_meant",
    "kept_since", "kindred_targets", "maintenance_due", "new_write_rules", "object_keys", "overdue_months",
    "own_policies", "qualified", "read_faults", "record_export", "retention_grace", "sentence", "shorten",
    "shown", "long_sentence", "short_text",
    "statistics", "target_names", "target_pattern",
}  # fmt: skip
READER |= {
    "count_held", "find_key", "key_spellings", "near_keys", "next_key_changes", "next_key_end",
    "next_key_step", "object_events", "object_key_steps", "object_periods",
}  # fmt: skip
READER |= {"block_events", "block_leaves", "event_leaf", "event_salt"}
READER |= {"reconcile", "reconcile_scopes", "shown_action"}
READER |= {"capture_keys", "metrics", "not_administrable", "stale_targets"}
READER |= {"aligned", "array_changes", "column_changes", "common_length", "json_changes", "json_step", "part_changes"}
READER |= {"quoted", "shown_change", "shown_part"}
READER |= {"drop_view", "save_view", "saved_views"}
READER |= {"record_lookup", "record_session"}
READER |= {"drop_consumer", "move_consumer", "open_consumer", "record_export_end"}
READER |= {"values_indexed_until"}
READER |= {"count_held_archives", "expired_archives", "month_fingerprint", "stays_hot"}
ADMIN = READER | {
    "import_activities", "import_own_reads", "import_reads", "maintain", "maintain_step", "names_actor",
    "note_log_file", "place_hold", "record_event", "record_import", "record_membership", "release_hold",
    "set_retention", "settle_reads", "verify_read_line",
}  # fmt: skip
ADMIN |= {"change_capture", "lock_rules", "lock_table", "prepare_capture", "record_run", "release"}
ADMIN |= {"append_block", "audit_table", "begin_sealing", "refresh_capture", "release_table", "unaudit_table"}
ADMIN |= {"announce_expiry", "begin_archiving", "begin_month", "end_expiry", "record_archive", "set_archiving"}
ADMIN |= {"add_cosignatures"}
ADMIN |= {"erase_events", "summarize_month", "value_index_work"}
ADMIN |= {"baseline_tables", "end_baseline", "record_baseline"}
MAY_CALL = {
    "stranger": ANYBODY,
    "auditctl_app": ANYBODY | {"names_actor", "record_event"},
    "auditctl_reader": READER,
    "auditctl_admin": ADMIN,
}
"""Every function of the store that a member of the role may execute."""

WRITES = (
    "insert into auditctl.event (actor, actor_kind, target, action) values ('alice', 'application', 'x', 'EVENT')",
    "insert into auditctl.event_default (event_id, actor, actor_kind, target, action) overriding system value "
    "values (1, 'alice', 'application', 'x', 'EVENT')",
    "insert into auditctl.activity (target) values ('x')",
    "copy auditctl.event (actor, actor_kind, target, action) from stdin",
    "copy auditctl.event_default from stdin",
    "copy auditctl.activity from stdin",
    "with e as (insert into auditctl.event (target) values ('x') returning 1) select * from e",
    "select * into auditctl.forged from (select 1) as x",
    "create table auditctl.event_2030_01 partition of auditctl.event for values from ('2030-01-01') to ('2030-02-01')",
    "select nextval('auditctl.event_event_id_seq')",
    "select setval('auditctl.event_event_id_seq', 5)",
    "select last_value from auditctl.event_event_id_seq",
    "alter sequence auditctl.event_event_id_seq increment by 0",
    "insert into auditctl.target (target, label) values ('x', 'Customer')",
    "insert into auditctl.rename values (now(), 'public.note', 'x')",
    "insert into auditctl.rule (name, position, actions) values ('x', 1, '{CREATE}')",
    "update auditctl.target set label = 'x'",
    "insert into auditctl.event_type (name, enabled) values ('x', false)",
    "select auditctl_internal.insert_event('public.note', '1', 'UPDATE', '{}', '{}', null)",
    "select auditctl_internal.guard_partition('auditctl.event')",
    "explain analyze insert into auditctl.event (target) values ('x')",
)


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create table note (id int primary key, body text)")
        conn.execute("grant insert, update, delete on note to public")
    audit(dsn, "note", label="Note")


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with an audited table that everybody may write."""
    with prepared(server, template, prepare) as name:
        yield name


@pytest.fixture
def note(db: str) -> str:
    """A clone of it."""
    return db


def newest(conn: psycopg.Connection) -> tuple[Any, ...]:
    row = conn.execute(
        "select actor, actor_kind, host(ip), db_user, target, target_id, action::text, old_values, new_values, "
        "context - 'application_name' from auditctl.event order by event_id desc limit 1"
    ).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize("role", MAY_CALL)
def test_a_member_of_a_role_may_execute_exactly_these_functions(
    conn: psycopg.Connection, login: MakeLogin, role: str
) -> None:
    member = login("member", roles=[] if role == "stranger" else [role])
    query: LiteralString = """
        select proname::text from pg_proc
         where pronamespace::regnamespace::text ^@ 'auditctl'
           and has_function_privilege(%s, oid, 'execute')
    """
    assert {name for (name,) in conn.execute(query, [member.name])} == MAY_CALL[role]


@pytest.mark.parametrize("role", MAY_CALL)
def test_no_member_of_a_role_writes_to_the_log_in_any_other_way(note: str, login: MakeLogin, role: str) -> None:
    member = login("member", roles=[] if role == "stranger" else [role])
    with connect(member.dsn) as session:
        assert [fault for statement in WRITES if (fault := refused(session, statement))] == []


@pytest.mark.parametrize("role", ["auditctl_app", "auditctl_admin"])
@pytest.mark.parametrize(
    "target",
    ["auditctl.rule", "AUDITCTL.Role", "auditctl.", "auditctl", "auditctl.rule ", "Auditctl.\n", "auditctl..x"],
)
def test_events_of_auditctl_itself_are_recorded_by_nobody_else(
    note: str, login: MakeLogin, role: str, target: str
) -> None:
    with connect(login("member", roles=[role]).dsn) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("select auditctl.record_event(%s, '1', 'granted')", [target])


@pytest.mark.parametrize("action", ["CREATE", "UPDATE", "DELETE", "TRUNCATE"])
@pytest.mark.parametrize("role", ["auditctl_app", "auditctl_admin"])
def test_a_change_of_a_row_is_recorded_by_nobody_else(note: str, login: MakeLogin, role: str, action: str) -> None:
    with connect(login("member", roles=[role]).dsn) as session, pytest.raises(psycopg.errors.InvalidParameterValue):
        session.execute("select auditctl.record_event('public.note', '1', 'x', '{}', %s)", [action])


def test_an_event_claimed_of_an_audited_table_is_told_from_its_changes(
    note: str, conn: psycopg.Connection, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    web = login("web", roles=["auditctl_app"])
    with connect(web.dsn) as session, session.transaction():
        session.execute('select auditctl.set_context(\'alice\', p_context => \'{"summary": "body: a", "role": "x"}\')')
        for target in ("public.note", "Note"):
            session.execute("select auditctl.record_event(%s, '1', 'body: a → b', '{\"body\": \"b\"}')", [target])
    found = documents(auditctl("log", "--target", "Note", "--format", "jsonl", check=0).out)
    assert {event["action"] for event in found} == {"EVENT"}
    assert {event["db_user"] for event in found} == {web.name}
    assert {str(event["old_values"]) for event in found} == {"None"}
    assert auditctl("log", "--target", "Note", "--action", "update", "--format", "jsonl", check=0).out == ""
    assert auditctl("log", "--column", "body", "--format", "jsonl", check=0).out == ""


def test_an_administrator_records_under_its_own_name_whatever_it_claims(
    note: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    admin = login("admin", roles=["auditctl_admin"])
    with connect(admin.dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', '203.0.113.7', '{\"claimed_actor\": \"bob\"}')")
        session.execute("select auditctl.record_event('billing.report', '7', 'sent', '[\"NaN\", null]')")
    assert newest(conn) == (
        admin.name, "database", None, admin.name, "billing.report", "7", "EVENT", None, ["NaN", None],
        {"summary": "sent", "claimed_actor": "alice", "claimed_ip": "203.0.113.7"},
    )  # fmt: skip


def test_a_reader_records_its_export_under_its_own_name_whatever_it_claims(
    note: str, conn: psycopg.Connection, login: MakeLogin
) -> None:
    reader = login("reader", roles=["auditctl_reader"])
    with connect(reader.dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', '203.0.113.7')")
        session.execute('select auditctl.record_export(\'{"format": "csv", "summary": "x"}\')')
        for data in ("to_jsonb(repeat('x', 70000))", "'null'", "null", "'[]'", "'5'"):
            with pytest.raises(psycopg.errors.InvalidParameterValue), session.transaction():
                session.execute(f"select auditctl.record_export({data})".encode())
    assert newest(conn) == (
        reader.name, "database", None, reader.name, "auditctl.export", None, "EVENT", None,
        {"format": "csv", "summary": "x"},
        {"summary": "log exported", "claimed_actor": "alice", "claimed_ip": "203.0.113.7"},
    )  # fmt: skip


def test_a_long_key_is_shortened_and_an_empty_one_kept(note: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    with connect(login("web", roles=["auditctl_app"]).dsn) as session:
        session.execute("select auditctl.record_event('x', repeat('k', 10240), '')")
        assert len(newest(conn)[5]) < 200
        session.execute("select auditctl.record_event('x', '', '')")
        assert newest(conn)[5:] == ("", "EVENT", None, None, {"summary": ""})


@pytest.mark.parametrize(
    "target",
    [" auditctl.rule", "auditctl .rule", '"auditctl".rule', '"auditctl"."rule"', "auditctl\u200b.rule",
     "auditctl\n.rule",
     "\uff41uditctl.rule", "\tauditctl.rule", "   ", "\u202eelur.ltctidua", "public.note\n", "auditctl_triggers.x",
     "auditctl_internal.x", "AUDITCTL_INTERNAL", '"auditctl_internal" .x'],
    ids=ascii,
)  # fmt: skip
def test_a_target_that_reads_like_auditctls_own_or_like_another_is_refused(
    db: str, login: MakeLogin, target: str
) -> None:
    with connect(login("web", roles=["auditctl_app"]).dsn) as session, pytest.raises(psycopg.Error) as refusal:
        session.execute("select auditctl.record_event(%s, '1', 'granted')", [target])
    assert refusal.value.sqlstate in ("42501", "22023")


@pytest.mark.parametrize(
    "arguments",
    ["'x', repeat('i', 10241)", "'x', '1', repeat('s', 70000)", "'x', '1', 's', to_jsonb(repeat('d', 70000000))"],
)
def test_an_oversize_event_is_refused(db: str, login: MakeLogin, arguments: str) -> None:
    with (
        connect(login("web", roles=["auditctl_app"]).dsn) as session,
        pytest.raises(psycopg.errors.InvalidParameterValue),
    ):
        session.execute(f"select auditctl.record_event({arguments})".encode())


@pytest.mark.parametrize("target", ["Audit trail", "auditor.visit", "café", "請求書", "mailing list"])
def test_a_target_that_reads_as_what_it_is_is_recorded(
    db: str, conn: psycopg.Connection, login: MakeLogin, target: str
) -> None:
    with connect(login("web", roles=["auditctl_app"]).dsn) as session:
        session.execute("select auditctl.record_event(%s)", [target])
    assert newest(conn)[4] == target


@pytest.mark.parametrize("arguments", ["null, 'x'", "'auditctl_app', null", "'auditctl_app', 'nobody at all'"])
def test_a_membership_of_nobody_or_in_nothing_is_not_recorded(
    conn: psycopg.Connection, login: MakeLogin, arguments: str
) -> None:
    with connect(login("admin", roles=["auditctl_admin"]).dsn) as session, pytest.raises(psycopg.Error):
        session.execute(f"select auditctl.record_membership({arguments})".encode())
    assert conn.execute("select count(*) from auditctl.event where target = 'auditctl.role'").fetchone() == (0,)
