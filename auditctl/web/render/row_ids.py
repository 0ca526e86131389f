"""Names rows of pages, so that an address leads to one after a change."""

from __future__ import annotations

from urllib.parse import quote


def row_id(kind: str, name: object) -> str:
    """Return the id of a row, which is also the fragment of its address.

    Args:
        kind: What the row is about: `table`, `rule`, `event`, `keep` or `hold`.
        name: Its name, any text.
    """
    return f"{kind}-{quote(str(name), safe='')}"
