"""`auditctl demo`: shows the log on a private server, with a sample company."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from auditctl.cli.known_values import FOLDERS, complete
from auditctl.cli.printing import ignoring_broken_pipe, print_heading, print_text
from auditctl.cli.serve import port_option, require_web
from auditctl.cli.session import Session, pass_session
from auditctl.demo import company as companies
from auditctl.demo import scenario
from auditctl.demo.company import Company
from auditctl.demo.interrupts import Interrupts
from auditctl.demo.server import EmbeddedServer
from auditctl.errors import UsageError
from auditctl.names import LOOPBACK

CSV = "activity.csv"


@click.command(short_help="Show the log on a sample company.")
@click.option("--keep", is_flag=True, help="Leave the server running, and print how to connect and how to stop it.")
@click.option("--serve", "serves", is_flag=True, help="Show the log in a browser afterwards, until Ctrl-C.")
@port_option
@click.option(
    "--output", "-o", "folder", metavar="FOLDER", default="demo-output", show_default=True,
    type=click.Path(path_type=Path), shell_complete=complete(FOLDERS),
    help=f"Where {CSV} goes; one that is there is replaced.",
)  # fmt: skip
@pass_session
def demo(session: Session, keep: bool, serves: bool, port: int, folder: Path) -> None:
    """Show the log on a sample company, with a PostgreSQL server of its own.

    The server runs in a temporary folder, listens on a private socket only, and is gone at the end. Databases of
    yours are not touched: --dsn, AUDITCTL_DSN and libpq's PG variables are not used.

    \b
    Examples:
      auditctl demo
      auditctl demo --serve
      auditctl demo --keep
    """
    if serves:
        if keep:
            raise click.UsageError("--keep and --serve exclude each other")
        require_web()
    # libpq would read them for every connection, and a PGSERVICE cannot be overridden in a connection string.
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    with ignoring_broken_pipe(), Interrupts() as interrupts, _output_folder(folder):
        server = EmbeddedServer()
        session.say(f"Starting PostgreSQL {server.version} in a temporary folder ...")
        server.start()
        try:
            with interrupts.allowed():
                company = companies.create(server)
                _Show(session, company).whole(folder / CSV)
            if serves:
                with interrupts.allowed():
                    _serve(session, server, company, port)
            if keep:
                _keep(server, company, interrupts)
        finally:
            server.stop()


@dataclass(frozen=True, slots=True)
class _Show:
    """Prints the demo to standard output; with --quiet only what the commands themselves print."""

    session: Session
    company: Company

    def whole(self, csv: Path) -> None:
        self.setting_up()
        self.day()
        self.reading()
        self.tampering()
        self.exporting(csv)

    def setting_up(self) -> None:
        self.heading("The DBA installs the log and says what is audited")
        self.command("install", run=False)
        self.tell(f"$ cat {companies.RULES_FILE}\n{companies.rules().rstrip()}")
        self.command("apply", companies.RULES_FILE, run=False)
        for role, login in companies.GRANTS:
            self.command("grant", role, login, run=False)
        companies.audit(self.company)
        self.command("tables", dsn=self.company.dba)

    def day(self) -> None:
        self.heading("A day at the company")
        for act in scenario.day(self.company):
            self.tell(f"{act.who:<8}{act.place:<17}{act.deed}")

    def reading(self) -> None:
        self.heading("The auditor reads the log")
        self.command("log", "--target", "billing.*")
        self.heading("One object's life, through the change of its key")
        self.command("history", "Plan", "business")
        self.heading("What came through psql is recorded as dana's, whatever name she claimed")
        self.command("show", str(scenario.read_false_claim(self.company)))

    def tampering(self) -> None:
        self.heading("What is refused: changing the log, and a price without a name")
        for attempt in scenario.attempts(self.company):
            for statement in attempt.statements:
                self.tell(f"{attempt.login}=> {statement};")
            self.tell(f"ERROR:  {attempt.sqlstate}: {attempt.answer}" if attempt.answer else "done")

    def exporting(self, csv: Path) -> None:
        self.heading("The auditor takes it all away")
        self.command("export", "--output", str(csv), "--force")

    def command(self, *words: str, dsn: str | None = None, run: bool = True) -> None:
        """Print a command as one would type it, and run it as the command line does."""
        self.tell(f"$ auditctl {shlex.join(words)}")
        if run:
            from auditctl.cli.main import cli

            chosen = cli.get_command(click.Context(cli), words[0])
            assert chosen is not None, words  # noqa: S101 - a command of ours
            session = Session(dsn or self.company.auditor, quiet=self.session.quiet, debug=self.session.debug)
            with chosen.make_context(f"auditctl {words[0]}", list(words[1:]), obj=session) as context:
                chosen.invoke(context)

    def heading(self, text: str) -> None:
        if not self.session.quiet:
            print_heading(text)

    def tell(self, text: str) -> None:
        if not self.session.quiet:
            print_text(text)


def _serve(session: Session, server: EmbeddedServer, company: Company, port: int) -> None:
    """Serve the company's log until Ctrl-C, to the two who may look at it."""
    from auditctl.cli import serve_web  # the extra `web` may be missing

    passwords = companies.give_passwords(server, company)

    def announce(url: str) -> None:
        print_text(
            f"\nOpen {url} and sign in as one of them; Ctrl-C ends it, and the server with it.\n\n"
            f"  {companies.AUDITOR:<10}{passwords[companies.AUDITOR]}    reads the log\n"
            f"  {companies.DBA:<10}{passwords[companies.DBA]}    configures it, too\n"
        )

    serve_web.run(session, serve_web.Settings(server.dsn(companies.DATABASE)), LOOPBACK, port, announce=announce)


def _keep(server: EmbeddedServer, company: Company, interrupts: Interrupts) -> None:
    """Leave the server running, and print how to reach and stop it; stop it if printing fails."""
    dsn = shlex.quote(company.superuser)
    psql = shutil.which("psql") or server.bindir / "psql"
    detached = server.detach()
    lines = (
        "\nThe server runs on. It listens on a socket in its folder only, open to its own user and to root.\n",
        f"Connect:  {shlex.quote(str(psql))} {dsn}",
        f"          export AUDITCTL_DSN={dsn}",
        f"Folder:   {detached.folder}",
        f"Log:      {detached.log}",
        f"Stop and remove:\n{detached.stop_command}",
    )
    try:
        with interrupts.allowed():
            print_text("\n".join(lines))
    except BaseException:
        subprocess.run(["/bin/sh", "-c", detached.stop_command], check=False)  # noqa: S603 - our own command
        raise


@contextmanager
def _output_folder(folder: Path) -> Iterator[None]:
    """Make the folder before the demo starts; remove it again if it is still empty."""
    is_new = not folder.exists()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}", hint="Name another: --output") from error
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # not empty: the demo came to its end
                folder.rmdir()
