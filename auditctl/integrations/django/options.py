"""The option `audit` of a model's Meta, which Django has to know before it loads models."""

from __future__ import annotations

from django.db.migrations import state
from django.db.models import options

OPTION = "audit"
"""The option of a model's Meta, and of its state in migrations, that has the keys of the rule."""


def allow() -> None:
    """Let Django accept the option, and keep it in the states of migrations."""
    for module in (options, state):
        if OPTION not in module.DEFAULT_NAMES:
            module.DEFAULT_NAMES = (*module.DEFAULT_NAMES, OPTION)
