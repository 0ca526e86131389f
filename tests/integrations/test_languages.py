"""Naming the user in other languages: the code of docs/how-to/languages.md, as it is there, against a server."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pytest
from psycopg.conninfo import conninfo_to_dict

from auditctl.names import LOOPBACK
from tests.fixtures.databases import connect, prepared
from tests.integrations.pgbouncer import in_front

if TYPE_CHECKING:
    import psycopg
    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.databases import MakeLogin

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "languages.md"
MAINS = Path(__file__).parent / "languages"

CALL = (
    "select auditctl.set_context(p_actor => ?, p_ip => ?, p_reason => ?, "
    "p_context => jsonb_build_object('request_id', ?::text))"
)
NO_USER = "UA002 Name the user in the transaction: select auditctl.set_context('alice', '203.0.113.7')"
NO_REASON = (
    'UA004 Give it by acting_as("alice", reason="ticket 4711") in Python, or in the same transaction by SQL: '
    "select auditctl.set_context('alice', p_reason => 'ticket 4711')"
)

EVENTS: LiteralString = (
    "select user_name, host(ip_address), reason, context ->> 'request_id', new_values ->> 'balance'"
    " from auditctl.activity where target_name = 'billing.customer'"
)
ALICE = ("alice", "203.0.113.7", "ticket 4711", "4f2a", "12.50")

PROXIED = ("js", "ruby", "php")
"""Whose drivers connect through a Unix socket, as PgBouncer's tests do."""

NODE_MODULES = ("/usr/lib/node_modules", "/usr/local/lib/node_modules", "/usr/share/nodejs")
JDBC = Path("/usr/share/java/postgresql.jar")
GO_SOURCES = (*filter(None, os.environ.get("GOPATH", "").split(os.pathsep)), "/usr/share/gocode")


@dataclass(frozen=True, slots=True)
class Language:
    """How the code of a language runs.

    Attributes:
        fence: The name of its blocks on the page.
        file: Where the page's function goes; what calls it is `MAINS` / `main`.
        commands: What builds and runs it.
        find: Returns what a skipped test names as missing, or None.
        packages: The packages that bring it.
        prepare: Links what the program imports into its folder.
    """

    fence: str
    file: str
    main: str
    commands: tuple[tuple[str, ...], ...]
    find: Callable[[], str | None]
    packages: str
    prepare: Callable[[Path], None] = field(default=lambda _: None)


def missing(program: str, *probe: str) -> str | None:
    """Name a program that is not there, or whose probe fails."""
    if shutil.which(program) is None:
        return program
    return program if probe and subprocess.run([program, *probe], capture_output=True).returncode else None


def pg_of_node() -> Path | None:
    return next((Path(folder, "pg") for folder in NODE_MODULES if Path(folder, "pg").is_dir()), None)


def link_pg(folder: Path) -> None:
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "pg").symlink_to(pg_of_node() or "")


def pgx() -> Path | None:
    return next((Path(path) for path in GO_SOURCES if Path(path, "src/github.com/jackc/pgx").is_dir()), None)


def use_pgx_4(folder: Path) -> None:
    """Debian has pgx 4, which differs from 5 in what the page's code does not use."""
    for path in folder.rglob("*.go"):
        path.write_text(path.read_text("utf-8").replace("jackc/pgx/v5", "jackc/pgx/v4"), "utf-8")


LANGUAGES = (
    Language("js", "acting.mjs", "main.mjs", (("node", "main.mjs"),),
             lambda: missing("node") or (None if pg_of_node() else "pg"), "npm install --global pg", link_pg),
    Language("go", "src/shop/acting/acting.go", "src/shop/main.go", (("go", "run", "src/shop/main.go"),),
             lambda: missing("go") or (None if pgx() else "pgx"),
             "apt-get install golang-go golang-github-jackc-pgx-v4-dev", use_pgx_4),
    Language("java", "Acting.java", "Main.java",
             (("javac", "-cp", str(JDBC), "Acting.java", "Main.java"), ("java", "-cp", f"{JDBC}:.", "Main")),
             lambda: missing("javac") or (None if JDBC.exists() else "JDBC"),
             "apt-get install default-jdk-headless libpostgresql-jdbc-java"),
    Language("ruby", "acting.rb", "main.rb", (("ruby", "main.rb"),),
             lambda: missing("ruby", "-e", "require 'active_record'; require 'pg'"),
             "apt-get install ruby-activerecord ruby-pg"),
    Language("php", "acting.php", "main.php", (("php", "main.php"),),
             lambda: missing("php", "-r", "exit(extension_loaded('pdo_pgsql') ? 0 : 1);"),
             "apt-get install php-cli php-pgsql"),
)  # fmt: skip


