"""How the user of an event is shown, so that no name can pass for another kind of user."""

from __future__ import annotations

import unicodedata

from auditctl.display import coded, harmless


def shown_user(name: str, kind: str) -> str:
    """Return who it was: `(System)`, `@login`, or the name that an application gave.

    Args:
        name: The event's user.
        kind: Its actor_kind: `system`, `database` or `application`.
    """
    name = harmless(name)
    if kind == "system":
        return f"({name})"
    if kind == "database":
        return f"@{name}"
    seems_marked = unicodedata.normalize("NFKC", name).lstrip().startswith(("(", "@"))
    return coded(name[0]) + name[1:] if seems_marked else name
