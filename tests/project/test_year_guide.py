"""The guide that goes through a year: every block of it is run, as a superuser and on a managed service.

`pytest tests/project/test_year_guide.py --update-golden` writes the output into the page.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pytest
from psycopg.conninfo import make_conninfo

from auditctl.demo.process import choose_account
from auditctl.demo.server import EmbeddedServer
from tests.fixtures.databases import connect
from tests.fixtures.server import in_memory
from tests.support import next_version, retaining
from tests.support.dumps import require_programs
from tests.support.guide import FOLDER, GUARDED, UNGUARDED, Console, Reading, blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = "a-year.md"
KINDS = ("sh", "sql", "toml", "console")
VOLUME_BYTES = 300 << 20
LEFT_BYTES = 1 << 20
"""How much space the ballast leaves."""

ROLES: LiteralString = """
    create role ada login; create role rita login; create role billing_owner login; create role billing_web login
"""
TABLES: LiteralString = """
    create schema billing authorization billing_owner; set role billing_owner;
    create table billing.customer (id int primary key, name text not null, card_number text);
    create table billing.invoice (id int primary key, customer_id int references billing.customer, amount numeric);
    create table billing.cart (id int primary key, customer_id int references billing.customer);
    create table billing.import (line text);
    grant usage on schema billing to billing_web;
    grant select, insert, update, delete on all tables in schema billing to billing_web;
    reset role
"""
MONTH: LiteralString = """
    select to_char(date_trunc('month', current_timestamp at time zone 'UTC') - %s * interval '1 month', 'YYYY-MM-DD')
"""
UPGRADE = (
    ("record_update", "record_change"),
    ("update auditctl.capture_change set changed_at =", "update auditctl.capture_change set changed_on ="),
)
PROGRAM = """#!{python}
import sys
import tempfile
from pathlib import Path
from auditctl import names, resources
if Path({upgraded!r}).exists() and "older" not in sys.argv[0]:
    names.STORE_REVISION, resources._PACKAGE = {revision!r}, Path({package!r})
