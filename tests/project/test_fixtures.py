"""The fixtures themselves: what a test leaves must not reach the next one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl.cli.main import COMMANDS
from tests.fixtures.clones import clone
from tests.fixtures.command import LOCALE, can_run_here, run_here, run_process
from tests.fixtures.databases import connect, create_database, drop_database, drop_role, fetch_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin


def test_login_is_dropped_with_its_objects_sessions_and_prepared_transactions(
    server: EmbeddedServer,
) -> None:
    name = create_database(server, "busy")
    with psycopg.connect(server.dsn(), autocommit=True) as maintenance:
        maintenance.execute("create role busy_login login superuser")
    with psycopg.connect(server.dsn(name, user="busy_login")) as session:
        session.execute("create table kept ()")
        session.commit()
        session.execute("select pg_create_logical_replication_slot('busy', 'pgoutput')")
        session.commit()
        session.execute("drop table kept")
        session.execute("prepare transaction 'busy'")
        session.commit()
        drop_database(server, name)
    drop_role(server, "busy_login")
    assert fetch_value(server.dsn(), "select count(*) from pg_roles where rolname = 'busy_login'") == 0
    assert fetch_value(server.dsn(), "select count(*) from pg_replication_slots") == 0


def test_logins_have_names_of_their_own(empty_db: str, login: MakeLogin) -> None:
    one, other = login("clerk", dsn=empty_db), login("clerk", dsn=empty_db, attributes="createdb")
    assert one.name != other.name
    assert fetch_value(one.dsn, "select session_user") == one.name
    assert fetch_value(other.dsn, "select rolcreatedb from pg_roles where rolname = session_user") is True


def test_databases_are_empty_at_the_start(empty_db: str) -> None:
    assert fetch_value(empty_db, "select count(*) from pg_namespace where nspname = 'auditctl'") == 0


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--help"], id="help"),
        pytest.param(["log", "--nonsense"], id="usage"),
        pytest.param(["log", "--user", "\udcff"], id="undecodable"),
        pytest.param(["log"], id="no server"),
        pytest.param(["--debug", "log"], id="traceback"),
        pytest.param(["plan", "-"], id="standard input"),
        pytest.param(["plan", "audit.toml"], id="file in the folder"),
        pytest.param(["log", "--since", "2026-03-01 12:00"], id="time zone"),
    ],
)
def test_a_command_in_this_process_does_what_a_process_does(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "audit.toml").write_text("nonsense = 1")
    env = {**os.environ, **LOCALE, "AUDITCTL_DSN": "host=/nonexistent", "TZ": "Asia/Kolkata", "COLUMNS": "60"}
    assert can_run_here(words, env)
    here, process = (run(words, b"\xff = 1", env, tmp_path) for run in (run_here, run_process))
    assert (here.returncode, here.stdout, here.stderr) == (process.returncode, process.stdout, process.stderr)


def test_a_command_in_this_process_leaves_it_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def state() -> object:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        return dict(os.environ), Path.cwd(), time.tzname, handlers, sys.stdin, sys.stdout, sys.stderr

    before = state()
    run_here(["log"], b"", {"AUDITCTL_DSN": "host=/nonexistent", "TZ": "Asia/Kolkata"}, tmp_path)
    assert state() == before
    subprocess.run(["echo", "printed"], check=True)
    assert capfd.readouterr() == ("printed\n", "")


def test_some_commands_need_a_process() -> None:
    env = {**os.environ, **LOCALE}
    assert can_run_here(["log"], {**env, "PGHOST": "elsewhere", "PATH": ""})
    assert not can_run_here(["log"], {**env, "PYTHONHASHSEED": "1"})
    assert not can_run_here(["log"], {**env, "LC_ALL": "C"})
    assert not can_run_here(["--quiet", "demo"], env)
    with ThreadPoolExecutor() as pool:
        assert not pool.submit(can_run_here, ["log"], env).result()


EACH_IN_A_PROCESS = """
import os, sys
from auditctl.cli.main import main

