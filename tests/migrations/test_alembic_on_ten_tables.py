"""Ten tables with Alembic, forth, back and forth, as each kind of login: nothing differs after any step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, Date, Integer, Text

from tests.fixtures.databases import connect
from tests.migrations.logins import WHO, migrating
from tests.migrations.projects import Project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

PARTITION = "create table shop.visit_2026 partition of shop.visit for values from ('2026-01-01') to ('2027-01-01')"
MASKED = {"audit": {"mask": ["card"], "exclude": ["stamp"]}}


def declare(project: Project) -> None:
    for number in range(6):
        project.table(f"plain_{number}", "name", "card", "stamp", info=MASKED)
    project.table("Mixed Case", "My.Column", info={"audit": {"mask": ["My.Column"], "label": "Mixed: 100% 'case'"}})
    project.table("abroad", "name", schema="Other Shop", info={"audit": {"actions": ["delete"], "on_drop": "record"}})
    project.table("home", "name", schema=None, info={"audit": True})
    day = Column("day", Date, primary_key=True)
    project.table("visit", day, info={"audit": True}, postgresql_partition_by="range (day)")


def change(project: Project) -> None:
    project.table("plain_0", "name", "card", "stamp", "more", info=MASKED)
    project.table("plain_1", "name", "stamp", info={"audit": {"exclude": ["stamp"]}})
    project.table("plain_2", Column("name", Integer), "card", "stamp", info=MASKED)
    project.table("plain_3", "name", "card", "stamp", "pan", info={"audit": {"mask": ["card", "pan"]}})
    project.table("plain_4", "name", "card", "stamp")
    project.metadata.remove(project.metadata.tables["shop.plain_5"])
    project.table("new", "name", info={"audit": {"require_actor": True}})
    project.table("Mixed Case", Column("My.Column", Text), "new", info={"audit": {"mask": ["new"]}})


@pytest.mark.parametrize("who", WHO)
def test_ten_tables_are_audited_as_declared_after_every_step(
    request: pytest.FixtureRequest, login: MakeLogin, auditctl: RunAuditctl, tmp_path: Path, who: str
) -> None:
    mine, superuser = migrating(who, request, login)
    project = Project(tmp_path / "project", mine)

    def check(number: int) -> None:
        auditctl("check", dsn=superuser, check=0)
        with connect(superuser) as session:
            assert session.execute("select from auditctl.capture").rowcount == number

    declare(project)
    project.revise()
    for step, number in ((project.upgrade, 10), (project.downgrade, 0), (project.upgrade, 10)):
        step()
        check(number)
    project.check()
    change(project)
    text = project.revise()
    place = next((project.folder / "versions").glob("0002*"))
    # What autogenerate cannot know.
    retyped = text.replace("existing_nullable=True,", "existing_nullable=True, postgresql_using='0',", 1)
    place.write_text(retyped)
    for step, number in ((project.upgrade, 9), (project.downgrade, 10), (project.upgrade, 9)):
        step()
        check(number)
    project.check()
    project.write(
        "op.rename_table('plain_0', 'renamed', schema='shop');"
        "op.alter_column('renamed', 'card', new_column_name='pan', schema='shop');"
        f"op.execute({PARTITION!r})",
        "op.execute('drop table shop.visit_2026');"
        "op.alter_column('renamed', 'pan', new_column_name='card', schema='shop');"
        "op.rename_table('renamed', 'plain_0', schema='shop')",
    )
    for step in (project.upgrade, project.downgrade, project.upgrade):
        step()
        check(9)
    with connect(mine) as session:
        session.execute("insert into shop.renamed (id, pan) values (1, 'secret')")
        session.execute("insert into shop.visit values (1, '2026-05-05')")
    query = "select target, new_values::text from auditctl.event where target ~ '^shop' order by event_id"
    with connect(superuser) as session:
        assert session.execute(query).fetchall() == [
            ("shop.renamed", '{"id": 1, "pan": {"$masked": true}, "more": null, "name": null}'),
            ("shop.visit", '{"id": 1, "day": "2026-05-05"}'),
        ]
    project.downgrade("base")
    check(0)
