"""Which statements may write, as far as their text tells; whatever it does not tell counts as one that does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditctl.integrations import statements
from auditctl.integrations.statements import ends_within, may_write, runs_alone, undoes_settings

READING = [
    "", "select 1", "-- x\nselect 1", "/* insert */ select 1", "SELECT * FROM t WHERE a = 'delete'", "table t",
    "select 'it''s', E'\\'' , \"delete\"", "select $a$ delete f() $a$", "select count(*) from t where a in (1, 2)",
    "select pg_catalog.lower(x) from t", "with x as (select 1) select * from x", "(select 1) union (select 2)",
    "select cast(a as numeric(10,2)) from t where exists (select 1 from u)", "fetch forward 10 from c", "begin",
    "commit",
    "SELECT t.a AS x, max(t.b) OVER (PARTITION BY t.c) FROM t LEFT OUTER JOIN u ON (t.id = u.id) LIMIT %(p_1)s",
    "show server_version", "savepoint a", "set local work_mem = '1MB'", "select a from t order by b limit $1",
]  # fmt: skip

WRITING = [
    "insert into t values (1)", "Update t set a = 1", "delete from t",
    "merge into t using s on true when matched then delete",
    "truncate t", "call p()", "do $$ begin end $$", "execute q", "copy t from stdin", "explain analyze delete from t",
    "select f()", "select other.lower(x)", 'select "f"(1)', 'select "lower"(1)', "select nextval('s')",
    "with x as (insert into t values (1) returning *) select * from x", "select * from t for update", "select 1 into t",
    "((insert into t values (1)))", "commit; delete from t", "select 1; select f ()", "select f\n(1)",
    "select f/* */(1)",
    "/* /* */ select */ delete from t", "select 'a\\'; delete from t; --'", "select 'open",
    "declare c cursor for select f()", "select 1; -- x\rdelete from t", "select f\u20ac(1)", "select lower\xa0(1)",
    "select log('x')", "select $\u20ac$ /* $\u20ac$; delete from t; select $\u20ac$ */ $\u20ac$",
    "create table x as select 1", "refresh materialized view m", "select set_config('a', 'b', true)", "vacuum t",
    "select (t).f from t", "select (row(1)) . f",
]  # fmt: skip


@pytest.mark.parametrize("statement", READING)
def test_what_only_reads_is_known(statement: str) -> None:
    assert not may_write(statement)


@pytest.mark.parametrize("statement", WRITING)
def test_what_may_write_is_known(statement: str) -> None:
    assert may_write(statement)


@given(st.sampled_from(READING), st.sampled_from(["insert into t values (1)", "select f(1)", "call p()"]))
def test_a_statement_that_writes_is_seen_after_any_other(first: str, second: str) -> None:
    assert may_write(f"{first};{second}")
    assert may_write(f"{first}\n;\n{second}")


@pytest.mark.parametrize(
    "statement", ["rollback to a", "COMMIT AND CHAIN", "select 1; rollback", "set auditctl.actor = 'x'", "call p()"]
)
def test_what_may_undo_settings_is_known(statement: str) -> None:
    assert undoes_settings(statement)
    assert not undoes_settings("select a from commits")


@pytest.mark.parametrize(
    "statement",
    [
        "update t set a = 1", "select case when a then b end from t", "update t set a = 1; update t set b = 2",
        "savepoint a", "release a",
        "create function f() returns int begin atomic select case 1 when 1 then 2 end; insert into t values (1); end",
    ],
)  # fmt: skip
def test_words_of_control_inside_a_statement_undo_nothing(statement: str) -> None:
    assert not undoes_settings(statement)
    assert not ends_within(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "begin; delete from t",
        "delete from t; commit;",
        "-- x\nrollback; delete from t",
        "create function f() returns int begin atomic select case when true then 1 end; select 2; end; commit",
    ],
)
def test_texts_that_end_a_transaction_within_are_known(statement: str) -> None:
    assert ends_within(statement)


def test_what_runs_alone_is_known_and_nothing_after_it_is_overlooked() -> None:
    for statement in (
        "vacuum t;",
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
        "create database d",
        "reindex table t",
    ):
        assert runs_alone(statement)
    for statement in ("cluster t; delete from t", "create table vacuum (a int)", "create index i on t (a)"):
        assert not runs_alone(statement)


def test_long_statements_are_told_apart_and_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = ", ".join(f"${number}" for number in range(1, 5000))
    reading = f"select a from t where a in ({values})"
    writing = f"select f(a) from t where a in ({values})"
    for _ in range(2):
        assert (may_write(reading), may_write(writing)) == (False, True)

    def fail(_statement: str) -> bool:
        raise AssertionError

    monkeypatch.setattr(statements._may_write, "__wrapped__", fail)
    assert (may_write(reading), may_write(writing)) == (False, True)
