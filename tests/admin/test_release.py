"""`auditctl.release` lets one command of one transaction do to an audited table what the guard refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors

from auditctl import database
from auditctl.actions import DEFAULT
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import Login, connect, fetch_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

REFUSED = "UA003"


@pytest.fixture
def migrator(db: str, shopkeeper: Login, login: MakeLogin) -> Login:
    """An administrator who acts as the owner of the audited tables."""
    made = login("migrator", roles=["auditctl_admin", shopkeeper.name])
    with database.connect(db) as conn:
        for name in ("shop.cart", "shop.visit"):
            apply.enable(conn, Rule(name, DEFAULT))
    return made


@pytest.fixture
def session(migrator: Login) -> Iterator[psycopg.Connection]:
    """A session of that administrator, in autocommit."""
    with connect(migrator.dsn) as conn:
        yield conn


def refused(conn: psycopg.Connection[Any], statement: str) -> bool:
    """Whether the guard refuses a statement; in a transaction, that goes on."""
    try:
        with conn.transaction():
            conn.execute(statement.encode())
    except psycopg.Error as error:
        assert error.sqlstate == REFUSED, error
        return True
    return False


def release(conn: psycopg.Connection[Any], table: str = "shop.cart") -> int | None:
    """Release a table."""
    row = conn.execute("select auditctl.release(%s, 'a new basket')", [table]).fetchone()
    assert row is not None
    found: int | None = row[0]
    return found


@pytest.mark.parametrize(
    "statement",
    [
        "drop table shop.cart",
        "drop trigger auditctl_create on shop.cart",
        "alter table shop.cart disable trigger all",
        "alter trigger auditctl_update on shop.cart rename to quiet",
        "create rule quiet as on insert to shop.cart do instead nothing",
        "drop schema shop cascade",
    ],
)
def test_a_released_table_takes_what_the_guard_refuses(session: psycopg.Connection, statement: str) -> None:
    assert refused(session, statement)
    with session.transaction():
        assert release(session) == 1
        if statement.startswith("drop schema"):
            assert refused(session, statement)
            release(session, "shop.visit")
        assert not refused(session, statement)


@pytest.mark.parametrize(
    ("statement", "done"),
    [
        (
            "alter table shop.cart disable trigger all",
            "; ".join(
                f"trigger auditctl_{action} is disabled" for action in ("create", "update", "delete", "truncate")
            ),
        ),
        ("drop trigger auditctl_create on shop.cart", "trigger auditctl_create is gone"),
        (
            "create rule quiet as on insert to shop.cart do instead nothing",
            "rule quiet keeps writes from triggers",
        ),
    ],
)
def test_what_a_released_command_did_is_recorded_by_name(
    session: psycopg.Connection, db: str, statement: str, done: str
) -> None:
    with session.transaction():
        release(session)
        session.execute(statement.encode())
    summary = (
        "select context ->> 'summary' from auditctl.event where target = 'auditctl.ddl' order by event_id desc limit 1"
    )
    assert fetch_value(db, summary) == f"{' '.join(statement.upper().split()[:2])} on shop.cart: {done}"


def test_a_release_serves_one_command(session: psycopg.Connection) -> None:
    with session.transaction():
        release(session)
        assert not refused(session, "drop trigger auditctl_create on shop.cart")
        assert refused(session, "drop trigger auditctl_update on shop.cart")
        release(session)
        assert not refused(session, "drop trigger auditctl_update on shop.cart")


def test_a_release_serves_one_table(session: psycopg.Connection) -> None:
    with session.transaction():
        release(session)
        assert refused(session, "drop table shop.visit")
        assert refused(session, "drop table shop.cart, shop.visit")
        assert not refused(session, "drop table shop.cart")


def test_a_release_ends_with_its_transaction(session: psycopg.Connection) -> None:
    with session.transaction():
        release(session)
    assert refused(session, "drop table shop.cart")
    session.execute("begin")
    release(session)
    session.execute("rollback")
    assert refused(session, "drop table shop.cart")


def test_what_is_rolled_back_to_a_savepoint_is_not_released(session: psycopg.Connection) -> None:
    with session.transaction():
        session.execute("savepoint before")
        release(session)
        session.execute("rollback to before")
        assert refused(session, "drop table shop.cart")
        release(session)
        session.execute("savepoint before_drop")
        session.execute("drop table shop.cart")
        session.execute("rollback to before_drop")
        assert not refused(session, "drop table shop.cart")


def test_another_session_is_not_released(session: psycopg.Connection, migrator: Login) -> None:
    with session.transaction(), connect(migrator.dsn) as other:
        release(session)
        assert refused(other, "alter table shop.cart disable trigger all")


def test_a_release_is_an_event_with_the_number_of_rows(db: str, session: psycopg.Connection, migrator: Login) -> None:
    session.execute("insert into shop.cart select n from generate_series(10, 15) as n")
    with session.transaction():
        assert release(session) == 7
        session.execute("drop table shop.cart")
    query = """
        select target_id || ' ' || db_user || ' ' || new_values || ' ' || (context ->> 'summary') from auditctl.event
        where target = 'auditctl.release'
    """
    assert fetch_value(db, query) == (
        f'shop.cart {migrator.name} {{"rows": 7, "reason": "a new basket"}} '
        "released for one command: a new basket; it has 7 rows"
    )
    gone = (
        "select context ->> 'summary' from auditctl.event where target = 'auditctl.ddl' order by event_id desc limit 1"
    )
    assert "gone: shop.cart; the log has 6 events of 6 keys" in fetch_value(db, gone)


def test_only_the_login_that_installed_and_administrators_release(db: str, migrator: Login, shopkeeper: Login) -> None:
    with connect(shopkeeper.dsn) as conn, pytest.raises(errors.InsufficientPrivilege):
        release(conn)
    with connect(db) as conn, conn.transaction():
        release(conn)
        conn.execute("drop table shop.cart")


def test_what_is_not_audited_and_the_store_cannot_be_released(session: psycopg.Connection) -> None:
    for name in ("auditctl.event", "auditctl.rule", "pg_catalog.pg_class", 'shop."My Bag"', "cart", "", "*", "shop.*"):
        with pytest.raises(errors.UndefinedTable):
            release(session, name)
    for reason in ("", "  ", None, "x" * 10241):
        with pytest.raises(errors.InvalidParameterValue):
            session.execute("select auditctl.release('shop.cart', %s)", [reason])


def test_a_partition_releases_the_table_that_it_is_audited_through(session: psycopg.Connection) -> None:
    with session.transaction():
        release(session, "shop.visit_2026")
        assert not refused(session, "drop table shop.visit")


def test_a_table_under_a_legal_hold_is_not_released(session: psycopg.Connection) -> None:
    session.execute("select auditctl.place_hold('shop.*', null, 'case 7')")
    with pytest.raises(psycopg.Error, match="hold 1 is about") as error:
        release(session)
    assert error.value.sqlstate == REFUSED


def test_a_hold_that_is_placed_after_the_release_stops_the_command(db: str, session: psycopg.Connection) -> None:
    with session.transaction():
        release(session)
        with connect(db) as other:
            other.execute("select auditctl.place_hold('shop.*', null, 'case 7')")
        assert refused(session, "drop table shop.cart")


def test_a_release_sees_what_others_have_committed(session: psycopg.Connection) -> None:
    with pytest.raises(errors.InvalidTransactionState), session.transaction():
        session.execute("set transaction isolation level repeatable read")
        release(session)


def test_administrators_release_what_they_may_change(db: str, session: psycopg.Connection) -> None:
    with connect(db) as conn:
        conn.execute("insert into auditctl.administration (patterns) values ('{billing.*}')")
    with pytest.raises(errors.InsufficientPrivilege):
        release(session)


def test_a_table_whose_indexes_call_its_owners_code_is_not_counted(
    db: str, session: psycopg.Connection, shopkeeper: Login
) -> None:
    with connect(shopkeeper.dsn) as conn:
        conn.execute("create table shop.trace (who text); grant all on shop.trace to public")
        conn.execute(
            "create function shop.evil(integer) returns boolean language plpgsql immutable as "
            "$$begin insert into shop.trace values (current_user); return true; "
            "exception when others then return true; end$$"
        )
        conn.execute("create index evil on shop.cart (id) where shop.evil(1)")
        conn.execute("alter table shop.cart add constraint evil check (shop.evil(2))")
        conn.execute("create statistics shop.evil on (shop.evil(3)), id from shop.cart")
    with session.transaction():
        session.execute("truncate shop.trace")
        release(session)
        query = "select count(*) from shop.trace as t join pg_roles as r on r.rolname = t.who and r.rolsuper"
        assert session.execute(query.encode()).fetchone() == (0,)
    query = "select new_values ->> 'estimated' from auditctl.event where target = 'auditctl.release'"
    assert fetch_value(db, query) == "true"


def test_a_table_whose_name_changes_hands_is_not_counted(
    db: str, session: psycopg.Connection, shopkeeper: Login
) -> None:
    with connect(shopkeeper.dsn) as conn, conn.transaction():
        conn.execute("alter table shop.cart rename to basket; create view shop.cart as select 1 as id")
        session.execute("set statement_timeout = '10s'")
        release(session)
    query = "select new_values ->> 'estimated' from auditctl.event where target = 'auditctl.release'"
    assert fetch_value(db, query) == "true"


@pytest.mark.parametrize(
    "statement",
    ["alter schema shop rename to other", "create index on shop.cart (id)", "alter table shop.cart rename to basket"],
)
@pytest.mark.usefixtures("migrator")
def test_nothing_that_a_count_runs_can_change_before_it_ends(db: str, conn: psycopg.Connection, statement: str) -> None:
    with conn.transaction(), connect(db) as other:
        conn.execute("select auditctl_guard.lend('count', 'shop.cart'::regclass, null, null)")
        other.execute("set lock_timeout = '1ms'")
        with pytest.raises(errors.LockNotAvailable):
            other.execute(statement.encode())


def test_apply_brings_capture_back_after_a_released_command(session: psycopg.Connection, db: str) -> None:
    with session.transaction():
        release(session)
        session.execute("drop trigger auditctl_create on shop.cart")
    assert refused(session, "alter table shop.cart add column late text")
    with database.connect(db) as conn:
        apply.apply(conn)
    assert not refused(session, "alter table shop.cart add column late text")
