"""The columns of a list on a page: their titles, and those that its address names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditctl.log import columns
from auditctl.log.columns import COLUMNS, Columns

PARAMETER = "columns"

USUAL: Columns = ("created_on", "ip_address", "user", "target", "target_id", "action", "details")
"""The columns of a list where none were chosen; the reason stands behind the details."""

TITLES = {
    "event_id": "Event", "created_on": "Created on", "ip_address": "IP address", "user": "User", "target": "Target",
    "target_id": "Target ID", "action": "Action", "details": "Details", "reason": "Reason",
    "old_values": "Old values", "new_values": "New values", "db_user": "Database login", "actor_kind": "User type",
    "xact_id": "Transaction", "context": "Context",
}  # fmt: skip
"""The title of each column, as people read it on the page."""

CLASSES = dict.fromkeys(COLUMNS, "other") | {
    "created_on": "when", "ip_address": "ip", "user": "who", "target": "target", "target_id": "key", "action": "what",
    "details": "details",
}  # fmt: skip
"""The class of each column's cells, by which they look."""


def chosen(parameters: Mapping[str, Sequence[str]]) -> Columns | None:
    """Return the columns that an address names; None without any. Several values, as of tick boxes, are one list.

    Raises:
        UsageError: A name is not that of a column, or is given twice.
    """
    texts = parameters.get(PARAMETER, ())
    return columns.parse(columns.SEPARATOR.join(texts)) if texts else None


def offered(names: Columns) -> Columns:
    """Return all columns to choose from: first those that are shown, in their order."""
    return (*names, *(name for name in COLUMNS if name not in names))


def as_parameter(names: Columns | None) -> dict[str, tuple[str, ...]]:
    """Return the parameter of an address that shows these columns; none for the usual ones."""
    return {} if names in (None, USUAL) else {PARAMETER: (columns.SEPARATOR.join(names or ()),)}
