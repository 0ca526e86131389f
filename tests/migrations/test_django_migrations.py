"""Rules in the migrations of Django: written by makemigrations, run both ways, and printed by sqlmigrate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.actions import DEFAULT
from auditctl.capture import rule_store
from auditctl.capture.rule_keys import KEYS, Rule
from tests.migrations.django_projects import Project, database

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.databases import Login

pytestmark = pytest.mark.slow

MODELS = """
class Customer(models.Model):
    name = models.TextField(null=True)
    card = models.TextField(null=True)

    class Meta:
        audit = {"mask": ["card"], "label": "it's 100%"}
"""


def rules(conn: psycopg.Connection) -> dict[str, Rule]:
    return {rule.name: rule for rule in rule_store.read(conn)}


def test_a_migration_states_the_rule_that_the_model_declares(
    conn: psycopg.Connection, developer: Login, tmp_path: Path
) -> None:
    project = Project(tmp_path / "project", developer.dsn)
    project.models(MODELS)
    shown = project.run("makemigrations", "migrate", "sqlmigrate shop 0001", "check")
    operation = project.migration(1).split("AuditTable(")[1].split("\n        )")[0]
    assert [line.strip() for line in operation.splitlines()][1:] == [
        "model_name='Customer',",
        "actions=['create', 'update', 'delete', 'truncate'],",
        "mask=['card'],",
        'label="it\'s 100%",',
    ]
    assert "'audit'" not in project.migration(1)
    assert "select auditctl.audit_table('shop_customer', '{" in shown
    assert "it''s 100%" in shown
    assert "refresh_capture" not in shown
    assert rules(conn) == {
        "public.shop_customer": Rule("public.shop_customer", DEFAULT, label="it's 100%", mask=("card",))
    }


@pytest.mark.slow
def test_models_and_fields_are_renamed_and_removed(conn: psycopg.Connection, developer: Login, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", developer.dsn)
    check = "auditctl --dsn {} check".format(conn.info.dsn.replace(" ", "\0"))
    project.models(MODELS)
    project.run("makemigrations", "migrate", check)
    project.models(MODELS.replace("Customer", "Client").replace("card", "pan"))
    (project.folder / "shop" / "migrations" / "0002_renamed.py").write_text("""
from django.db import migrations
from auditctl.integrations.django import AuditTable

class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RenameModel("Customer", "Client"),
        migrations.RenameField("Client", "card", "pan"),
        AuditTable("client", mask=["pan"], label="it's 100%"),
    ]
""")
    project.run("makemigrations --check", "migrate", check, "migrate shop 0001", check, "migrate", check)
    assert rules(conn)["public.shop_client"].mask == ("pan",)
    project.models("")
    project.run("makemigrations", "migrate", check, "migrate shop 0002", check)
    assert rules(conn)["public.shop_client"] == Rule("public.shop_client", DEFAULT, label="it's 100%", mask=("pan",))
    project.run(
        "migrate", "squashmigrations --noinput shop 0003", "migrate", check, "migrate shop zero", "migrate", check
    )
    assert rules(conn) == {}


@pytest.mark.slow
def test_mistakes_are_errors_of_the_system_check(developer: Login, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", developer.dsn)
    project.models(
        MODELS.replace('"mask": ["card"]', '"maks": ["card"], "key": ["crad"]')
        + """
class Other(Customer):
    class Meta:
        proxy = True
        audit = True

class Third(models.Model):
    class Meta:
        audit = {"exclude": ["nothing"]}
"""
    )
    done = project.attempt("check")
    assert "shop.Customer: (auditctl.E001) Meta.audit: maks: unknown key; did you mean mask?" in done.stderr
    assert "shop.Other: (auditctl.E001) Meta.audit belongs to the model that the proxy is for" in done.stderr
    assert "shop.Third: (auditctl.E001) Meta.audit: exclude: the model has no field nothing" in done.stderr


@pytest.mark.slow
def test_databases_without_a_store_are_named_or_left_alone(empty_db: str, tmp_path: Path, developer: Login) -> None:
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "other.sqlite")}
    project = Project(tmp_path / "project", empty_db, other=sqlite, audited=database(developer.dsn))
    project.models(MODELS)
    project.run("makemigrations", "migrate --database=other", "migrate --database=other shop zero")
    project.run("migrate --database=audited", "migrate --database=audited --fake shop zero", "migrate --fake shop")
    project.run("migrate --fake shop zero")
    failed = project.attempt("migrate")
    assert (
        "StoreError: the database has no auditctl store of this version\nhint: Run: auditctl install" in failed.stderr
    )
    assert "AUDITCTL_REQUIRED = False in the settings" in failed.stderr
    with (project.folder / "config.py").open("a") as file:
        file.write("AUDITCTL_REQUIRED = False\n")
    project.run("migrate", "migrate shop zero")


def test_the_operation_takes_every_key_of_a_rule() -> None:
    from inspect import signature

    from auditctl.integrations.django import AuditTable

    assert [*signature(AuditTable).parameters] == ["model_name", *(key.name for key in KEYS)]
