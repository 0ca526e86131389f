"""Upgrading to a later version: capture goes on, nothing is lost, and what depends on a changed function is named."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl import store
from auditctl.errors import DatabaseError
from auditctl.names import STORE_REVISION
from tests.fixtures.databases import connect, fresh_database
from tests.fixtures.templates import begin_with
from tests.support import next_version
from tests.support.capturing import audit, events
from tests.support.schema import describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin
    from tests.support.next_version import NextVersion

pytestmark = pytest.mark.slow

FORMER = """
    set role auditctl_owner;
    create function auditctl_internal.former() returns integer language sql as 'select 1';
    create function auditctl.former(p_number integer) returns integer return p_number + auditctl_internal.former();
    create view auditctl.former_view as select auditctl.former(1) as number;
    reset role
"""
"""What the next version no longer has."""

CALLED = """
    select distinct c.relname::text from pg_proc as p
      join pg_trigger as t on t.tgfoid = p.oid join pg_class as c on c.oid = t.tgrelid
     where p.pronamespace = 'auditctl_triggers'::regnamespace and p.prosrc like %s order by 1
"""


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("""
            create schema shop;
            create table shop.item (id int generated always as identity primary key, v text);
            create table shop.parent (id int primary key); create table shop.child (extra text) inherits (shop.parent);
            create table shop.whole (id int primary key) partition by range (id);
            create table shop.part partition of shop.whole for values from (0) to (100)
        """)
        audit(dsn, "shop.item", "shop.parent", "shop.whole")
        conn.execute(FORMER)


db_template = begin_with(prepare, fixture="shop")


@pytest.fixture
def shop(conn: psycopg.Connection) -> psycopg.Connection:
    """A session in `db` with audited tables: one plain, one with a child and a partitioned one."""
    return conn


class Writers:
    """Sessions that write to shop.item until they are stopped."""

    def __init__(self, dsn: str, number: int) -> None:
        self.written, self.faults = [0] * number, list[str]()
        self._dsn, self._stop = dsn, threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(i,)) for i in range(number)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        with connect(self._dsn) as session:
            while not self._stop.is_set():
                try:
                    session.execute("insert into shop.item (v) values ('a'), ('b')")
                    self.written[number] += 2
                except psycopg.Error as error:
                    self.faults.append(str(error))

    def wait(self, more: int) -> None:
        """Wait until each has written so many more rows."""
        enough = [count + more for count in self.written]
        while any(count < least for count, least in zip(self.written, enough, strict=True)):
            self._stop.wait(0.01)


def test_an_upgraded_store_is_the_same_as_a_new_one(
    server: EmbeddedServer, db: str, shop: psycopg.Connection, upgrade: Callable[[str], store.Installation]
) -> None:
    assert upgrade(db) == store.Installation("0001", "0002", is_guarded=True, was_guarded=True)
    with fresh_database(server, "newer") as new:
        upgrade(new)
        audit(new)
        with connect(new) as session:
            expected = describe(session)
    shop.execute("alter event trigger auditctl_guard_ddl disable; alter event trigger auditctl_guard_drop disable")
    shop.execute("drop schema shop cascade")
    shop.execute("drop schema auditctl_triggers cascade; create schema auditctl_triggers authorization auditctl_owner")
    shop.execute("set role auditctl_owner; revoke all on schema auditctl_triggers from public; reset role")
    shop.execute(
        "comment on schema auditctl_triggers is 'auditctl: generated capture functions; may be rebuilt at any time'"
    )
    found = describe(shop)
    assert [kind for kind in expected if found[kind] != expected[kind]] == []
    assert shop.execute("select rule from auditctl.note order by 1").fetchall() == [
        ("shop.item",), ("shop.parent",), ("shop.whole",)
    ]  # fmt: skip


def test_an_upgrade_under_writers_with_the_guard_on_loses_no_event(
    db: str, shop: psycopg.Connection, upgrade: Callable[[str], store.Installation]
) -> None:
    with Writers(db, 3) as writers:
        writers.wait(100)
        upgrade(db)
        writers.wait(100)
    assert writers.faults == []
    assert shop.execute("select count(*) from shop.item").fetchone() == (sum(writers.written),)
    assert shop.execute("""
        select count(*) filter (where e.action = 'CREATE'), count(distinct e.target_id)
          from auditctl.event as e where e.target = 'shop.item'
    """).fetchone() == (sum(writers.written), sum(writers.written))


def test_an_upgrade_waits_for_a_transaction_that_wrote_with_what_it_rewrites(
    db: str, shop: psycopg.Connection, upgrade: Callable[[str], store.Installation]
) -> None:
    waits: LiteralString = "select from pg_locks where not granted and relation = 'shop.item'::regclass"
    with ThreadPoolExecutor(1) as pool, connect(db) as writer:
        writer.execute("begin; insert into shop.item (v) values ('a')")
        upgraded = pool.submit(upgrade, db)
        while not shop.execute(waits).rowcount:
            assert not upgraded.done()
        writer.execute("insert into shop.item (v) values ('b'); commit")
        upgraded.result()
    assert [event[1] for event in events(shop, "shop.item")] == ["CREATE", "CREATE"]


def test_capture_that_calls_what_goes_is_written_anew_and_the_guard_goes_on(
    db: str, shop: psycopg.Connection, upgrade: Callable[[str], store.Installation]
) -> None:
    upgrade(db)
    audited = [("child",), ("item",), ("parent",), ("part",), ("whole",)]
    assert shop.execute(CALLED, ["%record_update%"]).fetchall() == []
    assert shop.execute(CALLED, ["%record_carefully(\n%"]).fetchall() == []
    assert shop.execute(CALLED, ["%record_change(%record_carefully(2,%"]).fetchall() == audited
    shop.execute("insert into shop.child values (1, 'x'); insert into shop.whole values (2); truncate shop.part")
    assert events(shop, "shop.parent", "shop.whole") == [
        ("shop.parent", "CREATE", None, None, {"id": 1, "extra": "x"}),
        ("shop.whole", "CREATE", "2", None, {"id": 2}),
        ("shop.whole", "TRUNCATE", None, None, None),
    ]
    with pytest.raises(psycopg.DatabaseError, match="is audited"):
        shop.execute("drop table shop.item")
    shop.execute("alter table shop.item add column late text; insert into shop.item (late) values ('l')")
    assert events(shop, "shop.item")[-1][-1] == {"id": 1, "v": None, "late": "l"}


def test_what_a_version_no_longer_has_is_dropped(
    db: str, shop: psycopg.Connection, upgrade: Callable[[str], store.Installation]
) -> None:
    left: LiteralString = """
        select format('%s %s', proname, proargtypes[0]::regtype) from pg_proc
         where pronamespace::regnamespace::text like 'auditctl%'
           and proname in ('former', 'record_carefully', 'record_update')
         union all
        select oid::regclass::text from pg_class where relname = 'former_view'
    """
    upgrade(db)
    assert shop.execute(left).fetchall() == [("record_carefully integer",)]


@pytest.mark.parametrize(
    ("kind", "create", "named"),
    [
        (
            "view",
            "create view shop.mine as select target from auditctl.activity; create view shop.yours as table shop.mine",
            ["view shop.mine depends on auditctl.activity", "view shop.yours depends on auditctl.activity"],
        ),
        ("function", "create function shop.mine() returns text begin atomic select auditctl.shown('a'); end",
         ["function shop.mine() depends on auditctl.shown"]),
        ("view", "create view shop.mine as table auditctl.former_view",
         ["view shop.mine depends on auditctl.former_view"]),
        ("table", "create table shop.mine (v int default auditctl.former(1))",
         ["default value for column v of table shop.mine depends on auditctl.former"]),
    ],
    ids=["view of a changed view", "function that calls a changed one", "view of one that goes", "default"],
)  # fmt: skip
def test_what_depends_on_a_view_or_function_that_must_go_is_named_and_nothing_changes(
    db: str,
    shop: psycopg.Connection,
    upgrade: Callable[[str], store.Installation],
    kind: LiteralString,
    create: LiteralString,
    named: list[str],
) -> None:
    shop.execute(create)
    before = describe(shop)
    with pytest.raises(DatabaseError, match="this version changes objects that others depend on") as error:
        upgrade(db)
    assert [text for text in named if text not in str(error.value)] == []
    assert error.value.hint == "Drop the dependent objects, run install, then create them again. Nothing was changed."
    assert describe(shop) == before
    shop.execute(sql.SQL("drop {} shop.mine cascade").format(sql.SQL(kind)))
    assert upgrade(db).after == "0002"


def test_an_install_that_fails_midway_leaves_everything_as_it_was(
    db: str, shop: psycopg.Connection, following: NextVersion, upgrade: Callable[[str], store.Installation]
) -> None:
    before, count = describe(shop), shop.execute("select count(*) from auditctl.event").fetchone()
    following.write("sql/functions/90_broken.sql", "select 1 / 0;\n")
    with pytest.raises(DatabaseError, match="division by zero"):
        upgrade(db)
    assert describe(shop) == before
    assert shop.execute("select count(*) from auditctl.event").fetchone() == count
    with pytest.raises(psycopg.DatabaseError, match="is audited"):
        shop.execute("drop table shop.item")


def test_only_a_superuser_upgrades_what_the_guard_keeps(
    db: str, shop: psycopg.Connection, login: MakeLogin, upgrade: Callable[[str], store.Installation]
) -> None:
    member = login("member", roles=("auditctl_owner", "auditctl_admin"), attributes="createrole")
    before = describe(shop)
    with pytest.raises(DatabaseError, match="the coverage guard keeps this store"):
        upgrade(member.dsn)
    assert describe(shop) == before
    shop.execute("drop event trigger auditctl_guard_ddl; drop event trigger auditctl_guard_drop")
    assert upgrade(member.dsn) == store.Installation("0001", "0002", is_guarded=False, was_guarded=False)
    shop.execute("insert into shop.item default values")
    assert events(shop, "shop.item") == [("shop.item", "CREATE", "1", None, {"id": 1, "v": None})]


def test_the_script_of_an_upgrade_does_the_same(
    db: str, shop: psycopg.Connection, following: NextVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    with next_version.running(following, monkeypatch):
        shop.execute(store.install_script("0001").encode())
        scripted = describe(shop)
        assert store.install(db) == store.Installation("0002", "0002", is_guarded=True, was_guarded=True)
    assert describe(shop) == scripted
    assert shop.execute(CALLED, ["%record_update%"]).fetchall() == []


def test_a_second_install_keeps_each_function_and_writes_no_event(db: str, shop: psycopg.Connection) -> None:
    objects: LiteralString = """
        select p.oid::int, p.oid::regprocedure::text from pg_proc as p
         where p.pronamespace::regnamespace::text ^@ 'auditctl' and p.proname not like 'former%'
         union all
        select c.oid::int, c.oid::regclass::text from pg_class as c
         where c.relnamespace::regnamespace::text ^@ 'auditctl' and c.relname not like 'former%' order by 1
    """
    before, count = shop.execute(objects).fetchall(), shop.execute("select count(*) from auditctl.event").fetchone()
    store.install(db)
    assert shop.execute(objects).fetchall() == before
    assert shop.execute("select count(*) from auditctl.event").fetchone() == count


def test_install_waits_for_no_writer_and_no_reader(db: str, shop: psycopg.Connection) -> None:
    with shop.transaction():
        shop.execute("insert into shop.item default values")
        shop.execute("update shop.item set v = 'x'")
        shop.execute("update shop.item set id = default")
        shop.execute("select count(*) from auditctl.event")
        assert store.install(db).after == STORE_REVISION
