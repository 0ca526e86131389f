"""A restored or copied store says so, harms nothing, and is made sound by `auditctl adopt`, in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg import sql

from auditctl import actor_sources, database
from auditctl.errors import PlaceError
from tests.fixtures.databases import (
    connect,
    create_database,
    drop_database,
    fetch_value,
    fresh_database,
    fresh_login,
    prepared,
)
from tests.support import dumps
from tests.support.capturing import audit, triggers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_postgresql.executors import NoopExecutor

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

TABLES: LiteralString = """
    create schema s;
    create table s.a (junk text, id integer primary key, secret text, pub text);
    alter table s.a drop column junk;
    create table s.p (id integer primary key, v text) partition by range (id);
    create table s.p1 partition of s.p for values from (0) to (100);
    create table s.parent (id integer primary key); create table s.child (w text) inherits (s.parent)
"""


def make_tables(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(TABLES)
    audit(dsn, "s.a", mask=("secret",))
    audit(dsn, "s.p", require_reason=True)
    audit(dsn, "s.parent")
    with connect(dsn) as conn:
        conn.execute("insert into s.a values (1, 'x', 'y')")
        sources = actor_sources.dump(actor_sources.parse(["request.jwt.claims:sub"]))
        conn.execute("select auditctl_internal.set_actor_sources(%s)", [sources])
        conn.execute("select auditctl_internal.write_claimed_actor()")
        conn.execute("select auditctl.place_hold('s.a', null, 'case 1'), auditctl.set_retention('s.p', '2 years')")
        conn.execute(
            "update auditctl.place set database = (select oid from pg_database where datname = "
            "current_database()), written_in = pg_current_xact_id()::xid"
        )


@pytest.fixture(scope="module")
def dumped(server: EmbeddedServer, template: NoopExecutor) -> Iterator[str]:
    """The name of a database with the tables above, audited, to be dumped and copied."""
    with prepared(server, template, make_tables) as name:
        yield name


def is_sound(auditctl: RunAuditctl, dsn: str) -> None:
    """Assert that a store is in its place and complete, and records what it should."""
    assert auditctl("check", dsn=dsn).code == 0
    assert auditctl("doctor", "--severity", "critical", dsn=dsn).code == 0
    with connect(dsn) as conn:
        conn.execute("insert into s.a values (7, 'x', 'y'); alter table s.a alter pub set statistics 10")
        conn.execute("insert into s.a values (8, 'x', 'y'); insert into s.child values (9, 'z')")
        assert conn.execute(
            "select new_values from auditctl.event where target in ('s.a', 's.parent') order by event_id desc limit 3"
        ).fetchall() == [
            ({"id": 9, "w": "z"},),
            ({"id": 8, "pub": "y", "secret": {"$masked": True}},),
            ({"id": 7, "pub": "y", "secret": {"$masked": True}},),
        ]
        with pytest.raises(psycopg.DatabaseError, match="is audited"):
            conn.execute("alter table s.a disable trigger auditctl_create")
        assert {state for _, _, state in triggers(conn)} == {"A"}
    assert fetch_value(dsn, "select count(*) from auditctl.place") == 1
    assert auditctl("adopt", dsn=dsn).out == ""


SHAPES: dict[str, tuple[str, ...]] = {
    "whole": (),
    "no-owner": ("--no-owner",),
    "no-acl": ("--no-acl",),
    "neither": ("--no-owner", "--no-acl"),
    "in sections": ("--section=pre-data", "--section=data", "--section=post-data"),
}


SILENCING: tuple[LiteralString, ...] = (
    "drop table s.a",
    "drop trigger auditctl_create on s.a",
    "alter table s.a disable trigger all",
    "alter table s.a enable trigger all",
    "create rule r as on insert to s.a do instead nothing",
)


@pytest.mark.parametrize(
    "shape", ["whole", *(pytest.param(shape, marks=pytest.mark.slow) for shape in SHAPES if shape != "whole")]
)
def test_a_restored_store_is_adopted_in_one_step(
    server: EmbeddedServer, dumped: str, auditctl: RunAuditctl, shape: str
) -> None:
    script = dumps.dump(server, server.dsn(dumped), *SHAPES[shape])
    with fresh_database(server, "restored") as dsn:
        dumps.play(server, dsn, script)
        for command in (("check",), ("doctor",), ("apply", "--yes"), ("enable", "s.a"), ("install",), ("maintain",)):
            refused = auditctl(*command, dsn=dsn)
            assert (command, refused.code) == (command, 3)
            assert "auditctl adopt" in refused.out + refused.err
        with connect(dsn) as conn:
            conn.execute(
                "create table s.other (id integer); grant select on s.a to public; comment on table s.a is 'x'"
            )
            conn.execute("create materialized view s.m as select 1 as x; refresh materialized view s.m")
            for silencing in SILENCING:
                with pytest.raises(psycopg.DatabaseError, match="refused"):
                    conn.execute(silencing)
        listed = auditctl("adopt", "--dry-run", dsn=dsn, check=0)
        assert auditctl("check", dsn=dsn).code == 3
        adopted = auditctl("adopt", "--reason", "restore test 'Ü'", dsn=dsn, check=0)
        assert adopted.out == listed.out
        assert "capture of s.a made anew" in adopted.out
        is_sound(auditctl, dsn)
        with connect(dsn) as conn:
            assert conn.execute(
                "select context ->> 'summary', context ->> 'reason' from auditctl.event "
                "where target = 'auditctl.store' order by event_id desc limit 1"
            ).fetchone() == ("store adopted: it was restored from a dump", "restore test 'Ü'")
            assert conn.execute("select reason from auditctl.hold").fetchall() == [("case 1",)]
            assert actor_sources.read(conn) == ("request.jwt.claims:sub",)
            sources = "select prosrc like '%claim(''request.jwt.claims''%' from pg_proc where proname = 'claimed_actor'"
            assert conn.execute(sources.encode()).fetchone() == (True,)
            assert conn.execute("select target from auditctl.retention order by 1").fetchall() == [("*",), ("s.p",)]


def test_after_a_restore_without_privileges_an_ordinary_login_may_run_ddl_but_not_silence_capture(
    server: EmbeddedServer, dumped: str, auditctl: RunAuditctl
) -> None:
    script = dumps.dump(server, server.dsn(dumped), "--no-acl")
    with fresh_database(server, "restored") as dsn, fresh_login(server, "developer") as name:
        dumps.play(server, dsn, script)
        with connect(dsn) as conn:
            conn.execute(
                sql.SQL("grant all on schema s to {0}; alter table s.a owner to {0}").format(sql.Identifier(name))
            )
            conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(name)))
            conn.execute("create table s.other (id integer); comment on table s.other is 'x'; drop table s.other")
            conn.execute("alter table s.a alter pub set statistics 10; create temporary table t (id integer)")
            for silencing in SILENCING[1:]:
                with pytest.raises(psycopg.DatabaseError, match="refused: this would silence capture"):
                    conn.execute(silencing)
            conn.execute("reset session authorization")
            conn.execute(
                sql.SQL("reassign owned by {0} to current_user; drop owned by {0}").format(sql.Identifier(name))
            )
        auditctl("adopt", dsn=dsn, check=0)
        is_sound(auditctl, dsn)


def test_a_copy_by_template_is_adopted(server: EmbeddedServer, dumped: str, auditctl: RunAuditctl) -> None:
    name = create_database(server, "copy", dumped)
    dsn = server.dsn(name)
    assert "is a copy of another database" in auditctl("check", dsn=dsn).err
    with pytest.raises(PlaceError), database.connect_store(dsn) as conn:
        conn.execute("select 'no_such_role'::regrole")
    auditctl("adopt", dsn=dsn, check=0)
    is_sound(auditctl, dsn)
    drop_database(server, name)


def test_the_schema_and_then_the_data_restore_retention_and_holds_as_they_were(
    server: EmbeddedServer, dumped: str, auditctl: RunAuditctl
) -> None:
    source = server.dsn(dumped)
    states: LiteralString = "select jsonb_agg(to_jsonb(r) order by r.target) from auditctl.retention as r"
    with fresh_database(server, "restored") as dsn:
        dumps.play(server, dsn, dumps.dump(server, source, "--schema-only"))
        dumps.play(server, dsn, dumps.dump(server, source, "--data-only"))
        assert fetch_value(dsn, states) == fetch_value(source, states)
        assert fetch_value(dsn, "select count(*) from auditctl.hold") == 1
        auditctl("adopt", dsn=dsn, check=0)
        is_sound(auditctl, dsn)
        assert fetch_value(dsn, "select count(*) - count(distinct event_id) from auditctl.event") == 0
        assert fetch_value(dsn, "select count(*) from auditctl.event where target = 'auditctl.rule'") == fetch_value(
            source, "select count(*) from auditctl.event where target = 'auditctl.rule'"
        )


@pytest.mark.parametrize("left_out", ["--schema-only", "--exclude-table-data=auditctl.*"])
def test_a_store_without_rows_is_adopted_and_takes_its_rules_from_a_file(
    server: EmbeddedServer, dumped: str, auditctl: RunAuditctl, left_out: str
) -> None:
    rules = auditctl("config", dsn=server.dsn(dumped), check=0).out
    with fresh_database(server, "restored") as dsn:
        dumps.play(server, dsn, dumps.dump(server, server.dsn(dumped), left_out))
        refused = auditctl("check", dsn=dsn)
        assert (refused.code, "auditctl adopt" in refused.err) == (3, True)
        adopted = auditctl("adopt", dsn=dsn, check=0)
        assert "no rule was restored for captured tables" in adopted.err
        assert fetch_value(dsn, "select count(*) from auditctl.log_key") == 1
        auditctl("apply", "-", "--yes", dsn=dsn, input=rules, check=0)
        is_sound(auditctl, dsn)
