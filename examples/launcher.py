"""Starts a shop with all that it needs, until Ctrl-C: `python -m examples fastapi`.

A private PostgreSQL server in a temporary folder, the shop, and the page of its log beside it, both on loopback only.
Leaves no process and no file behind.
"""

from __future__ import annotations

import os
import secrets
import shlex
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import click
from psycopg.sql import SQL, Identifier, Literal

from auditctl import database, store
from auditctl.capture import apply, roles
from auditctl.capture.config import document
from auditctl.demo.interrupts import Interrupts
from auditctl.demo.server import EmbeddedServer
from auditctl.errors import AuditctlError, OutputError
from examples.shops import FOLDER, OWNER, SHOPS, WEB, Shop, Step, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
DATABASE = "shop"
READERS = {"auditor": "reader", "dba": "admin"}
"""Who may sign in at the page, and the role of auditctl that each has."""

LOGINS = """
    create role shop_owner login; create role shop_web login; create role auditor login; create role dba login;
    grant create on database shop to shop_owner; grant create on schema public to shop_owner;
    alter default privileges for role shop_owner grant select, insert, update, delete on tables to shop_web;
    alter default privileges for role shop_owner grant usage on sequences to shop_web;
"""

START_SECONDS = 60
END_SECONDS = 10


@click.command()
@click.argument("name", metavar="SHOP", type=click.Choice(list(SHOPS)))
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the shop.  [default: 8001, 8002 or 8003]")
@click.option("--page-port", type=click.IntRange(1, 65535), default=8484, show_default=True, help="Port of the log.")
def main(name: str, port: int | None, page_port: int) -> None:
    """Start one of the shops, with a private PostgreSQL server and the page of its log, until Ctrl-C."""
    shop = SHOPS[name]
    if (port or shop.port) == page_port:
        raise click.UsageError("the shop and the page need two ports")
    # libpq would read the user's own settings for every connection.
    for variable in [variable for variable in os.environ if variable.startswith("PG")]:
        del os.environ[variable]
    try:
        require_free(port or shop.port, f"make example-{name} PORT=NUMBER")
        require_free(page_port, f"make example-{name} PAGE_PORT=NUMBER")
        run(shop, port or shop.port, page_port)
    except AuditctlError as error:
        click.echo(f"error: {error}" + (f"\nhint: {error.hint}" if error.hint else ""), err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(130)


def require_free(port: int, command: str) -> None:
    """Raise `OutputError` unless a port of loopback is free; better before the server starts than after it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            message = f"cannot listen on {LOOPBACK} port {port}: {error.strerror}"
            raise OutputError(message, hint=f"Choose another: {command}") from error


def run(shop: Shop, port: int, page_port: int) -> None:
    """Serve a shop until Ctrl-C or another signal that ends programs; once it is ready, both are a regular end."""
    server = EmbeddedServer()
    scene = Scene(shop, server)
    try:
        # Signals wait while a process starts or ends, so that none is left.
        with Interrupts() as interrupts, ExitStack() as stack:
            click.echo(f"Starting PostgreSQL {server.version} in a temporary folder ...")
            server.start()
            stack.callback(server.stop)
            with interrupts.allowed():
                scene.prepare()
            for process in scene.start(port, page_port):
                stack.callback(end, process)
            with interrupts.allowed():
                scene.wait_until_ready(port, page_port)
                scene.announce(port, page_port)
                scene.wait()
    except KeyboardInterrupt:
        if not scene.is_ready:
            raise
    click.echo("Stopped: no process is left, and no file.")


@dataclass
class Scene:
    """A shop on a server."""

    shop: Shop
    server: EmbeddedServer
    is_ready: bool = False
    passwords: dict[str, str] = field(default_factory=lambda: {name: secrets.token_urlsafe(9) for name in READERS})
    staff_password: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    key: str = field(default_factory=lambda: secrets.token_hex(32))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the tables, install the log, turn auditing on, and give everybody their roles."""
        with database.connect(self.server.dsn()) as conn:
            conn.execute("create database shop")
        superuser = self.server.dsn(DATABASE)
        with database.connect(superuser) as conn:
            conn.execute(LOGINS.encode())
        if self.shop.schema is not None:
            with database.connect(self.server.dsn(DATABASE, OWNER)) as conn:
                conn.execute(self.shop.schema.read_bytes())
        self.run_steps(before_auditing=True)
        click.echo(f"$ auditctl install\n$ auditctl apply {self.shop.rules.name}\n$ auditctl grant app {WEB}")
        store.install(superuser)
        with database.connect_store(superuser) as conn:
            apply.apply(conn, document.load(self.shop.rules.read_text("utf-8"), self.shop.rules.name))
            roles.grant(conn, "app", WEB)
            for login, role in READERS.items():
                roles.grant(conn, role, login)
        self.run_steps(before_auditing=False)
        self.require_passwords(superuser)

    def run_steps(self, *, before_auditing: bool) -> None:
        for step in self.shop.steps:
            if step.before_auditing == before_auditing:
                self.run_step(step)

    def run_step(self, step: Step) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *step.words], cwd=self.shop.folder, env=self.environment(step.login),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise OutputError(f"{shlex.join(step.words)} failed:\n{done.stdout}{done.stderr}".rstrip())

    def require_passwords(self, superuser: str) -> None:
        """Give passwords to those who sign in at the page, which requires that the server asks for them."""
        self.server.require_passwords(self.passwords)
        with database.connect(superuser) as conn:
            for login, password in self.passwords.items():
                conn.execute(SQL("alter role {} password {}").format(Identifier(login), Literal(password)))
            conn.execute("select pg_reload_conf()")

    def environment(self, login: str) -> dict[str, str]:
        server = self.server
        return environment(login, self.staff_password, self.key, server.host, server.port, DATABASE)

    def start(self, port: int, page_port: int) -> Iterator[subprocess.Popen[bytes]]:
        """Start the shop and the page, each in a session of its own: Ctrl-C in the terminal does not reach them."""
        dsn = self.server.dsn(DATABASE, "auditor")
        commands = {
            "the shop": (self.shop.folder, [word.format(port=port) for word in self.shop.serve]),
            "the page": (FOLDER.parent, ["auditctl", "--quiet", "--dsn", dsn, "serve", f"--port={page_port}"]),
        }
        for name, (folder, words) in commands.items():
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *words], cwd=folder, env=self.environment(WEB), stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            yield self.processes[name]

    def wait_until_ready(self, port: int, page_port: int) -> None:
        """Wait until the shop and the page answer."""
        limit = time.monotonic() + START_SECONDS
        for url in (f"http://{LOOPBACK}:{port}{self.shop.ready}", f"http://{LOOPBACK}:{page_port}/healthz"):
            while not answers(url):
                self.require_running()
                if time.monotonic() > limit:
                    raise OutputError(f"{url} did not answer within {START_SECONDS} seconds")
                time.sleep(0.1)
        self.is_ready = True

    def require_running(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise OutputError(f"{name} ended with exit code {process.returncode}; see its messages above")

    def announce(self, port: int, page_port: int) -> None:
        """Print the addresses, and who may sign in where."""
        readers = "\n".join(f"    {login:<9}{password}" for login, password in self.passwords.items())
        program = shlex.quote(f"{sys.prefix}/bin/auditctl")
        dsn = shlex.quote(self.server.dsn(DATABASE, "auditor", password=self.passwords["auditor"]))
        click.echo(
            f"\nA shop on {self.shop.title}:  http://{LOOPBACK}:{port}{self.shop.ready}\n"
            f"    {self.shop.sign_in.format(password=self.staff_password)}\n\n"
            f"Its log:  http://{LOOPBACK}:{page_port}/  Sign in with a database login:\n{readers}\n\n"
            f"Or in another terminal:\n    export AUDITCTL_DSN={dsn}\n    {program} log\n\n"
            "What to try: docs/how-to/examples.md. Ctrl-C stops everything."
        )

    def wait(self) -> None:
        """Wait until a process ends, which none should."""
        while True:
            self.require_running()
            time.sleep(0.5)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):
            return True
    except HTTPError:
        return True
    except (URLError, OSError):
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and wait for it."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
