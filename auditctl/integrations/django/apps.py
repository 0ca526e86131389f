"""Instruments the connections of a Django application to PostgreSQL, each when it is opened."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.db import connections
from django.db.backends.signals import connection_created
from psycopg import Connection

from auditctl.errors import UsageError
from auditctl.integrations.current import Reads
from auditctl.integrations.django import options
from auditctl.integrations.psycopg_connections import prepare

options.allow()

_reads: dict[str, Reads] = {}
"""By the alias of a database: whether reads are recorded in it."""


class AuditctlConfig(AppConfig):  # type: ignore[misc]
    """The application that stands in INSTALLED_APPS."""

    name = "auditctl.integrations.django"
    label = "auditctl"

    def ready(self) -> None:
        """Instrument each connection, also those that are open."""
        connection_created.connect(_instrument, dispatch_uid=self.name)
        checks.register(_check, "auditctl")
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None:
                _instrument(connection)


def _check(app_configs: Any, **_: Any) -> Any:
    from auditctl.integrations.django.checks import check_models
    from auditctl.integrations.django.settings_checks import check_settings

    return [*check_models(app_configs), *(check_settings() if app_configs is None else ())]


def _instrument(connection: Any, **_: Any) -> None:
    if connection.vendor != "postgresql":
        return
    if not isinstance(connection.connection, Connection):
        raise UsageError("auditctl cannot name users on connections of psycopg2", hint="Install psycopg 3.")
    reads = _reads.setdefault(connection.alias, Reads(getattr(settings, "AUDITCTL_READS", None)))
    prepare(connection.connection, reads)
    if "schema_editor" not in vars(connection):
        connection.schema_editor = partial(_schema_editor, connection)


def _schema_editor(connection: Any, *args: Any, **options: Any) -> Any:
    """Return a schema editor that brings capture in step with what it did."""
    from auditctl.integrations.django.revisions import following

    return following(connection.SchemaEditorClass)(connection, *args, **options)
