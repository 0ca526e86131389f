"""The tables of the store as it is first released.

`make release` freezes them in migrations/sql/0001_tables.sql. Until then they are what sql/tables says.
"""

from __future__ import annotations

from alembic import context, op

from auditctl import resources

revision = "0001"
down_revision = None
FROZEN = "0001_tables.sql"

REVISION_TABLE = """
grant select on auditctl.alembic_version to public;
alter table auditctl.alembic_version enable row level security;
create policy alembic_version_is_readable on auditctl.alembic_version for select using (true);
comment on table auditctl.alembic_version is 'The revision of this store';
"""


def upgrade() -> None:
    """Create the tables and types."""
    frozen = resources.folder("migrations") / "sql" / FROZEN
    tables = [frozen.read_text("utf-8")] if frozen.exists() else resources.sql_texts("tables")
    for sql in (REVISION_TABLE, *tables):
        if context.is_offline_mode():
            op.get_context().impl.static_output(sql)
        else:
            op.get_bind().execution_options(no_parameters=True).exec_driver_sql(sql)


def downgrade() -> None:
    """Refuse: a log that a tool can drop is no evidence."""
    raise RuntimeError("the store cannot be downgraded: that would drop the log")
