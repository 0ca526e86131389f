"""`manage.py migrate`, which also compares the rules that models declare."""

from __future__ import annotations

from django.core.management.commands import migrate

from auditctl.integrations.django.autodetector import detecting


class Command(migrate.Command):  # type: ignore[misc]
    """The command of Django, with an autodetector that follows `Meta.audit`."""

    autodetector = detecting(migrate.Command.autodetector)