from auditctl.cli.main import main
main()
"""


def script(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def make_programs(folder: Path) -> Path:
    """Return a folder with an `auditctl` that is its next version once `pip` was run, and an older one beside it."""
    version = next_version.make(folder, UPGRADE)
    upgraded = folder / "upgraded"
    text = PROGRAM.format(
        python=sys.executable,
        upgraded=str(upgraded),
        revision=next_version.REVISION,
        package=str(version.folder / "auditctl"),
    )
    script(folder / "bin" / "auditctl", text)
    script(folder / "older" / "auditctl", text)
    script(folder / "bin" / "pip", f"#!/bin/sh\ntouch {upgraded}\n")
    return folder / "bin"


@contextmanager
def small_volume() -> Iterator[Path | None]:
    """A file system that is soon full, for the data of a server; None where this process may not mount one."""
    with tempfile.TemporaryDirectory() as name, _mounted(Path(name)) as folder:
        yield folder


@contextmanager
def _mounted(folder: Path) -> Iterator[Path | None]:
    command = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_BYTES}", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode != 0:
        yield None
        return
    try:
        choose_account().own(folder)
        folder.chmod(0o755)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class SmallServer(EmbeddedServer):
    """A server whose data are on the small volume, and whose write-ahead log is beside it."""

    volume: Path | None = None

    def _make_data(self) -> None:
        super()._make_data()
        if self.volume is None:
            return
        place = self.volume / "data"
        shutil.move(self.data / "base", place)
        (self.data / "base").symlink_to(place)
        self._account.own(place)


class Year:
    """What happens between the chapters."""

    def __init__(self, dsn: str, volume: Path | None) -> None:
        self._dsn, self._volume = dsn, volume

    def month(self, ago: int) -> str:
        """Return the first day of a month."""
        with connect(self._dsn) as conn:
            row = conn.execute(MONTH, [ago]).fetchone()
            assert row is not None
            return str(row[0])

    def before(self, chapter: str) -> None:
        """Let happen what a chapter begins with."""
        happens: dict[str, Callable[[], None]] = {
            "Retention": self._pass_months, "A week later": self._pass_a_week, "A full disk": self._fill
        }  # fmt: skip
        happens.get(chapter, lambda: None)()

    def _pass_months(self) -> None:
        with connect(self._dsn) as conn:
            retaining.months(conn, self.month(9), self.month(1))
            for ago in range(9, 0, -1):
                retaining.fill(conn, self.month(ago), "billing.customer", 20)
                retaining.fill(conn, self.month(ago), "billing.invoice", 20)

    def _pass_a_week(self) -> None:
        with connect(self._dsn) as conn:
            conn.execute(retaining.LONG_AGO)

    def _fill(self) -> None:
        """Fill the disk, with a month that has expired meanwhile."""
        assert self._volume is not None
        with connect(self._dsn) as conn:
            retaining.months(conn, self.month(10), self.month(10))
            retaining.fill(conn, self.month(10), "billing.customer", 700)
            conn.execute("checkpoint")
        free = shutil.disk_usage(self._volume).free
        subprocess.run(["fallocate", "-l", str(free - LEFT_BYTES), self._volume / "ballast"], check=True)


def test_every_block_of_the_guide_is_run() -> None:
    found = blocks(PAGE)
    assert {block.kind for block in found} <= set(KINDS)
    for block in found:
        assert all(mark in (GUARDED, UNGUARDED) or mark.startswith(("exit ", "file ")) for mark in block.marks), block
        assert block.kind != "console" or block.commands, block
    whole = (FOLDER / PAGE).read_text("utf-8")
    assert whole.count("```") == 2 * len(found)
    assert whole.count("<!--") == sum(bool(block.marks) for block in found)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_guarded", [True, False], ids=["superuser", "managed"])
def test_the_guide_does_what_it_says(
    server: EmbeddedServer, tmp_path: Path, is_guarded: bool, update_golden: bool
) -> None:
    require_programs(server, "psql")
    with ExitStack() as stack:
        volume = stack.enter_context(small_volume())
        own = SmallServer(server.bindir)
        own.volume, own._settings = volume, {}
        with in_memory():
            stack.enter_context(own)
        with connect(own.dsn()) as conn:
            conn.execute(ROLES)
            if is_guarded:
                conn.execute("create database shop")
            else:
                conn.execute("create role dana login createrole createdb")
                conn.execute("create database shop owner dana")
        dsn = own.dsn("shop")
        with connect(dsn) as conn:
            conn.execute(TABLES)
            if not is_guarded:
                conn.execute("grant billing_owner to dana")
        year, folder = Year(dsn, volume), tmp_path / "work"
        folder.mkdir()
        places = make_places(folder, own, volume, year)
        login = dsn if is_guarded else make_conninfo(dsn, user="dana")
        console = Console(PAGE, own, login, folder, places, make_programs(tmp_path), KINDS)
        reading, chapter = Reading(console, is_guarded=is_guarded, update=update_golden), ""
        for block in console.blocks:
            if block.chapter == "A full disk" and volume is None:
                continue  # only root may mount one
            if block.chapter != chapter:
                year.before(chapter := block.chapter)
            reading.run(block)
        with connect(dsn) as conn:
            assert not conn.execute("select from pg_namespace where nspname ^@ 'auditctl'").rowcount
        assert (folder / "log.jsonl").read_text().count("\n") > 300


def make_places(folder: Path, server: EmbeddedServer, volume: Path | None, year: Year) -> dict[str, str]:
    """Return what stands here for places and months of the page."""
    archive = server.folder / "archive"
    archive.mkdir()
    choose_account().own(archive)
    first, later = year.month(3), year.month(2)
    return {
        "export AUDITCTL_DSN=dbname=shop PGDATABASE=shop": "true",
        "'dbname=shop user=": "'user=",
        "/var/lib/postgresql/": f"{volume or folder}/",
        "/mnt/archive": str(archive),
        "/mnt/backup": str(folder),
        "older/auditctl": str(folder.parent / "older" / "auditctl"),
        "event_2026_06": f"event_{first[:7].replace('-', '_')}",
        "2026-07-01": later,
    }
