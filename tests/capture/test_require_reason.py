"""A table whose rule has `require_reason`: a write without a reason fails, whoever writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import connect, prepared
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import Login, MakeLogin

WRITES: dict[str, LiteralString] = {
    "insert": "insert into note (body) values ('x')",
    "update": "update note set body = 'y'",
    "delete": "delete from note",
    "truncate": "truncate note",
}
"""A statement for each action that needs a reason."""

BLANK = ("", " ", "\u200b", "\n\t")


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(
            """
            create table note (id integer generated always as identity primary key, body text, seen timestamptz);
            create table part (id integer primary key, body text) partition by list (id);
            create table part_1 partition of part for values in (1);
            insert into note (body) values ('old'); grant all on note, part, part_1 to public;
            """
        )
        audit(dsn, "note", exclude=("seen",), require_reason=True, require_actor=True)
        audit(dsn, "part", require_reason=True)


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A database with tables that require a reason."""
    with prepared(server, template, prepare) as name:
        yield name


@pytest.fixture
def app(login: MakeLogin) -> Login:
    return login("web", roles=["auditctl_app"])


def refusal(dsn: str, statement: LiteralString, before: LiteralString = "select") -> psycopg.errors.Diagnostic:
    """What refuses a statement, after another one in its transaction."""
    with connect(dsn) as session, pytest.raises(psycopg.Error) as refused, session.transaction():
        session.execute(before)
        session.execute(statement)
    return refused.value.diag


def test_every_write_without_a_reason_fails_and_says_how_to_give_one(app: Login) -> None:
    for operation, statement in WRITES.items():
        diag = refusal(app.dsn, statement, "select auditctl.set_context('alice', '203.0.113.7')")
        assert (diag.sqlstate, diag.message_primary) == (
            "UA004",
            f"{operation} of public.note refused: no reason is given",
        )
        assert diag.message_hint == (
            'Give it by acting_as("alice", reason="ticket 4711") in Python, or in the same transaction by SQL: '
            "select auditctl.set_context('alice', p_reason => 'ticket 4711')"
        )


def test_writes_with_a_reason_pass_and_record_it(conn: psycopg.Connection, app: Login) -> None:
    with connect(app.dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', p_reason => 'ticket 4711')")
        for statement in WRITES.values():
            session.execute(statement)
    rows = conn.execute(
        "select action::text, reason from auditctl.activity where target_name = 'public.note' order by 1"
    )
    assert {action for action, reason in rows if reason == "ticket 4711"} == {"CREATE", "UPDATE", "DELETE", "TRUNCATE"}


def test_logins_that_are_no_applications_need_a_reason_too(conn: psycopg.Connection, login: MakeLogin) -> None:
    dba = login("dba")
    for dsn in (dba.dsn, conn.info.dsn):
        diag = refusal(dsn, WRITES["insert"])
        assert diag.sqlstate == "UA004"
        assert diag.message_hint == (
            "Give it in the same transaction: select auditctl.set_context(null, p_reason => 'ticket 4711')"
        )
    with connect(dba.dsn) as session, session.transaction():
        session.execute("select auditctl.set_context(null, p_reason => 'ticket 4711')")
        session.execute(WRITES["insert"])
    events = conn.execute("select actor, context from auditctl.event where target = 'public.note'").fetchall()
    assert events == [(dba.name, {"reason": "ticket 4711"})]


def test_reason_that_shows_nothing_is_none(app: Login) -> None:
    with connect(app.dsn) as session:
        for blank in BLANK:
            with pytest.raises(psycopg.Error) as refused, session.transaction():
                session.execute("select auditctl.set_context('alice', p_reason => %s)", [blank])
                session.execute(WRITES["insert"])
            assert refused.value.sqlstate == "UA004", repr(blank)


def test_reason_in_a_context_that_cannot_be_read_does_not_count(app: Login) -> None:
    for setting in ("""'["reason"]'""", """'{"reason": '""", """'{"reason": null}'""", """'{"reason": {}}'"""):
        before = f"select auditctl.set_context('alice'), set_config('auditctl.context', {setting}, true)"
        assert refusal(app.dsn, WRITES["update"], before).sqlstate == "UA004"
    broken: LiteralString = "select auditctl.set_context('alice'), set_config('auditctl.context', '[', true)"
    diag = refusal(app.dsn, WRITES["update"], broken)
    assert diag.message_primary is not None
    assert diag.message_primary.endswith(
        "no reason is given, as auditctl.context is not a JSON object of at most 16 kB"
    )


def test_the_actor_is_required_besides_the_reason(app: Login) -> None:
    assert refusal(app.dsn, WRITES["insert"], "select auditctl.set_context(null, p_reason => 'r')").sqlstate == "UA002"
    assert refusal(app.dsn, WRITES["insert"]).sqlstate == "UA002"


def test_what_records_nothing_and_what_reads_needs_no_reason(app: Login) -> None:
    with connect(app.dsn) as session:
        session.execute("update note set seen = now()")
        session.execute("delete from note where false")
        assert session.execute("select count(*) from note").fetchone() == (1,)


def test_writes_to_partitions_and_values_of_any_size_need_a_reason(app: Login) -> None:
    for statement in ("insert into part values (1, 'x')", "insert into part_1 values (1, repeat('x', 3000000))"):
        diag = refusal(app.dsn, statement)
        assert (diag.sqlstate, diag.message_primary) == ("UA004", "insert of public.part refused: no reason is given")
    with connect(app.dsn) as session, session.transaction():
        session.execute("select auditctl.set_context('alice', p_reason => 'r')")
        session.execute("insert into part_1 values (1, repeat('x', 3000000))")


def test_replica_mode_repeats_writes_without_a_reason(conn: psycopg.Connection) -> None:
    conn.execute("set session_replication_role = 'replica'")
    for statement in WRITES.values():
        conn.execute(statement)
    assert conn.execute("select count(*) from auditctl.event where target = 'public.note'").fetchone() == (6,)


def test_rows_of_a_table_that_a_glob_takes_in_need_a_reason(db: str, conn: psycopg.Connection) -> None:
    audit(db, "public.*", require_reason=True)
    diag = refusal(db, "create table made as select 1 as id")
    assert (diag.sqlstate, diag.message_primary) == ("UA004", "create of public.made refused: no reason is given")
    with conn.transaction():
        conn.execute("select auditctl.set_context(null, p_reason => 'import')")
        conn.execute("create table made as select 1 as id")
    assert refusal(db, "insert into made values (2)").sqlstate == "UA004"
    conn.execute("create table empty (id integer)")
    assert refusal(db, "insert into empty values (2)").sqlstate == "UA004"


def test_setting_of_a_login_gives_the_reason_of_a_job(db: str, conn: psycopg.Connection, login: MakeLogin) -> None:
    job = login("job")
    conn.execute(f"""alter role {job.name} set "auditctl.context" = '{{"reason": "nightly job"}}'""")
    with connect(job.dsn) as session:
        session.execute(WRITES["insert"])
    assert conn.execute("select reason from auditctl.activity where target_name = 'public.note'").fetchall() == [
        ("nightly job",)
    ]


def test_switch_is_off_again_without_the_key(db: str, app: Login) -> None:
    audit(db, "part")
    with connect(app.dsn) as session:
        session.execute("insert into part values (1, 'x')")
