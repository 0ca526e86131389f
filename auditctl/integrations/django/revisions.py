"""What ends each migration: capture follows the tables that it changed, where the coverage guard does not do it."""

from __future__ import annotations

from typing import Any

from auditctl import resources
from auditctl.integrations.table_rules import REFRESH, errors_explained

_GUARDED = resources.sql_text("queries/guarded.sql")


def following(base: type[Any]) -> type[Any]:
    """Return a schema editor of Django that ends with capture in step."""
    return type(base.__name__, (_Following, base), {})


class _Following:
    """Refreshes capture before the transaction of a schema editor ends."""

    def __exit__(self: Any, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        leave = super().__exit__  # type: ignore[misc]
        if exc_type is None and not _is_guarded(self.connection):
            try:
                self._refresh()
            except BaseException as error:
                leave(type(error), error, error.__traceback__)  # which rolls back
                raise
        leave(exc_type, exc_value, traceback)

    def _refresh(self: Any) -> None:
        # New indexes may identify rows.
        for statement in self.deferred_sql:
            self.execute(statement, None)
        self.deferred_sql.clear()
        with errors_explained():
            self.execute(REFRESH, None)


def _is_guarded(connection: Any) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_GUARDED)
        return bool(cursor.fetchone()[0])
