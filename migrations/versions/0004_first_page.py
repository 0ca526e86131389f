"""The first page of any filter at once."""

from __future__ import annotations

from alembic import context, op

from auditctl import resources

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Bring the store from 0003 to 0004; writers wait while the indexes are built."""
    sql = (resources.folder("migrations") / "sql" / "0004_first_page.sql").read_text("utf-8")
    if context.is_offline_mode():
        op.get_context().impl.static_output(sql)
    else:
        op.get_bind().execution_options(no_parameters=True).exec_driver_sql(sql)


def downgrade() -> None:
    """Refuse: a log that a tool can drop is no evidence."""
    raise RuntimeError("the store cannot be downgraded: that would drop the log")
