"""Many-to-many tables in the migrations of Django: they follow the rule of their model, also by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditctl.actions import DEFAULT, Action
from auditctl.capture import rule_store
from auditctl.capture.rule_keys import Rule
from auditctl.errors import ConfigurationError
from tests.migrations.django_projects import Project

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.databases import Login

pytestmark = pytest.mark.slow

MODELS = """
class Tag(models.Model):
    name = models.TextField()

class Client(models.Model):
    card = models.TextField(null=True)
    tags = models.ManyToManyField(Tag)

    class Meta:
        audit = {"mask": ["card"], "label": "Client", "on_drop": "record"}
"""


def rules(conn: psycopg.Connection) -> dict[str, Rule]:
    return {rule.name: rule for rule in rule_store.read(conn)}


def test_many_to_many_tables_follow_their_model_until_it_leaves_them_out(
    conn: psycopg.Connection, developer: Login, tmp_path: Path
) -> None:
    project = Project(tmp_path / "project", developer.dsn)
    project.models(MODELS)
    shown = project.run("makemigrations", "makemigrations --check", "migrate")
    assert "~ Audit Client_tags" in shown
    through = Rule("public.shop_client_tags", DEFAULT, on_drop="record")
    assert rules(conn)["public.shop_client_tags"] == through
    project.models(MODELS.replace("tags =", "labels ="))
    (project.folder / "shop" / "migrations" / "0002_renamed.py").write_text("""
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RenameField("Client", "tags", "labels")]
""")
    project.run("makemigrations", "makemigrations --check", "migrate")
    assert [*rules(conn)] == ["public.shop_client", "public.shop_client_labels"]
    project.run("migrate shop 0001")
    assert rules(conn)["public.shop_client_tags"] == through
    project.models(
        MODELS.replace("tags =", "labels =").replace("audit =", "audit_many_to_many = False\n        audit =")
    )
    project.run("makemigrations", "makemigrations --check", "migrate")
    assert [*rules(conn)] == ["public.shop_client"]
    project.run("migrate shop zero")


def test_rules_of_many_to_many_tables_go_with_their_field_and_their_model(
    conn: psycopg.Connection, developer: Login, tmp_path: Path
) -> None:
    project = Project(tmp_path / "project", developer.dsn)
    guarded = MODELS.replace(', "on_drop": "record"', "")
    project.models(guarded)
    project.run("makemigrations", "migrate")
    project.models(guarded.replace("    tags = models.ManyToManyField(Tag)\n", ""))
    project.run("makemigrations", "makemigrations --check", "migrate")
    assert [*rules(conn)] == ["public.shop_client"]
    project.models(guarded)
    project.run("makemigrations", "migrate")
    project.models("")
    project.run("makemigrations", "migrate")
    assert rules(conn) == {}
    project.run("squashmigrations --noinput shop 0004", "migrate shop zero", "migrate")
    assert rules(conn) == {}


def test_an_operation_may_state_the_rule_of_a_many_to_many_table(
    conn: psycopg.Connection, developer: Login, tmp_path: Path
) -> None:
    project = Project(tmp_path / "project", developer.dsn)
    project.models(MODELS.split("    class Meta")[0] + "    class Meta:\n        audit_many_to_many = None\n")
    project.run("makemigrations")
    (project.folder / "shop" / "migrations" / "0002_rule.py").write_text("""
from django.db import migrations
from auditctl.integrations.django import AuditTable

class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [AuditTable("client_tags", actions=["create"]), AuditTable("client_tags", actions=["delete"])]
""")
    project.run("makemigrations --check", "migrate")
    assert rules(conn)["public.shop_client_tags"].actions == (Action.DELETE,)
    project.run("migrate shop 0001")
    assert rules(conn) == {}


def test_a_model_whose_declaration_is_none_leaves_its_rules_to_others(
    conn: psycopg.Connection, developer: Login, tmp_path: Path
) -> None:
    project = Project(tmp_path / "project", developer.dsn)
    project.models(MODELS)
    project.run("makemigrations", "migrate")
    project.models(MODELS.split("        audit =")[0] + "        audit = None\n")
    project.run("makemigrations --check")
    project.models(MODELS.split("    class Meta")[0])
    project.run("makemigrations", "migrate")
    assert rules(conn) == {}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("auth.User", "a model of another application: state the rule by auditctl enable auth_user"),
        ("user", "a model of another application: state the rule by auditctl enable auth_user"),
        ("crm.Client", "Write the name of the model alone: client"),
        ("crm_client", "Write the name of the model alone: client"),
        ("clint", "Did you mean client?"),
        ("nothing", "the migration must depend on the one that creates it"),
    ],
)
def test_names_that_mean_no_model_of_the_application_are_explained(name: str, hint: str) -> None:
    from django.db.migrations.state import ModelState, ProjectState

    from auditctl.integrations.django.operations import AuditTable

    state: Any = ProjectState()
    for label, model in (("crm", "Client"), ("auth", "User")):
        state.add_model(ModelState(label, model, []))
    with pytest.raises(ConfigurationError, match=f"the application crm has no model '{name}'") as caught:
        AuditTable(name).state_forwards("crm", state)
    assert hint in caught.value.hint
