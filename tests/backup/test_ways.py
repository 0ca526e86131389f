"""Every way of backing up, restoring and cloning that docs/how-to/backup.md names, by PostgreSQL's own programs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from auditctl.actions import DEFAULT, Action
from auditctl.demo.process import end_process
from auditctl.demo.server import EmbeddedServer
from tests.fixtures.databases import connect, fresh_database
from tests.support import dumps
from tests.support.capturing import audit

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

SHOP = """
    create table customer (id integer primary key, name text, secret text);
    create table sale (id integer, shop text, primary key (id, shop)) partition by list (shop);
    create table sale_a partition of sale for values in ('a');
    create view shops as select distinct shop from sale
"""

EVERYTHING: LiteralString = """
    select event_id, occurred_at, target, target_id, action::text, old_values, new_values
      from auditctl.event where event_id <= %s order by event_id
"""


def events(conn: psycopg.Connection, before: int = 2**62) -> list[tuple[Any, ...]]:
    """All events up to a number."""
    return conn.execute(EVERYTHING, [before]).fetchall()


@pytest.fixture
def shop(db: str, conn: psycopg.Connection) -> int:
    """Audits a few tables and records some events; the number of the last."""
    conn.execute(SHOP)
    audit(db, "customer", mask=("secret",))
    audit(db, "sale")
    conn.execute("insert into customer values (1, 'ada', 'x'); update customer set name = 'bob', secret = 'y'")
    conn.execute("insert into sale values (1, 'a')")
    return int(events(conn)[-1][0])


def require_sound(dsn: str, auditctl: RunAuditctl) -> None:
    """Capture works, nothing leaks, and neither check nor doctor finds anything that a restore broke."""
    auditctl("check", dsn=dsn, check=0)
    with connect(dsn) as conn:
        conn.execute(
            "update customer set secret = 'z', name = 'eve'; insert into sale select max(id) + 1, 'a' from sale"
        )
        last = conn.execute(
            "select new_values from auditctl.event where target = 'public.customer' order by event_id desc limit 1"
        )
        assert last.fetchone() == ({"name": "eve", "secret": {"$masked": True}},)


ARCHIVES = [
    (("-Fc",), ()),
    (("-Fd",), ("-j", "2")),
    (("-Ft",), ()),
    (("-Fc",), ("--no-owner", "--no-acl")),
    (("-Fc", "--no-owner", "--no-acl"), ()),
    (("-Fc", "--inserts"), ("--single-transaction",)),
]
"""Options of pg_dump and of pg_restore."""


@pytest.mark.parametrize(("taken", "put"), ARCHIVES, ids=lambda options: " ".join(options) or "-")
def test_an_archive_is_whole(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, shop: int, auditctl: RunAuditctl,
    tmp_path: Path, taken: tuple[str, ...], put: tuple[str, ...],
) -> None:  # fmt: skip
    archive = tmp_path / "shop.dump"
    dumps.dump(server, db, *taken, "--file", archive)
    with fresh_database(server, "restored") as restored:
        dumps.restore(server, restored, archive, *put)
        with connect(restored) as copy:
            assert events(copy, shop) == events(conn, shop)


def test_an_archive_that_is_restored_section_by_section_is_whole(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, shop: int, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    archive = tmp_path / "shop.dump"
    dumps.dump(server, db, "-Fc", "--file", archive)
    with fresh_database(server, "restored") as restored:
        for section in ("pre-data", "data", "post-data"):
            dumps.restore(server, restored, archive, f"--section={section}")
        with connect(restored) as copy:
            assert events(copy) == events(conn)


def test_data_that_is_restored_after_the_whole_schema_is_recorded_again(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, shop: int
) -> None:
    with fresh_database(server, "restored") as restored:
        dumps.play(server, restored, dumps.dump(server, db, "--schema-only"))
        dumps.play(server, restored, dumps.dump(server, db, "--data-only"))
        with connect(restored) as copy:
            assert {event[:2] for event in events(conn)} < {event[:2] for event in events(copy)}
            again = [event[2:5] for event in events(copy) if event not in events(conn)]
            assert ("public.customer", "1", "CREATE") in again


def test_a_template_copy_is_whole(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, shop: int, auditctl: RunAuditctl
) -> None:
    whole = events(conn, shop)
    name = conn.info.dbname
    conn.close()
    with fresh_database(server, "copied", name) as copied, connect(copied) as copy:
        assert events(copy, shop) == whole


GUIDE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "backup.md"
(OF_CAPTURE,) = re.findall(r"grep -vE '([^']+)' > without-log", GUIDE.read_text("utf-8"))
"""What the guide leaves out of a copy for development."""


def test_a_copy_for_development_leaves_the_log_out_and_shows_all_rows(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, shop: int, login: MakeLogin, tmp_path: Path
) -> None:
    audit(db, "customer", actions=(*DEFAULT, Action.READ))
    conn.execute("create table auditctl_notes as select 'ours' as note")
    conn.execute("grant select on auditctl_notes, customer to public")
    archive, listed = tmp_path / "shop.dump", tmp_path / "without-log.list"
    dumps.dump(server, db, "-Fc", "--exclude-schema=auditctl*", "--file", archive)
    lines = dumps.run(server, "pg_restore", "--list", archive).stdout.splitlines()
    kept = [line for line in lines if re.search(OF_CAPTURE, line) is None]
    listed.write_text("\n".join(kept))
    with fresh_database(server, "development") as development:
        assert dumps.restore(server, development, archive, "--use-list", listed) == ""
        with connect(login("developer", dsn=development).dsn) as session:
            assert session.execute("select name from customer").fetchall() == [("bob",)]
            assert session.execute("select * from auditctl_notes").fetchall() == [("ours",)]
        with connect(development) as copy:
            copy.execute("insert into sale values (5, 'a'); alter table customer add column more text")
            assert copy.execute("select count(*) from pg_trigger where not tgisinternal").fetchone() == (0,)


class Copied(EmbeddedServer):
    """A server whose files pg_basebackup copied from another."""

    def __init__(self, original: EmbeddedServer) -> None:
        super().__init__(original.bindir, settings=original._settings, tcp=True)
        self._original = original

    def _make_data(self) -> None:
        where = ("-h", self._original.host, "-p", str(self._original.port), "-U", "postgres")
        self._finish([self.bindir / "pg_basebackup", *where, "-D", self.data, "-X", "stream", "-c", "fast"])

    def _finish(self, command: list[str | Path]) -> None:
        """Run a program to its end, which must be good."""
        self._run(command)
        assert self._process is not None
        assert self._process.wait(dumps.SECONDS) == 0, self._log_end()
        self._process = None


class Upgraded(Copied):
    """A server whose files pg_upgrade made from those of another, which it ends."""

    def _make_data(self) -> None:
        EmbeddedServer._make_data(self)
        old = self._original
        assert old._process is not None
        end_process(old._process)
        old._process = None
        folders = ("-b", self.bindir, "-B", self.bindir, "-d", old.data, "-D", self.data)
        self._finish([self.bindir / "pg_upgrade", *folders, "-U", "postgres"])


def test_a_copy_of_the_files_and_an_upgrade_are_whole(
    server: EmbeddedServer, conn: psycopg.Connection, shop: int, auditctl: RunAuditctl
) -> None:
    dumps.require_programs(server, "pg_basebackup", "pg_upgrade")
    whole, name = events(conn, shop), conn.info.dbname
    with Copied(server) as copied:
        with connect(copied.dsn(name)) as copy:
            assert events(copy, shop) == whole
        require_sound(copied.dsn(name), auditctl)
        with Upgraded(copied) as upgraded:
            with connect(upgraded.dsn(name)) as copy:
                assert events(copy, shop) == whole
            require_sound(upgraded.dsn(name), auditctl)


def test_a_dump_of_the_whole_server_is_whole(
    server: EmbeddedServer, conn: psycopg.Connection, shop: int, auditctl: RunAuditctl
) -> None:
    whole, name = events(conn, shop), conn.info.dbname
    everything = dumps.run(server, "pg_dumpall", "-d", server.dsn()).stdout
    with EmbeddedServer(server.bindir, tcp=True) as other:
        complaints = dumps.run(server, "psql", "-X", "-q", "-d", other.dsn(), script=everything).stderr.splitlines()
        assert [line for line in complaints if "ERROR" in line and 'role "postgres" already exists' not in line] == []
        with connect(other.dsn(name)) as copy:
            assert events(copy, shop) == whole
