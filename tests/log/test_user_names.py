"""Suggestions are names that the filters take, found by few probes of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl import database, resources
from auditctl.log import filter_values, user_names
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditctl.database import Connection
    from tests.fixtures.databases import MakeLogin


FETCHED = """
    select sum(pg_stat_get_xact_tuples_returned(indexrelid)) from pg_index where indrelid in (
        select relid from pg_partition_tree('auditctl.event')
    )
"""
"""How many entries of the log's indexes this transaction has read."""


@pytest.fixture
def log(db: str, login: MakeLogin) -> Iterator[Connection]:
    """A session of an auditor."""
    with database.connect(login("zz_auditor", roles=["auditctl_reader"]).dsn) as conn:
        yield conn


def actors(db: str, *names: str) -> None:
    with database.connect(db) as conn:
        record(conn, *(Recorded(actor=name) for name in names))


def test_actors_that_begin_so_are_suggested_once_each(db: str, log: Connection) -> None:
    actors(db, "alice", "alice", "alan", "bob")
    assert user_names.suggest(log, "al") == ["alan", "alice"]
    assert user_names.suggest(log, "alicex") == []


def test_case_makes_no_difference(db: str, log: Connection) -> None:
    actors(db, "alice", "Alan", "ALF")
    for prefix in ("al", "AL", "Al"):
        assert user_names.suggest(log, prefix) == ["Alan", "ALF", "alice"]


def test_logins_and_the_system_are_suggested_too(log: Connection) -> None:
    assert user_names.suggest(log, "ZZ_aud") == [log.info.user]
    assert user_names.suggest(log, "sys") == ["System"]
    assert "auditctl_reader" not in user_names.suggest(log, "audit_", limit=100)


def test_a_suggestion_means_to_the_filter_whom_it_names(db: str, log: Connection) -> None:
    actors(db, "System", "login:root", "actor:", "a:b")
    assert user_names.suggest(log, "sys") == ["actor:System", "System"]
    assert user_names.suggest(log, "login") == ["actor:login:root"]
    assert user_names.suggest(log, "actor") == ["actor:actor:"]
    assert user_names.suggest(log, "a:") == ["a:b"]
    assert filter_values.user("actor:login:root") == filter_values.User("login:root", as_login=False)


def test_what_is_typed_is_no_pattern(db: str, log: Connection) -> None:
    actors(db, "50%", "5000", "o'neill", "back\\slash", "o_x")
    assert user_names.suggest(log, "50%") == ["50%"]
    assert user_names.suggest(log, "o'") == ["o'neill"]
    assert user_names.suggest(log, "back\\") == ["back\\slash"]
    assert user_names.suggest(log, "o_") == ["o_x"]
    assert user_names.suggest(log, "\0") == user_names.suggest(log, "\ud800") == []


def test_few_of_many_are_suggested_by_few_probes(db: str, log: Connection) -> None:
    with database.connect(db) as conn:
        conn.execute(
            "insert into auditctl.event (actor, actor_kind, target, action)"
            " select 'u' || i, 'application', 't.t', 'EVENT' from generate_series(1, 20000) as i"
        )
        conn.execute("vacuum analyze auditctl.event")
    assert user_names.suggest(log, "u1", limit=3) == ["u1", "u10", "u100"]
    query = resources.sql_text("queries/actor.sql").encode()
    wanted = {"prefix": "u1", "start": "u1", "probes": user_names.PROBES, "limit": 20}
    with log.transaction():
        (before,) = log.execute(FETCHED).fetchone() or (0,)
        assert len(log.execute(query, wanted).fetchall()) == 20
        (after,) = log.execute(FETCHED).fetchone() or (0,)
    assert 0 < after - before < 500
