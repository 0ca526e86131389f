"""Two commands at a time that change the store: the second waits, or ends and names the first, and nothing is lost."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from auditctl import names, store
from auditctl.capture import rule_store
from tests.fixtures.command import run_process
from tests.fixtures.databases import connect
from tests.fixtures.templates import audited, begin_with
from tests.support.capturing import pending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow  # commands wait for each other

FILE = (
    '[[table]]\nname = "public.a"\n[[table]]\nname = "public.b"\nactions = ["create"]\n[retention]\nkeep = "400 days"\n'
)
LOG = (
    '{"timestamp":"2026-11-26 10:00:00.000 UTC","session_id":"1.1","line_num":1,"error_severity":"LOG","message":"x"}\n'
)

db_template = begin_with(
    audited("create table a (id int primary key, v text); create table b (id int primary key)", "a")
)

SHORT = ("--lock-timeout", "50ms")
CONFIGURING: tuple[tuple[str, ...], ...] = (
    ("apply", "audit.toml", "--yes", *SHORT),
    ("enable", "public.b", *SHORT),
    ("disable", "public.a", *SHORT),
    ("uninstall", "--yes", *SHORT),
)
INSTALLING: tuple[tuple[str, ...], ...] = (("install",), ("adopt",))
OTHERS: tuple[tuple[str, ...], ...] = (
    ("maintain",),
    ("import-log", "log.json"),
    ("hold", "add", "public.a", "--reason", "case", "--yes"),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the commands name; and no command waits long for the store."""
    (tmp_path / "audit.toml").write_text(FILE)
    (tmp_path / "log.json").write_text(LOG)
    monkeypatch.setattr(names, "STORE_WAIT", "200ms")


@contextmanager
def holding(dsn: str, *work: LiteralString | Callable[[psycopg.Connection[Any]], object]) -> Iterator[str]:
    """A transaction of the tool that has done so much; how it is named. It is rolled back."""
    with psycopg.connect(dsn, application_name="auditctl") as conn:
        for step in work:
            conn.execute(step) if isinstance(step, str) else step(conn)
        yield name(conn)
        conn.rollback()


def name(conn: psycopg.Connection[Any], program: str = "auditctl") -> str:
    return f"process {conn.info.backend_pid} ({program}, login {conn.info.user})"


def configuring(dsn: str) -> AbstractContextManager[str]:
    """What apply, enable, disable and uninstall do first."""
    return holding(dsn, rule_store.lock)


def dropping(dsn: str) -> AbstractContextManager[str]:
    """What uninstall --drop-log does first."""
    return holding(
        dsn,
        lambda conn: conn.execute("select pg_advisory_xact_lock(%s)", [names.INSTALL_LOCK]),
        "set role auditctl_owner",
        "lock table auditctl.event in access exclusive mode",
    )


@contextmanager
def installing(dsn: str) -> Iterator[str]:
    """An install that has done everything but commit; how it is named."""

    class StoppedError(Exception):
        pass

    done, go_on = threading.Event(), threading.Event()

    def finish() -> None:
        done.set()
        go_on.wait(60)
        raise StoppedError

    with ThreadPoolExecutor(1) as pool, psycopg.connect(dsn, autocommit=True, application_name="auditctl") as conn:
        who = name(conn)
        installed = pool.submit(store.upgrade, conn, finish)
        try:
            assert done.wait(60)
            yield who
        finally:
            go_on.set()
            with pytest.raises(StoppedError):
                installed.result(60)


def test_who_changes_the_configuration_is_named_to_others_who_would(db: str, auditctl: RunAuditctl) -> None:
    before = pending(db, FILE)
    with configuring(db) as first:
        for command in CONFIGURING:
            done = auditctl(*command, check=5)
            assert done.err.splitlines()[-2:] == [
                f"error: the configuration is locked by another session: {first}",
                "hint: Another session holds the lock; try again in a quieter moment, or raise --lock-timeout.",
            ]
        for command in INSTALLING:
            assert f"what this needs is locked by another session: {first}" in auditctl(*command, check=5).err
        for command in OTHERS:
            auditctl(*command, check=0)
    assert pending(db, FILE) == before


@pytest.mark.parametrize("first", [installing, dropping], ids=["install", "uninstall"])
def test_who_installs_or_drops_the_store_is_named_to_all_who_wait_too_long(
    db: str, auditctl: RunAuditctl, first: Any
) -> None:
    with first(db) as busy:
        for command in (*CONFIGURING, *INSTALLING, *OTHERS):
            done = auditctl(*command, check=5)
            assert (command, busy in done.err, "canceling" in done.err) == (command, True, False), done.err


@pytest.mark.parametrize("command", INSTALLING, ids=["install", "adopt"])
def test_an_install_that_waits_for_an_apply_is_not_waited_for_by_it(
    db: str, conn: psycopg.Connection, command: tuple[str, ...], auditctl: RunAuditctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "STORE_WAIT", "60s")
    waiting: LiteralString = "select from pg_locks where not granted and relation = 'auditctl.rule'::regclass"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(db) as first:
        rule_store.lock(first)
        second = pool.submit(run_process, ["--dsn", db, *command], b"", dict(os.environ), Path.cwd())
        while not conn.execute(waiting).rowcount:
            assert not second.done(), second.result().stderr
        first.execute("set local lock_timeout = '10s'; update auditctl.capture set target = target")
        first.commit()
        assert (second.result(60).returncode, conn.execute("select from auditctl.capture").rowcount) == (0, 1)


def test_an_administrator_without_rights_on_the_tables_is_named_who_changes_the_configuration(
    db: str, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    admin = login("admin", roles=("auditctl_admin",))
    with configuring(db) as first:
        done = auditctl("enable", "public.b", *SHORT, dsn=admin.dsn, check=5)
    assert f"the configuration is locked by another session: {first}" in done.err


def test_upkeep_holds_and_imports_let_each_other_and_a_change_of_the_configuration_pass(
    db: str, auditctl: RunAuditctl
) -> None:
    lock_import: LiteralString = "select auditctl_internal.lock_import()"
    with (
        holding(db, "select auditctl.maintain_step()"),
        holding(db, "set role auditctl_owner", "select from auditctl.hold for share"),
    ):
        for command in (("apply", "audit.toml", "--yes", *SHORT), ("disable", "public.b", *SHORT), *OTHERS[1:]):
            auditctl(*command, check=0)
    with holding(db, "set role auditctl_owner", lock_import):
        for command in (("apply", "audit.toml", "--yes", *SHORT), ("disable", "public.b", *SHORT), OTHERS[2]):
            auditctl(*command, check=0)


def test_a_second_maintain_names_the_first(db: str, auditctl: RunAuditctl) -> None:
    with holding(db, "select auditctl.maintain_step()") as first:
        done = auditctl("maintain", check=0)
    assert done.err == f"Another maintain is running and does the rest: {first}.\n"


def test_who_uses_a_table_whose_capture_changes_is_named(db: str, auditctl: RunAuditctl) -> None:
    with connect(db) as reader, connect(db) as writer, reader.transaction(), writer.transaction():
        reader.execute("select from b")
        writer.execute("insert into b values (1)")
        done = auditctl("enable", "public.b", *SHORT, check=5)
        who = name(writer, "no name")
    assert done.err.splitlines()[-2] == f"error: public.b is locked by another session: {who}"
