"""What ends each revision: capture follows the tables that it changed, where the coverage guard does not do it."""

from __future__ import annotations

from typing import Any

from alembic.ddl.impl import DefaultImpl
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.dml import UpdateBase

from auditctl.integrations.table_rules import REFRESH, errors_explained
from auditctl.names import SCHEMA


class _Impl(DefaultImpl.get_by_dialect(postgresql.dialect())):  # type: ignore[misc]
    """Ends each revision with capture in step, right before its version is written."""

    __dialect__ = "postgresql"

    def _exec(self, construct: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(construct, UpdateBase) and self._is_version(construct.table):
            if self.as_sql:
                self.static_output(f"{REFRESH};")
            else:
                with errors_explained():
                    self.connection.execution_options(no_parameters=True).exec_driver_sql(REFRESH)
        return super()._exec(construct, *args, **kwargs)

    def _is_version(self, table: Any) -> bool:
        options = self.context_opts
        schema = options.get("version_table_schema")
        names = getattr(table, "name", None), getattr(table, "schema", None)
        return names == (options.get("version_table", "alembic_version"), schema) and (
            schema != SCHEMA  # auditctl's own
        )
