"""Revisions as projects have them: async drivers, many steps in one, failures in the middle, rules changed by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import DBAPIError

from auditctl.actions import Action
from auditctl.capture import rule_store
from auditctl.errors import ConfigurationError, DatabaseError
from tests.fixtures.databases import GUARD_OFF

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.migrations.projects import Project

pytestmark = pytest.mark.slow

ASYNC = """
import asyncio
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine

import auditctl.integrations.alembic

config = context.config

def migrate(connection):
    metadata = config.attributes["metadata"]
    context.configure(connection=connection, target_metadata=metadata, include_schemas=True)
    with context.begin_transaction():
        context.run_migrations()

async def run():
    url = config.attributes["url"].set(drivername=DRIVER)
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()

asyncio.run(run())
"""

MANY_STEPS = """
    op.create_table('a', sa.Column('id', sa.Integer, primary_key=True), sa.Column('card', sa.Text), schema='shop')
    op.audit_table('shop.a', mask=['card'], label='B')
    op.rename_table('a', 'b', schema='shop')
    op.alter_column('b', 'card', new_column_name='pan', schema='shop')
    op.audit_table('b', schema='shop', mask=['pan'], label='B')
    op.add_column('b', sa.Column('n', sa.Integer), schema='shop')
"""
MANY_STEPS_BACK = """
    op.unaudit_table('shop.b')
    op.drop_table('b', schema='shop')
"""
BLOCK = """
    with op.get_context().autocommit_block():
        op.execute('create unique index concurrently b_n on shop.b (n)')
    op.audit_table('shop.b', actions=['update'])
"""


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_revisions_run_through_an_async_engine(project: Project, auditctl: RunAuditctl, driver: str) -> None:
    (project.folder / "env.py").write_text(ASYNC.replace("DRIVER", repr(f"postgresql+{driver}")))
    project.options.clear()
    project.table("thing", "card", info={"audit": {"mask": ["card"], "label": "100%: :x"}})
    project.revise()
    project.upgrade()
    project.check()
    project.downgrade()
    project.upgrade()
    auditctl("check", check=0)
    project.write("op.audit_table('shop.thing', mask=['crad'])")
    with pytest.raises(ConfigurationError) as raised:
        project.upgrade()
    assert str(raised.value) == "shop.thing has no column crad"
    assert raised.value.hint == "Its columns are: id, card"


@pytest.mark.parametrize("is_guarded", [True, False])
def test_many_steps_in_one_revision_and_failures_in_the_middle(
    conn: psycopg.Connection, project: Project, auditctl: RunAuditctl, is_guarded: bool
) -> None:
    if not is_guarded:
        conn.execute(GUARD_OFF)
    project.options["transaction_per_migration"] = True
    project.write(MANY_STEPS, MANY_STEPS_BACK)
    for step in (project.upgrade, project.downgrade, project.upgrade):
        step()
        auditctl("check", check=0)
    (rule,) = rule_store.read(conn)
    assert (rule.name, rule.mask, rule.label) == ("shop.b", ("pan",), "B")
    project.write("op.audit_table('shop.b', actions=['delete'])", "op.audit_table('shop.b', mask=['pan'])")
    project.write("op.audit_table('shop.b', actions=['update']); op.execute('select 1/0')")
    with pytest.raises(DBAPIError, match="division by zero"):
        project.upgrade()
    assert [rule.actions for rule in rule_store.read(conn)] == [(Action.DELETE,)]
    auditctl("check", check=0)
    project.rewrite(3, BLOCK, "op.execute('drop index shop.b_n')")
    project.upgrade()
    auditctl("check", check=0)
    project.downgrade()
    auditctl("check", check=0)
    project.rewrite(3, "op.drop_table('b', schema='shop')")
    if is_guarded:
        with pytest.raises(DBAPIError, match=r"refused: shop\.b is audited"):
            project.upgrade()
        auditctl("check", check=0)


def test_a_downgrade_goes_over_rules_that_were_changed_by_hand(
    conn: psycopg.Connection, project: Project, auditctl: RunAuditctl
) -> None:
    project.table("thing", "card", info={"audit": {"mask": ["card"]}})
    project.revise()
    project.upgrade()
    auditctl("disable", "shop.thing", check=0)
    project.downgrade()
    project.upgrade()
    auditctl("enable", "shop.thing", "--actions", "delete", "--uncover", check=0)
    project.downgrade()
    assert rule_store.read(conn) == ()
    auditctl("check", check=0)


def refused(project: Project, revision: str) -> DatabaseError:
    """The error of a revision; it is not there afterwards."""
    project.write(revision)
    with pytest.raises(DatabaseError) as raised:
        project.upgrade()
    project.revisions -= 1
    (project.folder / "versions" / f"{project.revisions + 1:04}.py").unlink()
    return raised.value


def test_what_an_administrator_may_not_change_stays(
    conn: psycopg.Connection, project: Project, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    project.table("one", info={"audit": True})
    project.table("other")
    project.revise()
    project.upgrade()
    (tmp_path / "audit.toml").write_text('[admin]\ntables = ["shop.one"]\n[[table]]\nname = "shop.one"\n')
    auditctl("apply", tmp_path / "audit.toml", check=0)
    for table in ("shop.other", "shop.*"):
        assert str(refused(project, f"op.audit_table('{table}')")) == (
            f"{table} is not among the tables that administrators may change"
        )
    error = refused(project, "op.audit_table('shop.one', actions=['read', 'update'])")
    assert "may not begin or end the recording of reads of shop.one" in str(error)
    conn.execute(f"revoke auditctl_admin from {project.login}".encode())
    # Without the role, revisions about other things go on as before.
    project.table("one", "more")
    project.table("other").info.clear()
    project.revise()
    project.upgrade()
    auditctl("check", check=0)
    assert refused(project, "op.unaudit_table('shop.one')").hint == "Ask the DBA for: auditctl grant admin LOGIN"


def test_tables_that_filters_or_others_answer_for_are_left_alone(project: Project, auditctl: RunAuditctl) -> None:
    def include(_object: Any, name: str, *_: Any) -> bool:
        return name != "filtered"

    project.options["include_object"] = include
    project.table("filtered", info={"audit": True})
    project.table("others", info={"audit": None})
    project.table("mine", info={"audit": True})
    text = project.revise()
    assert text.count("op.audit_table(") == 1
    project.upgrade()
    auditctl("enable", "shop.others", check=0)
    auditctl("enable", "shop.alembic_version", check=0)
    project.check()