for command in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        main([command, "--help"])
    assert os.waitpid(child, 0)[1] == 0, command
"""
"""Runs commands in processes of their own, of which none has loaded more than what all have in common."""


def test_a_command_loads_what_it_needs_itself() -> None:
    commands = [*{module: command for command, module in COMMANDS.items()}.values()]
    done = subprocess.run([sys.executable, "-c", EACH_IN_A_PROCESS, *commands], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^Usage: auditctl (\S+)", done.stdout, re.MULTILINE) == commands


def test_a_database_serves_the_next_test_until_something_is_changed_in_it(
    server: EmbeddedServer, template: NoopExecutor, login: MakeLogin
) -> None:
    def names(*statements: LiteralString) -> Iterator[str]:
        for statement in statements:
            with clone(server, template.template_dbname) as name:
                with psycopg.connect(server.dsn(name), autocommit=True) as session:
                    session.execute(statement)
                yield name

    with clone(server, template.template_dbname) as first:
        clerk = login("clerk", roles=["auditctl_reader"], dsn=server.dsn(first))
        assert fetch_value(clerk.dsn, "select count(*) from auditctl.rule") == 0
    undone: tuple[LiteralString, ...] = (
        "select 1",
        "begin; create table left_over (); rollback",
        "begin; insert into auditctl.hold (target, reason) values ('a', 'b'); rollback",
        "do $$ begin assert (select last_value is null from pg_sequences where sequencename ^@ 'hold'); end $$",
    )
    assert set(names(*undone)) == {first}
    changes: tuple[LiteralString, ...] = (
        "create table left_over ()",
        "do $$ begin create table left_over (); end $$",
        "select pg_create_logical_replication_slot('left', 'pgoutput')",
        "begin; create table left_over (); prepare transaction 'left'",
    )
    assert len({first, *names(*changes)}) == len(changes)


PREFERENCES = """
    select current_setting('work_mem'), current_user, current_setting('auditctl.actor', true),
           (select count(*) from pg_prepared_statements), (select count(*) from pg_locks where locktype = 'advisory'),
           pg_my_temp_schema() <> 0 and exists (select from pg_class where relnamespace = pg_my_temp_schema())
"""


def test_a_session_that_is_handed_on_is_like_a_new_one(db: str) -> None:
    with connect(db) as first:
        before = first.execute(PREFERENCES).fetchone()
        first.execute("set work_mem = '1234kB'; set auditctl.actor = 'alice'; create temp table left_over ()")
        first.execute("prepare left_over as select 1; set role auditctl_owner")
        first.execute("select pg_advisory_lock(1)")
        first.add_notice_handler(lambda _: pytest.fail("a handler was handed on"))
        pid = first.info.backend_pid
    assert first.closed
    with connect(db) as second:
        assert second.info.backend_pid == pid
        after = second.execute(PREFERENCES).fetchone()
        second.execute("do $$ begin raise notice 'heard by nobody'; end $$")
    assert before is not None
    assert after == (*before[:2], "", *before[3:])


@pytest.mark.parametrize("place", ["database {}", "role postgres in database {}"])
def test_settings_that_are_read_at_login_get_a_session_of_its_own(db: str, place: LiteralString) -> None:
    with connect(db) as first:
        name = sql.Identifier(first.info.dbname)
        first.execute(sql.SQL("alter " + place + " set work_mem = '1234kB'").format(name))
    assert fetch_value(db, "show work_mem") == "1234kB"


def test_a_session_that_a_test_left_in_a_transaction_is_handed_on_without_it(db: str) -> None:
    with connect(db) as first:
        first.execute("begin")
        first.execute("create table half_done ()")
        first.close()
    assert fetch_value(db, "select to_regclass('public.half_done')") is None


def test_sessions_of_other_logins_end_with_their_connection(db: str, login: MakeLogin) -> None:
    clerk = login("clerk")
    pids = [fetch_value(clerk.dsn, "select pg_backend_pid()") for _ in range(2)]
    assert pids[0] != pids[1]
