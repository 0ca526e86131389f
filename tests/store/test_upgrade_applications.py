"""Applications of an older version while a newer one is installed: their sessions go on, and name their users."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from auditctl import acting, store
from auditctl.capture import apply
from auditctl.database import connect_store
from auditctl.errors import StoreError
from auditctl.log_import.event_builder import Options
from auditctl.log_import.importer import Importer, ImportRequest
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support import next_version
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import Login, MakeLogin
    from tests.support.next_version import NextVersion

pytestmark = pytest.mark.slow  # applications wait for an upgrade, and upgrades for them

WHO: LiteralString = """
    select e.target, e.target_id, e.action::text, e.actor_kind::text, e.actor, host(e.ip), e.context ->> 'reason'
      from auditctl.event as e where e.target <> 'auditctl.store' and e.event_id > %s order by e.event_id
"""

SESSIONS = 3


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("""
            create schema shop; grant usage on schema shop to public;
            create table shop.item (id int primary key, v text); grant all on shop.item to public;
            create function shop.put(p_user text, p_id int) returns void language plpgsql as $$
            begin
                perform auditctl.set_context(p_user, '203.0.113.7', '{"reason": "order"}');
                insert into shop.item values (p_id, 'put');
                perform auditctl.record_event('shop.order', p_id::text, 'ordered');
            end $$
        """)
        audit(dsn, "shop.item")


db_template = begin_with(prepare)


@pytest.fixture
def web(login: MakeLogin) -> Login:
    """The application's login."""
    return login("web", roles=("auditctl_app",))


@pytest.fixture
def changed(following: NextVersion) -> NextVersion:
    """A next version in which the functions that applications call take more, and return something else."""
    for last, returns in (
        ("    p_local boolean default true\n", ") returns void\n"),
        ("    p_action auditctl.action default 'EVENT'\n", ") returns bigint\n"),
    ):
        form = f"{last[:-1]},\n    p_form text default ''\n"
        following.change(f"{last}{returns}", f"{form}{returns}".replace("bigint", "numeric"))
    return following


