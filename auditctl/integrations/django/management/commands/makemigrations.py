"""`manage.py makemigrations`, which also compares the rules that models declare."""

from __future__ import annotations

from django.core.management.commands import makemigrations

from auditctl.integrations.django.autodetector import detecting


class Command(makemigrations.Command):  # type: ignore[misc]
    """The command of Django, with an autodetector that follows `Meta.audit`."""

    autodetector = detecting(makemigrations.Command.autodetector)
