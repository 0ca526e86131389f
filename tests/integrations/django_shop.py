"""An application on Django, in the process of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.db import connection, connections, models
from psycopg.conninfo import conninfo_to_dict

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "CONN_MAX_AGE": None}},
        INSTALLED_APPS=["auditctl.integrations.django"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        AUDITCTL_TRUSTED_PROXIES=["10.0.0.0/8"],
        ALLOWED_HOSTS=["*"],
    )
    django.setup()

from auditctl.integrations.django import ActingMiddleware, apps

if TYPE_CHECKING:
    from tests.fixtures.databases import Login

__all__ = ["ActingMiddleware", "Thing", "connected", "forget_reads"]


class Thing(models.Model):  # type: ignore[misc]
    v = models.TextField(null=True)

    class Meta:
        app_label = "auditctl"
        db_table = "thing"
        managed = False


@contextmanager
def connected(login: Login, *, with_pool: bool = False) -> Iterator[None]:
    """Use a database in the block, with a connection that persists, or with a pool."""
    known = conninfo_to_dict(login.dsn)
    options = {"pool": {"min_size": 1, "max_size": 4}} if with_pool else {}
    names = {name.upper(): str(known.get(name) or "") for name in ("host", "port", "user", "password")}
    age = 0 if with_pool else None
    connection.settings_dict.update(NAME=known["dbname"], OPTIONS=options, CONN_MAX_AGE=age, **names)
    forget_reads()
    try:
        yield
    finally:
        connections.close_all()
        connection.close_pool()


def forget_reads() -> None:
    """Make the next connection look up whether reads are recorded."""
    apps._reads.clear()
