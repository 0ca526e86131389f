"""The generated SQL, checked in to be reviewed as SQL; `make golden` rewrites it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from auditctl import database
from auditctl.actions import ACTIONS
from auditctl.capture import apply
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import connect

FOLDER = Path(__file__).parents[1] / "golden"

TABLES = {
    "plain": "create table shop.plain (id integer primary key, name text, price numeric)",
    "every_kind": """
        create type shop.mood as enum ('good', 'bad');
        create domain shop.amount as numeric(10, 2) check (value >= 0);
        create table shop.every_kind (
            id uuid, line smallint, note varchar(20), paid_at timestamptz, took interval, weight double precision,
            file bytea, exact json, loose jsonb, tags text[], mood shop.mood, total shop.amount, secret text,
            updated_at timestamptz, primary key (id, line)
        )""",
    "keyless": "create table shop.keyless (day date, amount integer)",
    "parted": """
        create table shop.parted (id text primary key, v integer) partition by hash (id);
        create table shop.parted_0 partition of shop.parted for values with (modulus 2, remainder 0);
        create table shop.parted_1 partition of shop.parted for values with (modulus 2, remainder 1)""",
    "odd": """create table shop."odd ""%s"" 'name'" ("Säule" integer primary key, "v'new" text, "100%" integer)""",
}

RULES: dict[str, dict[str, Any]] = {
    "every_kind": {"exclude": ("updated_at",), "mask": ("secret",), "require_actor": True, "require_reason": True},
    "keyless": {"key": ("day",)},
    "odd": {"name": 'shop."odd ""%s"" \'name\'"'},
}


@pytest.mark.parametrize("name", TABLES)
def test_the_plan_of_a_new_table_is_the_reviewed_sql_and_can_be_carried_out(
    name: str, db: str, update_golden: bool
) -> None:
    with connect(db) as conn:
        conn.execute("create schema shop")
        conn.execute(TABLES[name])
    options = {"name": f"shop.{name}"} | RULES.get(name, {})
    rule = Rule(actions=tuple(captured.action for captured in ACTIONS), **options)
    with database.connect(db) as conn:
        plan = apply.enable(conn, rule)
        again = apply.enable(conn, rule)
    script = "".join(f"{statement.sql};\n\n" for change in plan.changes for statement in change.statements)
    # Object ids of a table and of its columns' types differ from run to run.
    script = re.sub(r"has_shape\(([\w()]+), '\d+', (\w+), '\w+'\)", r"has_shape(\1, '...', \2, '...')", script)
    golden = FOLDER / f"{name}.sql"
    if update_golden:
        golden.write_text(script, encoding="utf-8")
    assert script == golden.read_text(encoding="utf-8")
    assert again.pending == ()


def test_every_captured_action_has_a_template_and_stands_in_every_golden() -> None:
    templates = Path(__file__).parents[2] / "sql" / "templates"
    for captured in ACTIONS:
        assert (templates / captured.template).is_file()
        for golden in FOLDER.glob("*.sql"):
            assert f'create trigger "{captured.trigger}" after {captured.statement}' in golden.read_text("utf-8")
    assert {golden.stem for golden in FOLDER.glob("*.sql")} == set(TABLES)
