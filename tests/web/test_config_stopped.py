"""Applying in a browser on a busy database: locks, a lost visitor, a server that ends; nothing is ever half done."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from tests.cli.test_apply_waiting import wait_for_waiter
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.fixtures.web import Client, nameless
from tests.support.capturing import apply, pending, triggers
from tests.web.configuring import applied, everything
from tests.web.documents import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow  # waits for locks, and for servers that are stopped

SECONDS = 60


def prepare(dsn: str) -> None:
    """Make two tables that a rule covers and nothing records yet."""
    with connect(dsn) as conn:
        conn.execute("create table a (id int primary key)")
        apply(dsn, '[[table]]\nname = "public.?"\nactions = ["create"]\nauto = false\n')
        conn.execute("create table b (id int primary key); create table c (id int primary key)")


db_template = begin_with(prepare)


@pytest.fixture
def served(db: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as users run it, in a process of its own, and its address."""
    command = [sys.executable, "-m", "auditctl", "--dsn", nameless(db), "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = None
        while found is None:
            line = process.stderr.readline()
            assert line, "the server stopped"
            found = re.search(r"http://\S+:\d+", line)
        drained = threading.Thread(target=process.stderr.read)
        drained.start()
        try:
            yield process, found[0]
        finally:
            process.kill()
            drained.join()


def wait_until_alone(conn: psycopg.Connection) -> None:
    """Return once no other session of this database is in a transaction."""
    others = """
        select from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
    """
    limit = time.monotonic() + SECONDS
    while conn.execute(others).rowcount:
        assert time.monotonic() < limit, "somebody works on"
        time.sleep(0.02)


def test_a_busy_table_is_said_with_what_to_do_and_the_plan_stays(
    db: str, conn: psycopg.Connection, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditctl.web.views.config.change.LOCK_TIMEOUT", "50ms")
    plan = everything(admin)
    with connect(db) as busy, busy.transaction():
        busy.execute("lock table c in row exclusive mode")
        answer = applied(admin, plan)
        who = f"process {busy.info.backend_pid} (no name, login {busy.info.user})"
    assert answer.status_code == 503
    document = read(answer.text)
    assert document.alerts == [
        f"public.c is locked by another session: {who} Nothing was changed. Another session has locked the table, "
        "or is changing the configuration, and did not finish within 5 seconds. Try again in a quieter moment, or "
        "wait longer on the command line: auditctl enable TABLE --lock-timeout 1min"
    ]
    assert [table for table, _, _ in triggers(conn)] == ["public.a"]
    assert applied(admin, document).status_code == 303
    assert pending(db) == []


def test_a_form_sent_twice_at_once_is_done_once(db: str, conn: psycopg.Connection, admin: Client) -> None:
    plan = everything(admin)
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: applied(admin, plan).status_code, range(4)))
    assert answers == [303] * 4
    done = conn.execute("select target_id from auditctl.event where target = 'auditctl.capture' order by 1").fetchall()
    assert done == [("public.a",), ("public.b",), ("public.c",)]


def test_a_visitor_who_leaves_while_it_is_applied_leaves_all_of_it_done(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    plan = everything(admin)
    with connect(db) as busy, busy.transaction():
        busy.execute("lock table c in row exclusive mode")
        with pytest.raises(httpx.ReadTimeout):
            admin.post("/config/apply", data=plan.form("/config/apply"), timeout=httpx.Timeout(SECONDS, read=0.3))
        wait_for_waiter(conn, "relation")
    wait_until_alone(conn)
    assert pending(db) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_while_it_applies_leaves_all_or_nothing(
    db: str,
    conn: psycopg.Connection,
    served: tuple[subprocess.Popen[str], str],
    person: MakeLogin,
    number: signal.Signals,
) -> None:
    process, url = served
    before = pending(db)
    with Client(base_url=url, timeout=SECONDS) as client, ThreadPoolExecutor() as pool:
        assert client.sign_in(person("admin", attributes="superuser").name).status_code == 303
        plan = everything(client)
        with connect(db) as busy, busy.transaction():
            busy.execute("lock table c in row exclusive mode")
            sent = pool.submit(applied, client, plan)
            wait_for_waiter(conn, "relation")
            process.send_signal(number)
            if number == signal.SIGKILL:
                process.wait(SECONDS)
        process.wait(SECONDS)
        assert sent.exception() is not None or sent.result().status_code in (303, 503)
    wait_until_alone(conn)
    assert pending(db) in ([], before)
    if number == signal.SIGKILL:
        assert pending(db) == before