def last_event(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("select max(event_id) from auditctl.event").fetchone()
    assert row is not None
    return int(row[0])


def work(session: psycopg.Connection[Any], number: int) -> None:
    """What an application does, in each form that it may have prepared: six times, so that plans are cached."""
    for each in range(number, number + 6):
        session.execute("select shop.put('alice', %s)", [each], prepare=True)
    with session.transaction():
        session.execute("select auditctl.set_context(%s, %s)", ["bob", "203.0.113.8"], prepare=True)
        session.execute("update shop.item set v = 'bob' where id = %s", [number], prepare=True)
    with session.transaction(), acting(session, "carol", ip="203.0.113.9"):
        session.execute("delete from shop.item where id = %s", [number], prepare=True)


def expected(number: int) -> list[tuple[Any, ...]]:
    """What `work` leaves in the log."""
    puts = [
        (target, str(each), action, "application", "alice", "203.0.113.7", "order")
        for each in range(number, number + 6)
        for target, action in (("shop.item", "CREATE"), ("shop.order", "EVENT"))
    ]
    return [
        *puts,
        ("shop.item", str(number), "UPDATE", "application", "bob", "203.0.113.8", None),
        ("shop.item", str(number), "DELETE", "application", "carol", "203.0.113.9", None),
    ]


@pytest.mark.usefixtures("changed")
def test_a_session_with_cached_plans_goes_on_over_an_upgrade(
    db: str, conn: psycopg.Connection, web: Login, upgrade: Callable[[str], store.Installation]
) -> None:
    start = last_event(conn)
    with connect(web.dsn) as session:
        work(session, 100)
        with session.transaction():
            session.execute("select auditctl.set_context('dora', '203.0.113.6')")
            upgrade(db)
            session.execute("insert into shop.item values (1, 'while it was open')")
        work(session, 200)
    assert conn.execute(WHO, [start]).fetchall() == [
        *expected(100),
        ("shop.item", "1", "CREATE", "application", "dora", "203.0.113.6", None),
        *expected(200),
    ]


def test_a_prepared_statement_that_names_its_columns_goes_on_and_one_for_all_columns_does_not(
    db: str, conn: psycopg.Connection, upgrade: Callable[[str], store.Installation]
) -> None:
    conn.execute("""
        prepare named as select target_name from auditctl.activity where event_id = 1;
        prepare everything as select * from auditctl.activity where event_id = 1
    """)
    before = conn.execute("execute named").fetchall()
    conn.execute("execute everything")
    upgrade(db)
    assert conn.execute("execute named").fetchall() == before
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan must not change result type"):
        conn.execute("execute everything")


@pytest.mark.usefixtures("changed")
def test_applications_that_write_during_an_upgrade_notice_nothing(
    db: str, conn: psycopg.Connection, web: Login, upgrade: Callable[[str], store.Installation]
) -> None:
    start, upgraded = last_event(conn), threading.Event()

    def write(session: psycopg.Connection, place: int) -> list[int]:
        numbers: list[int] = []
        while not upgraded.is_set() or len(numbers) < 2:
            numbers.append((place * 1_000_000 + len(numbers)) * 10)
            work(session, numbers[-1])
        return numbers

    with ExitStack() as stack, ThreadPoolExecutor(SESSIONS) as pool:
        sessions = [stack.enter_context(connect(web.dsn)) for _ in range(SESSIONS)]
        for place, session in enumerate(sessions):
            work(session, place * 10)
        writers = [pool.submit(write, session, place) for place, session in enumerate(sessions, 1)]
        try:
            upgrade(db)
        finally:
            upgraded.set()
        numbers = [number for writer in writers for number in writer.result(60)]
    numbers += [place * 10 for place in range(SESSIONS)]
    found = conn.execute(WHO, [start]).fetchall()
    assert sorted(found) == sorted(event for number in numbers for event in expected(number))


def test_check_finds_nothing_after_an_upgrade_and_apply_has_nothing_to_do(
    db: str, following: NextVersion, auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    with next_version.running(following, monkeypatch):
        assert auditctl("install").err == "Upgraded the store from revision 0001 to 0002. Next: auditctl apply\n"
        assert auditctl("check", check=0).err == ""
        assert auditctl("apply", "--yes", check=0).err == "Nothing to do: the database matches the rules.\n"
        assert auditctl("install", check=0).err == "The store is already there, at revision 0002.\n"


def test_what_a_version_generates_otherwise_is_captured_as_before_until_apply(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = next_version.make(tmp_path, [next_version.RENAMED])
    for template in (following.folder / "sql" / "templates").glob("*.sql.j2"):
        template.write_text(template.read_text("utf-8").replace("begin\n", "begin -- otherwise\n", 1), "utf-8")
    with next_version.running(following, monkeypatch):
        auditctl("install", check=0)
        conn.execute("insert into shop.item values (1)")
        assert auditctl("check", check=3).out != ""
        auditctl("apply", "--yes", check=0)
        assert auditctl("check", check=0).err == ""
    conn.execute("insert into shop.item values (2)")
    assert conn.execute("select count(*) from auditctl.event where target = 'shop.item'").fetchone() == (2,)


def test_an_apply_of_an_older_version_that_waited_for_an_upgrade_changes_nothing(
    db: str, conn: psycopg.Connection, upgrade: Callable[[str], store.Installation]
) -> None:
    conn.execute("create table shop.other (id int primary key)")
    with connect_store(db) as older:
        older.execute("update auditctl.rule set label = 'Item'")
        upgrade(db)
        with pytest.raises(StoreError, match="revision 0002, newer than this auditctl's 0001"):
            apply.apply(older)
    assert conn.execute("select label from auditctl.target").fetchall() == [(None,)]


def test_an_import_of_an_older_version_that_goes_on_for_days_ends_with_an_upgrade(
    db: str, upgrade: Callable[[str], store.Installation], tmp_path: Path
) -> None:
    (tmp_path / "empty.json").touch()
    with connect_store(db) as older:
        importer = Importer(older, ImportRequest([tmp_path], Options(None, False, False)), lambda _: None)
        importer.run()
        upgrade(db)
        with pytest.raises(StoreError, match="revision 0002, newer than this auditctl's 0001"):
            importer.run()
