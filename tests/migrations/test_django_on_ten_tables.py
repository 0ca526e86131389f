"""Ten tables with Django, forth, back and forth, as each kind of login: nothing differs after any step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.actions import DEFAULT, Action
from auditctl.capture import rule_store
from auditctl.capture.rule_keys import Rule
from tests.fixtures.databases import connect
from tests.migrations.django_projects import Project
from tests.migrations.logins import WHO, migrating

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow

PLAIN = """
class Plain{0}(models.Model):
    name = models.TextField(null=True)
    card = models.TextField(null=True, db_column="The Card")
    stamp = models.TextField(null=True)

    class Meta:
        audit = {{"mask": ["card"], "exclude": ["stamp"]}}
"""
OTHERS = """
class Mixed(models.Model):
    plain = models.ForeignKey("Plain0", models.CASCADE, null=True)

    class Meta:
        db_table = "Mixed.Case"
        audit = {"mask": ["plain"], "label": "Mixed: 100% 'case'"}

class Abroad(models.Model):
    class Meta:
        db_table = '"shop"."abroad"'
        audit = {"actions": ["delete"], "on_drop": "record"}

class Home(models.Model):
    class Meta:
        audit = True

class Left(models.Model):
    class Meta:
        audit = False

class Silent(models.Model):
    pass
"""
BEFORE = "".join(PLAIN.format(number) for number in range(6)) + OTHERS
AFTER = (
    PLAIN.format("0").replace("stamp = ", "more = models.TextField(null=True)\n    stamp = ")
    + PLAIN.format("1")
    .replace('    card = models.TextField(null=True, db_column="The Card")\n', "")
    .replace('"card"', "")
    + PLAIN.format("2").replace("name = models.TextField", "name = models.IntegerField")
    + PLAIN.format("3")
    .replace('["card"]', '["card", "pan"]')
    .replace("stamp = ", "pan = models.TextField(null=True)\n    stamp = ")
    + PLAIN.format("4").split("    class Meta")[0]
    + OTHERS.replace('"actions": ["delete"], ', "")
)


def rules(dsn: str) -> dict[str, Rule]:
    with connect(dsn) as session:
        return {rule.name: rule for rule in rule_store.read(session)}


@pytest.mark.parametrize("who", WHO)
def test_ten_tables_are_audited_as_declared_after_every_step(
    request: pytest.FixtureRequest, login: MakeLogin, tmp_path: Path, who: str
) -> None:
    mine, superuser = migrating(who, request, login)
    project = Project(tmp_path / "project", mine)
    check = f"auditctl --dsn {superuser.replace(' ', chr(0))} check"
    back, forth = ["migrate shop zero", check], ["migrate", check]
    project.models(BEFORE)
    project.run("makemigrations", "makemigrations --check", *forth, *back, *forth)
    plain = Rule("", DEFAULT, mask=("The Card",), exclude=("stamp",))
    before = rules(superuser)
    assert before.pop('public."Mixed.Case"').mask == ("plain_id",)
    assert before.pop("shop.abroad").actions == (Action.DELETE,)
    assert before.pop("public.shop_left").actions == ()
    assert before == {
        "public.shop_home": Rule("public.shop_home", DEFAULT),
        **{
            name: Rule(name, DEFAULT, mask=plain.mask, exclude=plain.exclude)
            for name in (f"public.shop_plain{number}" for number in range(6))
        },
    }
    project.models(AFTER)
    back = ["migrate shop 0001", check]
    project.run("makemigrations", "makemigrations --check", *forth, *back, *forth, *back)
    before = rules(superuser)
    project.run(*forth, "migrate shop zero", check)
    assert rules(superuser) == {}
    assert before["public.shop_plain1"].mask == ("The Card",)
    assert before["public.shop_plain4"].mask == ("The Card",)
    assert len(before) == 10
