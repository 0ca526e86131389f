"""A process that sets django-pghistory up: Django is configured once in each.

python -m bench.contenders.django_tracking DSN TABLE ...
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from bench.subject import NARROW, WIDE, Subject

if TYPE_CHECKING:
    from types import ModuleType

LABEL = "pghistory"
"""Django wants an installed application with models for ours to belong to."""


def configure(dsn: str) -> None:
    """Point Django at a database, with no application but the tracker."""
    import django
    from django.conf import settings

    parameters = conninfo_to_dict(dsn)
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parameters["dbname"],
                "USER": parameters["user"],
                "HOST": parameters["host"],
                "PORT": parameters["port"],
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.postgres", "pgtrigger", "pghistory"],
        USE_TZ=True,
    )
    django.setup()


def track(subject: Subject, models: ModuleType) -> Any:
    """Declare the model of a table, tracked in all three ways, and return the model of its events."""
    import pghistory
    from django.contrib.postgres.fields import ArrayField

    fields: dict[str, Any] = {
        "integer": models.IntegerField,
        "text": models.TextField,
        "numeric": lambda: models.DecimalField(max_digits=30, decimal_places=5),
        "timestamptz": models.DateTimeField,
        "boolean": models.BooleanField,
        "date": models.DateField,
        "uuid": models.UUIDField,
        "bigint": models.BigIntegerField,
        "jsonb": models.JSONField,
        "text[]": lambda: ArrayField(models.TextField()),
    }
    columns = {name: fields[kind]() for name, kind in subject.columns.items()}
    meta = type("Meta", (), {"app_label": LABEL, "db_table": subject.name})
    body = {"__module__": __name__, "Meta": meta, "id": models.IntegerField(primary_key=True), **columns}
    model = type(subject.name.title(), (models.Model,), body)
    event_meta = {"app_label": LABEL, "db_table": f"{subject.name}_event"}
    pghistory.track(
        pghistory.InsertEvent(),
        pghistory.UpdateEvent(),
        pghistory.DeleteEvent(),
        model_name=f"{subject.name.title()}Event",
        meta=event_meta,
        app_label=LABEL,
    )(model)
    return model


def main(dsn: str, *names: str) -> None:
    """Make the tables of events, and install the triggers."""
    configure(dsn)
    from django.core.management import call_command
    from django.db import connection, models

    call_command("migrate", verbosity=0)
    for subject in (NARROW, WIDE):
        if subject.name in names:
            model = track(subject, models)
            with connection.schema_editor() as editor:
                editor.create_model(model.pgh_event_model)
            for trigger in model._meta.triggers:
                trigger.install(model)


if __name__ == "__main__":
    main(*sys.argv[1:])
