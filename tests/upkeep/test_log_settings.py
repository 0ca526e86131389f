"""The tables of new months are made as the log was set up, whatever the session of upkeep prefers."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest

from tests.fixtures.databases import NUMBERS, connect
from tests.support.retaining import fill, hold, keep, months, upkeep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

PLACES: LiteralString = """
    select c.relname::text, coalesce(s.spcname::text, '')
      from pg_class as c left join pg_tablespace as s on s.oid = c.reltablespace
     where c.oid = any (%s::regclass[])
        or c.oid in (select indexrelid from pg_index where indrelid = any (%s::regclass[]))
"""

SETTINGS: LiteralString = """
    select c.reloptions, t.reloptions, c.relreplident::text, c.relacl::text,
           (select array_agg(format('%%s %%s %%s %%s %%s', attname, coalesce(nullif(attstattarget::int, -1), 0),
                                    attoptions, attcompression, attstorage) order by attnum)
              from pg_attribute where attrelid = c.oid and attnum > 0),
           (select count(*) from pg_statistic_ext where stxrelid = c.oid), pg_get_userbyid(c.relowner)::text
      from pg_class as c left join pg_class as t on t.oid = c.reltoastrelid where c.oid = %s::regclass
"""


def settings(conn: psycopg.Connection, relation: str) -> Any:
    """What a DBA may have set on a table."""
    return conn.execute(SETTINGS, [relation]).fetchone()


@pytest.fixture
def spaces(server: EmbeddedServer, db: str) -> Iterator[list[str]]:
    """Two tablespaces, which the owner of the log may use; the first is for tables, the second for an index."""
    folder = Path(tempfile.mkdtemp())
    names = []
    with connect(db) as conn:
        owner = os.stat(conn.execute("show data_directory").fetchone()[0])  # type: ignore[index]  # noqa: PTH116
        for _ in range(2):
            names.append(f"space_{next(NUMBERS)}")
            place = folder / names[-1]
            place.mkdir()
            for path in (folder, place):
                os.chown(path, owner.st_uid, owner.st_gid)
            conn.execute(f"create tablespace {names[-1]} location '{place}'".encode())
            conn.execute(f"grant create on tablespace {names[-1]} to auditctl_owner".encode())
    yield names
    with connect(db) as conn:
        for name in names:
            for kind in ("table", "index"):
                conn.execute(f"alter {kind} all in tablespace {name} set tablespace pg_default".encode())
            conn.execute(b"alter table auditctl.event set tablespace pg_default")
            conn.execute("alter index auditctl.event_summary_idx set tablespace pg_default")
        for name in names:
            conn.execute(f"drop tablespace {name}".encode())
    shutil.rmtree(folder)


def places(conn: psycopg.Connection, *relations: str) -> dict[str, str]:
    """The tablespaces of tables and their indexes; empty for the database's own."""
    return dict(conn.execute(PLACES, [list(relations), list(relations)]).fetchall())


def test_months_and_their_indexes_are_made_in_the_tablespaces_of_the_log(
    db: str, conn: psycopg.Connection, spaces: list[str], auditctl: RunAuditctl
) -> None:
    conn.execute(f"alter table auditctl.event set tablespace {spaces[0]}".encode())
    conn.execute(f"alter index auditctl.event_summary_idx set tablespace {spaces[1]}".encode())
    conn.execute(f"alter role postgres set default_tablespace = {spaces[1]}".encode())
    try:
        fill(conn, "2001-02-03", "shop.order")
        conn.execute("drop table auditctl.event_2027_02; drop table auditctl.event_2027_01")
        auditctl("maintain", check=0)
        months(conn, "2030-01-01", "2030-01-01")
        for month in ("2001_02", "2027_01", "2027_02", "2030_01"):
            found = places(conn, f"auditctl.event_{month}")
            assert found.pop(f"event_{month}") == spaces[0]
            assert found.pop(f"event_{month}_summary_idx") == spaces[1]
            assert set(found.values()) == {""}
        assert set(places(conn, "auditctl.event_default").values()) == {""}
    finally:
        conn.execute("alter role postgres reset default_tablespace")


def test_what_replaces_an_expired_month_is_where_that_was_and_has_its_settings(
    db: str, conn: psycopg.Connection, spaces: list[str]
) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-10", "billing.customer")
    conn.execute(f"alter table auditctl.event_2020_01 set tablespace {spaces[0]}".encode())
    conn.execute(f"alter index auditctl.event_2020_01_pkey set tablespace {spaces[1]}".encode())
    conn.execute("alter table auditctl.event_2020_01 set (fillfactor = 55, toast.autovacuum_enabled = off)")
    conn.execute("alter table auditctl.event_2020_01 replica identity using index event_2020_01_pkey")
    conn.execute("grant select on auditctl.event_2020_01 to public")
    conn.execute("create index own on auditctl.event_2020_01 (db_user)")
    before = places(conn, "auditctl.event_2020_01"), settings(conn, "auditctl.event_2020_01")
    keep(conn, "*", "400 days")
    hold(conn, "billing.customer", "3")
    assert [step["kept"] for step in upkeep(db)] == [1]
    after = places(conn, "auditctl.event_2020_01"), settings(conn, "auditctl.event_2020_01")
    assert after[1] == before[1]
    assert sorted(after[0].values()) == sorted(before[0].values())


def test_a_new_month_has_the_settings_of_the_log_and_of_the_default_partition(
    db: str, conn: psycopg.Connection
) -> None:
    conn.execute("""
        alter table auditctl.event alter target set statistics 777;
        alter table auditctl.event alter actor set (n_distinct = -0.5);
        alter table auditctl.event alter new_values set storage external, replica identity full;
        create statistics auditctl.own on target, action from auditctl.event;
        alter table auditctl.event_default set (
            fillfactor = 60, autovacuum_vacuum_scale_factor = 0.01, toast.autovacuum_enabled = off
        );
        grant select on auditctl.event_default to public;
        set default_table_access_method = 'heap'
    """)
    if conn.info.server_version >= 140000:
        conn.execute("alter table auditctl.event alter context set compression pglz")
    months(conn, "2030-01-01", "2030-01-01")
    options, toast, identity, privileges, columns, statistics, owner = settings(conn, "auditctl.event_2030_01")
    assert options == ["fillfactor=60", "autovacuum_vacuum_scale_factor=0.01"]
    assert toast == ["autovacuum_enabled=off"]
    assert (identity, statistics, owner) == ("f", 1, "auditctl_owner")
    assert "=r/auditctl_owner" in privileges
    assert columns == settings(conn, "auditctl.event")[4]
    fill(conn, "2001-02-03", "shop.order")
    before = settings(conn, "auditctl.event_default")
    upkeep(db)
    assert settings(conn, "auditctl.event_default") == before


def test_a_tablespace_that_the_owner_may_not_use_is_named_with_what_to_do(
    conn: psycopg.Connection, spaces: list[str], auditctl: RunAuditctl
) -> None:
    conn.execute(f"revoke create on tablespace {spaces[0]} from auditctl_owner".encode())
    conn.execute(f"alter table auditctl.event set tablespace {spaces[0]}".encode())
    conn.execute("drop table auditctl.event_2027_02")
    refused = auditctl("maintain", check=5)
    assert refused.err == (
        f"error: auditctl.event_2027_02: permission denied for tablespace {spaces[0]}\n"
        "hint: Months are made where the log is. As superuser: grant create on tablespace NAME to auditctl_owner\n"
    )
