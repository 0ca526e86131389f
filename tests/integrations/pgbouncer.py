"""PgBouncer in transaction mode, in front of the server of the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from auditctl.demo.process import choose_account
from tests.fixtures.databases import Login

SERVERS = 5
"""How many connections to the server its clients share."""

_PORT = 6432

_SETTINGS = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr =
listen_port = {listen}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
logfile = {folder}/log
pool_mode = transaction
default_pool_size = {servers}
max_client_conn = 100
"""


@contextmanager
def in_front(login: Login, settings: str = "") -> Iterator[Login]:
    """Run it while the block runs; yields how a login connects through it. Skips the test where it is missing.

    Args:
        login: The login.
        settings: More lines of its configuration.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    known = conninfo_to_dict(login.dsn)
    with tempfile.TemporaryDirectory(prefix="pgbouncer") as name:
        folder = Path(name)
        (folder / "users").write_text(f'"{login.name}" ""\n')
        text = _SETTINGS.format(host=known["host"], port=known["port"], listen=_PORT, folder=folder, servers=SERVERS)
        (folder / "ini").write_text(f"{text}{settings}\n")
        # Root may not run it, and only the server's own account may enter the folder of its socket.
        account = choose_account()
        account.own(folder)
        command = [program, "-q", str(folder / "ini")]
        groups: list[int] | None = None if account.user is None else []
        with subprocess.Popen(command, user=account.user, group=account.group, extra_groups=groups) as process:
            dsn = make_conninfo(login.dsn, host=name, port=_PORT)
            try:
                _wait(dsn, process)
                yield Login(login.name, dsn)
            finally:
                process.terminate()


def _wait(dsn: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
