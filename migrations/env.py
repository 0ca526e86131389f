"""Alembic's environment: creates or upgrades the store in one transaction, one install at a time.

Tables change by revision. Everything else is written anew by every install: roles and schemas, then functions and
views, capture templates and event triggers. Roles and event triggers take the installing login's rights; the rest is
run as auditctl_owner. A script (`install --sql`) is the same statements, written down.

`config.attributes` carries `connection`, a SQLAlchemy connection; it is absent for a script. It may carry
`reason`, which every event then has; `actor_from`, the sources that name the actor; and for an adoption `adopt`, which
is called before the transaction commits.
"""

from __future__ import annotations

from alembic import context
from psycopg import sql

from auditctl import actor_sources, reason, resources
from auditctl.capture import render
from auditctl.names import INSTALL_LOCK, SCHEMA, STORE_REVISION, STORE_WAIT
from auditctl.revision import UNRELEASED
from auditctl.session_settings import pin_statement

INSTALLS_WAIT = f"""do $auditctl$
declare
    v_until constant timestamptz := pg_catalog.clock_timestamp() + interval '{STORE_WAIT}';
    v_holders bigint;
    v_installers bigint;
    v_names text;
begin
    while not pg_catalog.pg_try_advisory_xact_lock({INSTALL_LOCK}) loop
        -- Any login can take an advisory lock: that of one that could not install is not waited for.
        perform pg_catalog.pg_stat_clear_snapshot();
        select pg_catalog.count(*), pg_catalog.count(*) filter (where coalesce(r.rolsuper or r.rolcreaterole, true)),
            pg_catalog.string_agg(
                pg_catalog.format('process %s (%s, login %s)', l.pid, s.application_name, s.usename), ', '
            )
        into v_holders, v_installers, v_names
        from pg_catalog.pg_locks as l
        left join pg_catalog.pg_stat_activity as s on s.pid = l.pid
        left join pg_catalog.pg_roles as r on r.oid = s.usesysid
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.objid = ({INSTALL_LOCK} & 4294967295)::oid
            and l.classid = ({INSTALL_LOCK} >> 32)::oid
            and l.database = (
                select d.oid from pg_catalog.pg_database as d where d.datname = pg_catalog.current_database()
            );
        exit when v_holders > 0 and v_installers = 0;
        if pg_catalog.clock_timestamp() > v_until then
            raise exception 'another install, adopt or uninstall is running%', coalesce(': ' || v_names, '')
                using errcode = 'lock_not_available', hint = 'Run it again when that has ended.';
        end if;
        perform pg_catalog.pg_sleep(0.1);
    end loop;
end
$auditctl$;"""  # noqa: S608 - a number of ours
"""One install at a time."""

SETTINGS = f"""set local lock_timeout = '{STORE_WAIT}';
set local check_function_bodies = off; -- a function may call one that a later file creates
{INSTALLS_WAIT}"""

PINNED = f"do $auditctl$ begin {pin_statement(local=True).replace('select', 'perform', 1)}; end $auditctl$;"
"""Comes before everything else, so that no setting changes what the rest means."""

SCRIPT_HEAD = "set local client_encoding = 'UTF8';\nset local client_min_messages = warning;"

GUARDED = resources.sql_text("queries/guarded.sql").strip()
NOTE_GUARD = f"select pg_catalog.set_config('auditctl.was_guarded', ({GUARDED})::text, true);"
RECORD_GUARD = f"""select auditctl_internal.insert_event(
    'auditctl.store', '{STORE_REVISION}', 'EVENT', null, null, 'coverage guard switched on'
)
where pg_catalog.current_setting('auditctl.was_guarded') = 'false' and ({GUARDED});"""
"""A superuser may switch the guard on long after the store was installed."""

WRITTEN_UNTIL = """pg_catalog.jsonb_build_object('written_until', (
    select w.xmin::text
    from (
        select p.xmin from pg_catalog.pg_proc as p
        union all select t.xmin from pg_catalog.pg_trigger as t
        union all select c.xmin from pg_catalog.pg_class as c
        union all select e.xmin from pg_catalog.pg_event_trigger as e
    ) as w
    order by pg_catalog.age(w.xmin)
    limit 1
))"""
"""The last of the subtransactions that wrote objects of the store: with it, verification tells them from others."""

RECORD_AGAIN = f"""select auditctl_internal.insert_event(
    'auditctl.store', '{STORE_REVISION}', 'EVENT', null, {WRITTEN_UNTIL},
    'store installed again at revision {STORE_REVISION}'
)
where exists (select from auditctl.block);"""  # noqa: S608 - constants of ours
"""Everything is written anew, which the evidence of a sealed log shows: an event announces it."""

STAMP = f"""set local role auditctl_owner;
insert into auditctl.alembic_version (version_num)
select '{STORE_REVISION}' where not exists (select from auditctl.alembic_version);
reset role;"""  # noqa: S608 - one of ours
"""A dump without rows has no revision: its tables are taken for those of this version."""


