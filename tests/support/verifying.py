"""A sealed log that a superuser attacks, and what verification finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from auditctl.evidence.sealing_keys import SealingKeys
from tests.fixtures.command import RunAuditctl
from tests.fixtures.databases import connect
from tests.support import sealing
from tests.support.capturing import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

DISABLE = """
    do $$
    declare
        t regclass;
    begin
        alter event trigger auditctl_guard_ddl disable;
        alter event trigger auditctl_guard_drop disable;
        for t in
            select c.oid from pg_class as c where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('r', 'p')
        loop
            execute format('alter table %s disable trigger user', t);
        end loop;
    end
    $$
"""
"""What an attacker does first; verification finds that as well."""

Found = tuple[str, int | None, str | None, int | None]


class Log(NamedTuple):
    """A sealed log: its keys, and an open connection of a superuser for whom no guard holds."""

    dsn: str
    keys: SealingKeys
    conn: psycopg.Connection[Any]
    auditctl: RunAuditctl

    def verify(self, *args: str | Path, check: int = 3) -> dict[str, Any]:
        return self.verify_by("--public-key", f"{self.keys.keys.path}.pub", *args, check=check)

    def verify_by(self, *args: str | Path, check: int = 3) -> dict[str, Any]:
        """What `auditctl verify` prints, by the key or policy given."""
        done = self.auditctl("verify", *args, "--format", "json", check=check)
        document: dict[str, Any] = json.loads(done.out)
        return document

    def found(self, *args: str | Path) -> list[Found]:
        """What is found, but for the guards that the attacker switched off."""
        findings = self.verify(*args)["findings"]
        return [(f["kind"], f["event_id"], f["column"], f["block"]) for f in findings if f["kind"] != "capture"]

    def seal(self) -> None:
        sealing.seal(self.dsn, self.keys)

    def event(self, place: int) -> int:
        """The number of the n-th event of table item."""
        (number,) = self.conn.execute(
            "select event_id from auditctl.event where target = 'public.item' order by event_id offset %s limit 1",
            [place],
        ).fetchone() or (0,)
        return int(number)


def fill(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create table item (id int primary key, v text)")
    audit(dsn, "item")


@pytest.fixture(name="log")
def sealed_log(db: str, tmp_path: Path, auditctl: RunAuditctl) -> Iterator[Log]:
    """Three blocks: of 20, 1 and 10 events of table item, each with those of auditctl itself."""
    fill(db)
    keys = sealing.make_keys(tmp_path)
    with connect(db) as conn:
        conn.execute("insert into item select n, 'v' from generate_series(1, 20) as n")
        sealing.seal(db, keys)
        conn.execute("update item set v = 'w' where id = 3")
        sealing.seal(db, keys)
        conn.execute("delete from item where id <= 10")
        sealing.seal(db, keys)
        conn.execute(DISABLE)
        yield Log(db, keys, conn, auditctl)
