"""Rules in the migrations of Alembic: written by autogenerate, run both ways, and as a script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine

from auditctl.actions import DEFAULT, Action
from auditctl.capture import rule_store
from auditctl.capture.config import tables
from auditctl.capture.rule_keys import KEYS, Kind, Rule, RuleKey
from auditctl.errors import AuditctlError, ConfigurationError, StoreError, UsageError
from tests.fixtures.databases import connect
from tests.migrations.projects import Project, url

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


def rules(conn: psycopg.Connection) -> dict[str, Rule]:
    return {rule.name: rule for rule in rule_store.read(conn)}


def body(text: str, function: str) -> list[str]:
    """The operations that a revision has in a function."""
    after = text.split(f"def {function}():")[1].split("# ### end")[0]
    return [line.strip() for line in after.splitlines() if re.search(r"(audit|release)_table\(|_column\(", line)]


def test_models_declare_rules_that_revisions_state_and_restore(
    conn: psycopg.Connection, project: Project, auditctl: RunAuditctl
) -> None:
    project.table("customer", "name", "card", info={"audit": {"actions": ["update"], "mask": ["card"]}})
    project.table("invoice", info={"audit": True})
    project.table("visit")
    first = project.revise()
    assert body(first, "upgrade") == [
        "op.audit_table('shop.customer', actions=['update'], mask=['card'])",
        "op.audit_table('shop.invoice', actions=['create', 'update', 'delete', 'truncate'])",
    ]
    project.upgrade()
    project.check()
    auditctl("check", check=0)
    project.table("customer", "name", "pan", info={"audit": {"mask": ["pan"], "label": "Customer"}})
    project.table("invoice")
    second = project.revise()
    assert body(second, "upgrade") == [
        "op.unaudit_table('shop.invoice')",
        "op.add_column('customer', sa.Column('pan', sa.Text(), nullable=True), schema='shop')",
        "op.drop_column('customer', 'card', schema='shop')",
        "op.audit_table(",
    ]
    assert body(second, "downgrade")[-2:] == [
        "op.audit_table('shop.invoice', actions=['create', 'update', 'delete', 'truncate'])",
        "op.audit_table('shop.customer', actions=['update'], mask=['card'])",
    ]
    customer = Rule("shop.customer", DEFAULT, label="Customer", mask=("pan",))
    for _ in range(2):
        project.upgrade()
        assert rules(conn) == {"shop.customer": customer}
        project.check()
        auditctl("check", check=0)
        project.downgrade()
        assert rules(conn).keys() == {"shop.customer", "shop.invoice"}
        assert rules(conn)["shop.customer"] == Rule("shop.customer", (Action.UPDATE,), mask=("card",))
        auditctl("check", check=0)
    project.downgrade("base")
    assert rules(conn) == {}
    auditctl("check", check=0)


def test_alembic_check_sees_that_somebody_changed_a_rule(project: Project, auditctl: RunAuditctl) -> None:
    project.table("customer", "card", info={"audit": {"mask": ["card"]}})
    project.revise()
    project.upgrade()
    auditctl("enable", "shop.customer", "--uncover", check=0)
    with pytest.raises(CommandError, match=r"audit_table.*shop\.customer.*'mask': \['card'\]"):
        project.check()


def test_a_file_declares_globs_and_tables_in_its_order(
    conn: psycopg.Connection, project: Project, auditctl: RunAuditctl
) -> None:
    file = project.folder / "auditctl.toml"
    file.write_text("""
        [[table]]
        name = "shop.log_*"
        actions = []
        [[table]]
        name = "shop.*"
        exclude = ["stamp"]
        [[table]]
        name = "shop.b"
        actions = ["delete"]
    """)
    for name in ("a", "b", "log_a"):
        project.table(name, "stamp")
    text = project.revise()
    assert body(text, "upgrade") == [
        "op.audit_table('shop.*', actions=['create', 'update', 'delete', 'truncate'], exclude=['stamp'])",
        "op.audit_table('shop.log_*', before='shop.*', actions=[])",
        "op.audit_table('shop.b', actions=['delete'])",
    ]
    project.upgrade()
    project.check()
    auditctl("check", file, check=0)
    file.write_text('[[table]]\nname = "shop.a"')
    project.revise()
    project.upgrade()
    project.check()
    auditctl("check", file, check=0)
    project.downgrade()
    assert [*rules(conn)] == ["shop.log_*", "shop.*", "shop.b"]
    auditctl("check", check=0)
    project.downgrade()
    auditctl("check", check=0)


def test_a_table_that_a_revision_drops_is_no_longer_audited_or_released_before(
    conn: psycopg.Connection, project: Project, auditctl: RunAuditctl
) -> None:
    table = project.table("gone", "card", info={"audit": {"mask": ["card"]}})
    other = project.table("covered")
    project.revise()
    project.upgrade()
    auditctl("enable", "shop.c*", check=0)
    project.metadata.remove(table)
    project.metadata.remove(other)
    project.table("created")
    text = project.revise()
    assert body(text, "upgrade") == ["op.unaudit_table('shop.gone')", "op.release_table('shop.covered')"]
    assert body(text, "downgrade") == [
        "op.release_table('shop.created')",
        "op.audit_table('shop.gone', actions=['create', 'update', 'delete', 'truncate'], mask=['card'])",
    ]
    before = rules(conn)
    project.upgrade()
    project.check()
    auditctl("check", check=0)
    assert [*rules(conn)] == ["shop.c*"]
    project.downgrade()
    assert rules(conn) == before
    auditctl("disable", "shop.c*", check=0)
    project.upgrade()
    auditctl("check", check=0)


def test_the_script_of_a_revision_does_the_same(
    conn: psycopg.Connection, project: Project, auditctl: RunAuditctl
) -> None:
    label = "O'Neill: 100% \\o/ é :x"
    project.table("Cus.tomer", "name", "My Card", info={"audit": {"mask": ["My Card"], "label": label}})
    project.table("plain", info={"audit": {"require_actor": True}})
    project.revise()
    script = project.script()
    assert """select auditctl.audit_table('shop."Cus.tomer"',""" in script
    with connect(project.dsn) as session:
        session.execute("drop table shop.alembic_version")  # autogenerate made it
        session.execute(script.encode())
    assert rules(conn) == {
        'shop."Cus.tomer"': Rule('shop."Cus.tomer"', DEFAULT, label=label, mask=("My Card",)),
        "shop.plain": Rule("shop.plain", DEFAULT, require_actor=True),
    }
    project.check()
    auditctl("check", check=0)
    with connect(project.dsn) as session:
        session.execute(project.script_back("0001:base").encode())
    assert rules(conn) == {}
    project.upgrade()
    assert rules(conn)['shop."Cus.tomer"'].label == label


def stating(key: RuleKey) -> dict[str, Any]:
    values: dict[Kind, Any] = {Kind.COLUMNS: ["name"], Kind.TEXT: "Thing", Kind.CHOICE: key.choices[-1:]}
    values |= {Kind.SWITCH: not key.default, Kind.ACTIONS: ["update"], Kind.CHOICE: (key.choices or [None])[-1]}
    return {key.name: values[key.kind]}


def test_an_operation_has_every_key_of_a_rule(
    conn: psycopg.Connection, project: Project, auditctl: RunAuditctl
) -> None:
    engine = create_engine(url(project.dsn), poolclass=NullPool)
    with engine.connect() as connection:
        operations: Any = Operations(MigrationContext.configure(connection))
        operations.execute("create table shop.thing (name text)")
        for keys in (stating(key) for key in KEYS if key.needs is None):
            operations.audit_table("thing", schema="shop", **keys)
            connection.commit()
            assert rules(conn)["shop.thing"].row() == tables.stated("shop.thing", keys, "").row()
    auditctl("check", check=0)


@pytest.mark.parametrize(
    ("call", "error", "message", "hint"),
    [
        ("'shop.cat'", ConfigurationError, "there is no table shop.cat", "Create the table first"),
        ("'shop.thing', mask=['nane']", ConfigurationError, "shop.thing has no column nane", "Its columns are: name"),
        ("'shop.thing', maks=['name']", ConfigurationError, "maks: unknown key; did you mean mask?", ""),
        ("'shop.thing', mask='name'", ConfigurationError, "mask: must be a list of column names", ""),
        ("'a.b.c'", UsageError, "'a.b.c' is not a table name", "Write schema.table"),
    ],
)
def test_a_mistake_is_an_error_of_ours_with_a_hint_and_undoes_the_revision(
    conn: psycopg.Connection,
    project: Project,
    call: str,
    error: type[AuditctlError],
    message: str,
    hint: str,
) -> None:
    create = "op.create_table('thing', sa.Column('name', sa.Text()), schema='shop')"
    project.write(f"{create}; op.audit_table('shop.thing'); op.audit_table({call})")
    with pytest.raises(error) as raised:
        project.upgrade()
    assert message in str(raised.value)
    assert hint in raised.value.hint
    assert hint in "".join(getattr(raised.value, "__notes__", []))
    assert rules(conn) == {}
    assert conn.execute("select to_regclass('shop.thing')").fetchone() == (None,)


def test_a_database_without_a_store_is_named(empty_db: str, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", empty_db)
    project.table("thing", schema=None)
    project.revise()
    project.upgrade()
    project.check()
    project.table("thing", schema=None, info={"audit": True})
    with pytest.raises(StoreError) as raised:
        project.revise()
    assert raised.value.hint == "Run: auditctl install"
    project.revisions = 1
    project.write("op.audit_table('thing')")
    with pytest.raises(StoreError):
        project.upgrade()
    project.options["auditctl_required"] = False
    project.upgrade()


def test_a_table_without_a_schema_is_found_by_the_search_path(
    conn: psycopg.Connection, project: Project, auditctl: RunAuditctl
) -> None:
    project.table("Thing", schema=None, info={"audit": True})
    assert body(project.revise(), "upgrade") == [
        "op.audit_table('Thing', actions=['create', 'update', 'delete', 'truncate'])"
    ]
    project.upgrade()
    project.check()
    assert [*rules(conn)] == ["public.Thing"]
    project.downgrade()
    auditctl("check", check=0)
