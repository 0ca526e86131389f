"""What ends each migration: capture follows the tables that it changed, where the coverage guard does not do it."""

from __future__ import annotations

from typing import Any

from auditctl.integrations.table_rules import REFRESH, errors_explained

_GUARDED = """
    select pg_catalog.count(*) from pg_catalog.pg_event_trigger where evtname ~ '^auditctl_guard_' and evtenabled = 'A'
"""


def following(base: type[Any]) -> type[Any]:
    """Return a schema editor of Django that ends with capture in step."""
    return type(base.__name__, (_Following, base), {})


class _Following:
    """Refreshes capture before the transaction of a schema editor ends."""

    def __exit__(self: Any, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        if exc_type is None and not _is_guarded(self.connection):
            # New indexes may identify rows.
            for statement in self.deferred_sql:
                self.execute(statement, None)
            self.deferred_sql.clear()
            with errors_explained():
                self.execute(REFRESH, None)
        super().__exit__(exc_type, exc_value, traceback)  # type: ignore[misc]


def _is_guarded(connection: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_GUARDED)
        return bool(cursor.fetchone()[0])
