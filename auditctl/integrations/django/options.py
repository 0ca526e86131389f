"""The options of a model's Meta about auditing, which Django has to know before it loads models."""

from __future__ import annotations

from django.db.migrations import state
from django.db.models import options

OPTION = "audit"
"""The option of a model's Meta, and of its state in migrations, that has the keys of the rule."""

MANY_TO_MANY = "audit_many_to_many"
"""The option of a model's Meta that leaves out its many-to-many tables; in states, their rules by field."""

OPTIONS = (OPTION, MANY_TO_MANY)


def allow() -> None:
    """Let Django accept the options, and keep them in the states of migrations."""
    for module in (options, state):
        module.DEFAULT_NAMES = tuple(dict.fromkeys((*module.DEFAULT_NAMES, *OPTIONS)))
