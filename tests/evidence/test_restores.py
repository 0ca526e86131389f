"""Restores for real: verification says where the log was set back, sealing refuses, and a fork is recorded."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from auditctl import adoption
from auditctl.demo.server import EmbeddedServer
from auditctl.names import GRANTABLE_ROLES, ROLE_OWNER
from tests.fixtures.databases import connect
from tests.support import dumps
from tests.support.standby import RestorableServer, Standby

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

FOLLOWED = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"


class Site:
    """A database with a sealed log, and the folder with the key and the anchors of the person who seals it."""

    def __init__(self, dsn: str, folder: Path, auditctl: RunAuditctl) -> None:
        self.dsn, self.folder, self._auditctl = dsn, folder, auditctl

    def run(self, *args: str | Path, check: int = 0) -> str:
        done = self._auditctl(*args, dsn=self.dsn, check=check)
        return done.out + done.err

    def write(self) -> None:
        with connect(self.dsn) as conn:
            conn.execute("insert into item select from generate_series(1, 10)")

    def seal(self, *args: str, check: int = 0) -> str:
        return self.run("seal", "--key", self.folder / "seal.key", *args, check=check)

    def anchor(self) -> None:
        self.run("checkpoint", "--output", self.folder / "anchors")

    def verify(self, check: int = 0) -> dict[str, Any]:
        """What `verify` prints with the public key and all anchors."""
        keys = ("--public-key", self.folder / "seal.key.pub", "--checkpoint", self.folder / "anchors")
        done = self._auditctl("verify", *keys, "--format", "json", dsn=self.dsn, check=check)
        document: dict[str, Any] = json.loads(done.out)
        return document

    def at(self, dsn: str, folder: Path) -> Site:
        """The same key, with its checkpoint and anchors, at another database."""
        shutil.copytree(self.folder, folder)
        return Site(dsn, folder, self._auditctl)

    def grow(self) -> None:
        """Write and seal twice, then anchor."""
        for _ in range(2):
            self.write()
            self.seal()
        self.anchor()


def begin(dsn: str, folder: Path, auditctl: RunAuditctl) -> Site:
    site = Site(dsn, folder, auditctl)
    folder.mkdir()
    (folder / "anchors").mkdir()
    site.run("install")
    with connect(dsn) as conn:
        conn.execute("create table item (id bigint generated always as identity primary key)")
    site.run("enable", "item")
    site.run("keygen", "--output", folder / "seal.key", "--name", "example.com/log")
    site.grow()
    return site


def assert_a_fork_is_found_refused_and_recorded(site: Site, agreed: int) -> None:
    """What becomes of a log that lacks blocks: anchors agree with it up to so many leaves."""
    findings = site.verify(check=3)["findings"]
    assert {one["kind"] for one in findings} == {"rolled_back"}
    assert all(f"they agree up to {agreed} leaves (block 2)" in one["sentence"] for one in findings)
    site.write()
    refused = site.seal(check=3)
    assert "the log forked since it was last sealed with this key" in refused
    assert "--continue-from-fork" in refused
    site.seal("--continue-from-fork", "--reason", "restored the copy of Monday")
    document = site.verify()
    assert document["findings"] == []
    assert document["unsealed"] == 0
    notes = "\n".join(document["notes"])
    assert "block 3 continues from a fork" in notes
    assert "restored the copy of Monday" in notes
    site.write()
    assert "Block 4" in site.seal()
    assert site.verify()["findings"] == []


def tree_size(site: Site) -> int:
    return int(site.verify()["tree_size"])


def test_older_copy_of_the_data_directory_is_found_refused_and_recorded(
    server: EmbeddedServer, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    with RestorableServer(server.bindir) as one:
        site = begin(one.dsn(), tmp_path / "site", auditctl)
        agreed = tree_size(site)
        one.back_up()
        site.write()
        site.seal()
        between = tmp_path / "between"
        site.run("checkpoint", "--output", between)
        site.grow()
        one.restore()
        assert_a_fork_is_found_refused_and_recorded(site, agreed)
        unknown = site.run("verify", "--checkpoint", between, check=3)
        assert "if it was made before the fork of block 3, it may be of the log that was left then" in unknown


def test_promoted_standby_goes_on_and_one_that_lost_transactions_is_a_fork(
    server: EmbeddedServer, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    with EmbeddedServer(server.bindir, settings={"wal_level": "replica", "max_wal_senders": "4"}, tcp=True) as primary:
        site = begin(primary.dsn(), tmp_path / "site", auditctl)
        agreed = tree_size(site)
        with Standby(primary) as late, Standby(primary) as whole:
            with connect(late.dsn()) as conn:
                conn.execute("alter system set primary_conninfo = ''")
                conn.execute("select pg_reload_conf()")
                wait_for(conn, "select not exists (select from pg_stat_wal_receiver)")
            site.grow()
            with connect(primary.dsn()) as conn:
                (end,) = conn.execute("select pg_current_wal_lsn()::text").fetchone() or ("",)
                conn.execute("checkpoint")  # a record after it, so that the standby gets there
            with connect(whole.dsn()) as conn:
                wait_for(conn, FOLLOWED, end)
                promoted = site.at(whole.dsn(), tmp_path / "whole")
                assert promoted.verify()["findings"] == [], "on a standby"
                conn.execute("select pg_promote()")
            promoted.grow()
            document = promoted.verify()
            assert (document["findings"], document["blocks"]) == ([], 6)
            with connect(late.dsn()) as conn:
                conn.execute("select pg_promote()")
            assert_a_fork_is_found_refused_and_recorded(site.at(late.dsn(), tmp_path / "late"), agreed)


def test_older_dump_that_is_loaded_elsewhere_is_adopted_and_its_fork_recorded(
    server: EmbeddedServer, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    with EmbeddedServer(server.bindir) as first, EmbeddedServer(server.bindir) as second:
        site = begin(first.dsn(), tmp_path / "site", auditctl)
        agreed = tree_size(site)
        archive = tmp_path / "dump"
        dumps.dump(first, first.dsn(), "-Fc", "--file", archive)
        site.grow()
        with connect(second.dsn()) as conn:
            for role in (*GRANTABLE_ROLES.values(), ROLE_OWNER):
                conn.execute(f"create role {role}".encode())
        dumps.restore(second, second.dsn(), archive)
        elsewhere = site.at(second.dsn(), tmp_path / "elsewhere")
        assert "auditctl adopt" in elsewhere.seal(check=3)
        adoption.adopt(second.dsn())
        assert_a_fork_is_found_refused_and_recorded(elsewhere, agreed)
        assert any("is the first after a restore" in sentence for sentence in elsewhere.verify()["notes"])
        with connect(second.dsn()) as conn:
            conn.execute("drop event trigger auditctl_guard_ddl; drop event trigger auditctl_guard_drop")
            conn.execute(
                "delete from auditctl.rule; delete from auditctl.capture; drop trigger auditctl_update on item"
            )
            conn.execute("create database again")
        dumps.dump(second, second.dsn(), "-Fc", "--file", archive)
        dumps.restore(second, second.dsn("again"), archive)
        again = elsewhere.at(second.dsn("again"), tmp_path / "again")
        adoption.adopt(again.dsn)
        again.seal()
        found = [finding["sentence"] for finding in again.verify(check=3)["findings"]]
        assert [sentence.partition(":")[0] for sentence in found] == ["trigger auditctl_update on public.item"]


def wait_for(conn: Any, query: str, *parameters: str) -> None:
    """Wait until a query returns true."""
    while conn.execute(query.encode(), parameters).fetchone() != (True,):
        conn.execute("select pg_sleep(0.05)")