def run(sql: str) -> None:
    """Run SQL text as it is, or write it to the script."""
    if context.is_offline_mode():
        context.get_context().impl.static_output(sql)
    else:
        context.get_bind().execution_options(no_parameters=True).exec_driver_sql(sql)


def current_revision() -> str | None:
    """Return the revision that the store has, or that the script is for; None without a store."""
    if context.is_offline_mode():
        revision: str | None = context.get_starting_revision_argument()
        return revision
    return context.get_context().get_current_revision()


def refusal(condition: str, message: str, hint: str, errcode: str = "duplicate_object") -> str:
    """Return the statement by which a script refuses a database that it is not for."""
    return f"""do $auditctl$
begin
    if ({condition}) then
        raise exception '{message}' using errcode = '{errcode}', hint = '{hint}';
    end if;
end
$auditctl$;"""


def script_head(revision: str | None) -> str:
    """Return what a script begins with: it makes sure that the database is what it was written for."""
    unreleased = refusal(resources.sql_text("queries/unreleased_store.sql").strip(), *UNRELEASED)
    if revision is None:
        fits = refusal(
            "pg_catalog.to_regclass('auditctl.alembic_version') is not null",
            "the store is already installed",
            "For an upgrade: auditctl install --sql --from REVISION",
        )
    else:
        fits = refusal(
            f"(select pg_catalog.max(v.version_num) from auditctl.alembic_version as v) is distinct from '{revision}'",  # noqa: S608 - one of ours
            f"the store does not have revision {revision}",
            "Name its revision: auditctl install --sql --from REVISION",
            "object_not_in_prerequisite_state",
        )
    return "\n".join((SCRIPT_HEAD, unreleased, fits))


def event(revision: str | None) -> str:
    """Return the statement that records an installation or upgrade."""
    done = "installed at" if revision is None else f"upgraded from revision {revision} to"
    written = "null" if revision is None else WRITTEN_UNTIL
    return (
        f"select auditctl_internal.insert_event('auditctl.store', '{STORE_REVISION}', 'EVENT', null, {written}, "
        f"'store {done} revision {STORE_REVISION}');"
    )


def literal(text: str) -> str:
    """Return a string constant."""
    return sql.Literal(text).as_string(None)


def state_reason() -> None:
    """Give the events of this transaction a reason, if there is one."""
    why = context.config.attributes.get("reason")
    if why is not None:
        run(f"select pg_catalog.set_config('auditctl.context', {literal(reason.context(why))}, true);")


def write_sources() -> None:
    """Replace the sources of actors, if some are stated, and make capture read those that there are."""
    sources = context.config.attributes.get("actor_from")
    if sources is not None:
        run(f"select auditctl_internal.set_actor_sources({literal(actor_sources.dump(sources))});")
    run("select auditctl_internal.write_claimed_actor();")


def install() -> None:
    """Run everything, in the order in which one thing needs the other."""
    if context.is_offline_mode():
        run("set transaction isolation level read committed, read write, not deferrable;")
    run(PINNED)
    if context.is_offline_mode():
        run(script_head(current_revision()))
    run(SETTINGS)
    state_reason()
    finish = context.config.attributes.get("adopt")
    if finish is not None:
        run(resources.sql_text("bootstrap/adopt.sql"))
        run(STAMP)
    revision = current_revision()  # once nobody else installs
    run(resources.sql_text("bootstrap/roles.sql"))
    run(resources.sql_text("bootstrap/replace.sql"))
    run(resources.sql_text("bootstrap/place.sql"))
    context.run_migrations()
    for text in resources.sql_texts("functions"):
        run(f"select auditctl_internal.replace_objects($file$\n{text}$file$);")
    run(render.write_templates())
    run(resources.sql_text("bootstrap/finish.sql"))
    run("select auditctl_internal.create_partitions();")
    write_sources()
    run(NOTE_GUARD)
    run(resources.sql_text("bootstrap/guard.sql"))
    run(resources.sql_text("bootstrap/guard_joins.sql"))
    run(resources.sql_text("bootstrap/guard_entry.sql"))
    run(resources.sql_text("bootstrap/lend.sql"))
    run(resources.sql_text("bootstrap/lend_rows.sql"))
    run(resources.sql_text("bootstrap/event_triggers.sql"))
    if finish is not None:
        run(resources.sql_text("bootstrap/adopted.sql"))
        finish()
    elif revision == STORE_REVISION:
        run(RECORD_GUARD)
        run(RECORD_AGAIN)
    else:
        run(event(revision))
    run(resources.sql_text("bootstrap/writers.sql"))


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", version_table_schema=SCHEMA)
else:
    context.configure(connection=context.config.attributes["connection"], version_table_schema=SCHEMA)
with context.begin_transaction():
    install()
