"""Every block of the documentation is run: by the test of its page, or here, in its order, against a database.

A block that cannot be run says so with a reason: `<!-- run: never, needs systemd -->`. `--update-golden` writes output.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.fixtures.databases import connect
from tests.project.test_docs import SHOP
from tests.support import retaining
from tests.support.dumps import require_programs
from tests.support.guide import FOLDER, PIECE, Console, Reading, blocks

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

ROOT = Path(__file__).resolve().parents[2]
RUNNABLE = ("sh", "sql", "console")
NEVER = "never"

RUN_BY = {
    "README.md": "tests/project/test_docs.py",
    "docs/compliance.md": "tests/project/test_compliance_page.py",
    "docs/how-to/a-year.md": "tests/project/test_year_guide.py",
    "docs/how-to/coming-from.md": "tests/project/test_coming_from_guide.py",
    "docs/how-to/docker.md": "tests/project/test_deployment.py",
    "docs/how-to/examples.md": "tests/examples/test_examples.py",
    "docs/how-to/languages.md": "tests/integrations/test_languages.py",
    "docs/how-to/read-archive.md": "tests/archive/test_read_archive_page.py",
    "docs/how-to/postgrest.md": "tests/store/test_actor_sources.py",
    "docs/how-to/tenants.md": "tests/project/test_tenants_guide.py",
    "docs/reference/sizing.md": "tests/project/test_sizing.py",
}
"""Pages whose blocks other tests run, and which."""

PARSED = {
    "CONTRIBUTING.md": "targets of make",
    "docs/reference/commands.md": "examples of the help texts, which test_docs parses",
    "docs/how-to/archive-s3.md": "needs a bucket: tests/archive/test_s3_command.py has one",
    "docs/how-to/archive-spark.md": "needs Spark: tests/archive/test_spark.py has it, where it is installed",
    "docs/how-to/auditor-questions.md": "needs its own log: tests/browser/test_auditor_questions.py clicks through it",
    "docs/how-to/server-log.md": "needs the server's log: tests/log_import does it",
    "docs/how-to/upgrade.md": "takes a newer version: tests/store/test_upgrade.py goes through it",
    "docs/how-to/web.md": "serves until it is stopped: tests/web and tests/project/test_deployment.py do",
}
"""Pages whose commands are parsed and not run, and why."""

PLAYED = (
    "explanation/evidence.md",
    "quickstart.md",
    "how-to/archive.md",
    "how-to/backup.md",
    "how-to/business-events.md",
    "how-to/check-exports.md",
    "how-to/consecutive-exports.md",
    "how-to/erase.md",
    "how-to/findings.md",
    "how-to/follow.md",
    "how-to/migrations.md",
    "how-to/monitoring.md",
    "how-to/new-tables.md",
    "how-to/read-logging.md",
    "how-to/reconcile.md",
    "how-to/retention.md",
    "how-to/seal.md",
    "how-to/uninstall.md",
    "how-to/who-looked.md",
    "reference/configuration.md",
    "reference/schema.md",
)
"""Pages that are run here."""

CONSOLES_ELSEWHERE = ("quickstart.md", "how-to/business-events.md")
"""Of those, pages whose commands with output tests/project/test_docs.py runs."""


def nothing(_: psycopg.Connection, __: RunAuditctl) -> None:
    """Leave it as it is."""


def enable_shop(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    auditctl("enable", "billing.*", check=0)
    conn.execute("insert into billing.customer values (1, 'Vogel'); update billing.customer set balance = 2")


def tenants(conn: psycopg.Connection, _: RunAuditctl) -> None:
    conn.execute("create schema tenant_004; create table tenant_004.customer (id bigint primary key, name text)")


def legacy(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create schema legacy; create table legacy.payment (id int)")


def backups(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create role nightly login")
    auditctl("enable", "billing.*", check=0)


def salaries(conn: psycopg.Connection, _: RunAuditctl) -> None:
    conn.execute("create table billing.salary (id int primary key, amount numeric)")


def imports(conn: psycopg.Connection, _: RunAuditctl) -> None:
    conn.execute("create table billing.import_line (file_name text, line int); create table billing.session (id int)")
    conn.execute("create role nightly login")


def months(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    auditctl("enable", "billing.customer", check=0)
    auditctl("enable", "billing.invoice", check=0)
    ago = "select to_char(date_trunc('month', now() at time zone 'UTC') - %s * interval '1 month', 'YYYY-MM-DD')"
    for number in (16, 15):
        (day,) = conn.execute(ago, [number]).fetchone() or ("",)
        retaining.months(conn, day, day)
        retaining.fill(conn, day, "billing.customer", 600)
    retaining.fill(conn, day, "billing.invoice", 40)


def old_months(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    auditctl("enable", "billing.customer", check=0)
    for day, count in (("2020-01-01", 600), ("2020-02-01", 40)):
        retaining.months(conn, day, day)
        retaining.fill(conn, day, "billing.customer", count)


def person(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    auditctl("enable", "billing.customer", "--mask", "card_number", "--exclude", "updated_at", check=0)
    conn.execute("set session authorization billing_web")
    conn.execute("insert into billing.customer (id, name) values (8, 'Ann Vogel')")
    conn.execute("update billing.customer set name = 'Ann Brandt', balance = 5 where id = 8")
    conn.execute("update billing.customer set balance = 7 where id = 8")
    conn.execute("update billing.customer set name = 'Ann B.' where id = 8")
    conn.execute("reset session authorization")


def expire(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    auditctl("apply", "--yes", "audit.toml", check=0)
    auditctl("maintain", check=0)
    conn.execute(retaining.LONG_AGO)


def carts(conn: psycopg.Connection, auditctl: RunAuditctl) -> None:
    conn.execute("create schema shop create table cart (id int primary key)")
    auditctl("enable", "shop.cart", check=0)


def uncover(_: psycopg.Connection, auditctl: RunAuditctl) -> None:
    auditctl("enable", "billing.*", "--uncover", check=0)


BEFORE: dict[str, Callable[[psycopg.Connection, RunAuditctl], None]] = {
    "how-to/archive.md": old_months,
    "how-to/check-exports.md": enable_shop,
    "how-to/consecutive-exports.md": enable_shop,
    "how-to/backup.md": backups,
    "how-to/erase.md": person,
    "how-to/findings.md": legacy,
    "how-to/follow.md": enable_shop,
    "how-to/migrations.md": carts,
    "how-to/migrations.md#Let migrations drop tables": uncover,
    "how-to/new-tables.md": tenants,
    "how-to/read-logging.md": salaries,
    "how-to/retention.md": months,
    "how-to/retention.md#Run the upkeep": expire,
    "how-to/seal.md": enable_shop,
    "how-to/uninstall.md": enable_shop,
    "how-to/who-looked.md": enable_shop,
    "reference/configuration.md": imports,
    "reference/schema.md": enable_shop,
}
"""What is there before a page, and before a chapter of it."""

ROLES = ("dana", "billing_web", "auditor", "nightly", "prometheus", "readlog")


def pages() -> list[str]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    texts = {page.relative_to(ROOT).as_posix(): page.read_text("utf-8") for page in found}
    return [name for name, text in texts.items() if re.search(rf"^```({'|'.join(RUNNABLE)})$", text, re.MULTILINE)]


def test_every_page_with_commands_is_run_by_some_test() -> None:
    known = {*RUN_BY, *PARSED, *(f"docs/{name}" for name in PLAYED)}
    assert set(pages()) == known
    assert [test for test in RUN_BY.values() if not (ROOT / test).exists()] == []


@pytest.mark.parametrize("page", PLAYED)
def test_a_block_that_is_never_run_says_why(page: str) -> None:
    reasons = [block.marks - {NEVER} for block in blocks(f"../{page}") if NEVER in block.marks]
    assert all(reasons)
    text = (FOLDER.parent / page).read_text("utf-8")
    assert len(re.findall(r"^```\w+$", text, re.MULTILINE)) == sum(bool(m["kind"]) for m in PIECE.finditer(text))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PLAYED)
def test_the_blocks_of_the_page_run_in_their_order(
    page: str,
    server: EmbeddedServer,
    db: str,
    conn: psycopg.Connection,
    role_names: list[str],
    auditctl: RunAuditctl,
    tmp_path: Path,
    update_golden: bool,
) -> None:
    require_programs(server, "psql", "pg_dump", "pg_restore")
    role_names += ROLES
    conn.execute(SHOP)
    name = str(conninfo_to_dict(db)["dbname"])
    places = {
        " shop ": f" {name} ",
        "--dbname=shop": f"--dbname={name}",
        "auditctl uninstall\n": "auditctl uninstall --yes\n",  # whoever reads the page answers
        "--yes-i-mean-it app": f"--yes --yes-i-mean-it {name}",
        "/srv/archive": str(tmp_path / "cold"),
        "/var/lib/audit-export": str(tmp_path),
    }
    dana = make_conninfo(db, user="dana")
    BEFORE.get(page, nothing)(conn, auditctl)
    console = Console(f"../{page}", server, dana, tmp_path, places, None, (*RUNNABLE, "toml"))
    reading, chapter = Reading(console, is_guarded=True, update=update_golden), ""
    for block in console.blocks:
        if block.chapter != chapter:
            chapter = block.chapter
            BEFORE.get(f"{page}#{chapter}", nothing)(conn, auditctl)
        if NEVER not in block.marks and not (block.kind == "console" and page in CONSOLES_ELSEWHERE):
            reading.run(block)
    with connect(db) as after:
        is_gone = after.execute("select where to_regnamespace('auditctl') is null").rowcount
        assert is_gone == (page == "how-to/uninstall.md")