def blocks(fence: str) -> list[str]:
    """The function of a language, and the example that calls it."""
    return re.findall(rf"^```{fence}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def db_template(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """A shop whose customers nobody changes without saying who and why."""

    def prepare(dsn: str) -> None:
        from auditctl.cli.main import main

        with connect(dsn) as conn:
            conn.execute(
                "create schema billing; grant usage on schema billing to public;"
                "create table billing.customer (id int primary key, balance numeric(12, 2) not null);"
                "insert into billing.customer values (7, 10.00); grant all on billing.customer to public"
            )
        with pytest.raises(SystemExit) as end:
            main(["--quiet", "--dsn", dsn, "enable", "billing.customer", "--require-actor", "--require-reason"])
        assert end.value.code == 0

    with prepared(server, template, prepare) as name:
        yield name


@pytest.mark.parametrize("fence", ["js", "go", "java", "ruby", "php", "csharp"])
def test_every_language_makes_the_same_call(fence: str) -> None:
    function, example = blocks(fence)
    call = re.search(r"select auditctl\.set_context\(.*?\)\)", function, re.DOTALL)
    assert call is not None
    text = re.sub(r"\$\d", "?", " ".join(call[0].split()))
    assert text.replace("nullif(?, '')", "?") == CALL
    assert all(word in example for word in ("alice", "203.0.113.7", "ticket 4711", "4f2a"))


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.fence)
def test_code_of_the_page_names_the_user(
    language: Language, db: str, conn: psycopg.Connection, login: MakeLogin, tmp_path: Path
) -> None:
    web = login("web", roles=["auditctl_app"])
    out = run(language, tmp_path, web.dsn)
    assert [line.rstrip() for line in out.splitlines()] == [NO_USER, NO_REASON, "changed my mind", NO_USER]
    assert conn.execute(EVENTS).fetchall() == [ALICE]


@pytest.mark.slow
def test_code_of_the_page_names_the_user_where_each_transaction_has_another_connection(
    db: str, conn: psycopg.Connection, login: MakeLogin, tmp_path: Path
) -> None:
    proxied = [language for language in LANGUAGES if language.fence in PROXIED and not language.find()]
    with in_front(login("web", roles=["auditctl_app"]), "server_lifetime = 0") as web:
        for language in proxied:
            out = run(language, tmp_path / language.fence, web.dsn, POOLER="PgBouncer")
            assert [line.rstrip() for line in out.splitlines()] == [NO_USER, NO_REASON, "changed my mind", NO_USER]
            conn.execute('set auditctl.context = \'{"reason": "again"}\'; update billing.customer set balance = 10')
    assert [row for row in conn.execute(EVENTS).fetchall() if row[0] == "alice"] == [ALICE] * len(proxied)


def run(language: Language, folder: Path, dsn: str, **more: str) -> str:
    """Build and run the program of a language in a folder; return what it prints."""
    if lacking := language.find():
        pytest.skip(f"{lacking} is not installed: {language.packages}")
    function, example = blocks(language.fence)
    for path, text in (
        (language.file, function),
        (language.main, re.sub(r"(//|#) EXAMPLE\n", lambda _: example, (MAINS / Path(language.main).name).read_text())),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    language.prepare(folder)
    known = {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
    gopath = os.pathsep.join([str(folder), *GO_SOURCES])
    env = os.environ | {
        "PGHOST": known["host"] if more else LOOPBACK,
        "PGPORT": known["port"],
        "PGUSER": known["user"],
        "PGDATABASE": known["dbname"],
    }
    env |= more | {
        "GO111MODULE": "off",
        "GOPATH": gopath,
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "PGSSLMODE": "disable",
    }
    for command in language.commands:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
