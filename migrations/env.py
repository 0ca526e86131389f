"""Alembic's environment: runs the revisions in one transaction, as auditctl_owner, one install at a time.

`config.attributes` carries `connection` (a SQLAlchemy connection; absent for a script). Roles and schemas come
first, from sql/bootstrap/roles.sql, at every install: they are not versioned, because they outlive a database.
"""

from __future__ import annotations

from alembic import context

from auditctl import resources
from auditctl.capture import render
from auditctl.names import ADVISORY_LOCK, SCHEMA, STORE_REVISION

PREPARE = f"select pg_catalog.pg_advisory_xact_lock({ADVISORY_LOCK});"
SCRIPT_HEAD = "set local client_encoding = 'UTF8';\nset local client_min_messages = warning;"
SAFE_PATH = "set local search_path = pg_catalog, pg_temp;\nset local lock_timeout = '60s';"
REFUSE_SECOND = """do $auditctl$
begin
    if pg_catalog.to_regclass('auditctl.alembic_version') is not null then
        raise exception 'the store is already installed'
            using errcode = 'duplicate_object', hint = 'For an upgrade: auditctl install --sql --from REVISION';
    end if;
end
$auditctl$;"""
FINISH = "select auditctl_internal.create_partitions();"
"""Runs as auditctl_owner at every install, as do the templates and the event triggers around it."""

GUARDED = resources.sql_text("queries/guarded.sql").strip().removesuffix(";")
REMEMBER = f"select pg_catalog.set_config('auditctl.was_guarded', ({GUARDED})::text, true);"
RECORD_GUARD = f"""select auditctl_internal.insert_event(
    'auditctl.store', '{STORE_REVISION}', 'EVENT', null, null, 'coverage guard switched on'
)
where pg_catalog.current_setting('auditctl.was_guarded') = 'false' and ({GUARDED});"""
"""A superuser may switch the guard on long after the store was installed."""


def run(sql: str) -> None:
    """Run SQL text as it is, or write it to the script."""
    if context.is_offline_mode():
        context.get_context().impl.static_output(sql)
    else:
        context.get_bind().execution_options(no_parameters=True).exec_driver_sql(sql)


def starting_revision() -> str | None:
    """The revision that the store has, or that the script is for; None without a store."""
    if context.is_offline_mode():
        revision: str | None = context.get_starting_revision_argument()
        return revision
    return context.get_context().get_current_revision()


def record(before: str | None) -> str:
    """The statement that records what was done, as an event."""
    done = "installed at" if before is None else f"upgraded from revision {before} to"
    return (
        f"select auditctl_internal.insert_event('auditctl.store', '{STORE_REVISION}', 'EVENT', null, null, "
        f"'store {done} revision {STORE_REVISION}');"
    )


def migrate() -> None:
    """Bring the store to the newest revision and see to its partitions."""
    with context.begin_transaction():
        if context.is_offline_mode():
            run(SCRIPT_HEAD)
            if context.get_starting_revision_argument() is None:
                run(REFUSE_SECOND)
        run(SAFE_PATH)
        run(PREPARE)
        run(resources.sql_text("bootstrap/roles.sql"))
        before = starting_revision()
        context.run_migrations()
        run("set local check_function_bodies = off;")
        for text in resources.sql_texts("functions"):
            run(text)
        if before != STORE_REVISION:
            run(record(before))
        run(render.write_templates())
        if before == STORE_REVISION:
            run(REMEMBER)
        run(resources.sql_text("bootstrap/event_triggers.sql"))
        if before == STORE_REVISION:
            run(RECORD_GUARD)
        run(FINISH)


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", version_table_schema=SCHEMA)
else:
    context.configure(connection=context.config.attributes["connection"], version_table_schema=SCHEMA)
migrate()
