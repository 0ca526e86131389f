"""READ, business events and retention, and events that cost less."""

from __future__ import annotations

from alembic import context, op

from auditctl import resources

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Bring the store from 0002 to 0003; functions that were generated before go on working until `apply` is run."""
    sql = (resources.folder("migrations") / "sql" / "0003_whole_log.sql").read_text("utf-8")
    if context.is_offline_mode():
        op.get_context().impl.static_output(sql)
    else:
        op.get_bind().execution_options(no_parameters=True).exec_driver_sql(sql)


def downgrade() -> None:
    """Refuse: a log that a tool can drop is no evidence."""
    raise RuntimeError("the store cannot be downgraded: that would drop the log")
