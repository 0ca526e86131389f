"""What the files of sql/ create is what `install` and its script create, and it is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditctl import resources, store
from auditctl.capture import render
from tests.fixtures.databases import connect, fresh_database
from tests.support.dumps import dump
from tests.support.schema import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from auditctl.demo.server import EmbeddedServer

OF_MIGRATIONS = ("auditctl.alembic_version", "alembic_version")
"""What only a migrated store has: the table of its revision."""


def run_files(dsn: str, *, tables: bool, check_bodies: bool) -> None:
    """Run the files of sql/ in their order, as one would with psql."""
    with connect(dsn) as conn, conn.transaction():
        conn.execute("select set_config('check_function_bodies', %s::text, true)", [check_bodies])
        for path in ("bootstrap/roles.sql", "bootstrap/replace.sql", "bootstrap/place.sql"):
            conn.execute(resources.sql_text(path).encode())
        for text in (*(resources.sql_texts("tables") if tables else ()), *resources.sql_texts("functions")):
            conn.execute(text.encode())
        conn.execute(render.write_templates().encode())
        for path in (
            "bootstrap/finish.sql",
            "bootstrap/guard.sql",
            "bootstrap/guard_joins.sql",
            "bootstrap/guard_entry.sql",
            "bootstrap/event_triggers.sql",
        ):
            conn.execute(resources.sql_text(path).encode())
        conn.execute("select auditctl_internal.create_partitions()")


@pytest.fixture
def from_files(server: EmbeddedServer) -> Iterator[str]:
    """A database with what the files of sql/ create, the functions twice: the second time each body is checked."""
    with fresh_database(server, "files") as dsn:
        run_files(dsn, tables=True, check_bodies=False)
        run_files(dsn, tables=False, check_bodies=True)
        yield dsn


def without_revision(described: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    return {
        part: [row for row in rows if not any(str(row[0]).startswith(name) for name in OF_MIGRATIONS)]
        for part, rows in described.items()
        if part != "indexes"
    } | {"indexes": [row for row in described["indexes"] if row[1] != "alembic_version"]}


def test_install_creates_what_the_files_create(from_files: str, conn: psycopg.Connection) -> None:
    with connect(from_files) as stated:
        wanted = describe(stated)
    found = without_revision(describe(conn))
    assert [part for part in wanted if wanted[part] != found[part]] == []
    assert found == wanted
    assert min(len(rows) for part, rows in wanted.items() if part != "default privileges") > 0


def test_the_script_creates_what_install_creates(empty_db: str, conn: psycopg.Connection) -> None:
    with connect(empty_db) as session:
        session.execute(store.install_script().encode())
        scripted = describe(session)
    assert scripted == describe(conn)


def test_the_dumps_of_both_are_the_same(server: EmbeddedServer, from_files: str, db: str) -> None:
    # A newer pg_dump adds a random word against injection.
    options = [
        "--schema-only",
        "--schema=auditctl",
        "--schema=auditctl_internal",
        "--schema=auditctl_triggers",
        "--exclude-table=auditctl.alembic_version",
    ]
    dumps = [dump(server, dsn, *options) for dsn in (from_files, db)]
    stated, migrated = (
        [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))] for text in dumps
    )
    assert migrated == stated


def test_everything_has_a_comment(conn: psycopg.Connection) -> None:
    described = describe(conn)
    assert [row[0] for row in described["schemas"] if not row[-1]] == []
    assert [row[0] for row in described["relations"] if row[1] in "rpvm" and not row[-1]] == []
    assert [row[0] for row in described["functions"] if not row[-1]] == []
    assert [row[0] for row in described["types"] if row[1] == "e" and not row[4]] == []
    # A partition's columns are those of the whole; Alembic made its own table.
    wholes = {row[0] for row in described["relations"] if row[1] in "rp" and not row[7]}
    bare = [(row[0], row[2]) for row in described["columns"] if row[0] in wholes and not row[-1]]
    assert bare == [("auditctl.alembic_version", "version_num")]


def test_constraints_are_named_for_their_rule(conn: psycopg.Connection) -> None:
    checks = conn.execute(
        "select distinct conname::text from pg_constraint "
        "where connamespace = 'auditctl'::regnamespace and contype = 'c' order by 1"
    ).fetchall()
    assert [name for (name,) in checks] == [
        "accepted_finding_object_is_not_empty", "accepted_finding_reason_is_not_empty", "administration_is_one_row",
        "archived_month_has_a_location", "archived_month_has_digests", "archived_month_has_events",
        "archived_month_is_a_month", "archiving_is_one_row", "archiving_keep_hot_is_a_time",
        "archiving_location_is_a_path", "archiving_states_something",
        "consumer_events_are_counted", "consumer_name_is_not_empty",
        "day_count_class_is_known",
        "erasure_has_a_reason", "erasure_has_places", "event_type_label_is_not_empty",
        "event_type_label_is_of_one_type", "event_type_name_is_not_empty", "hold_has_a_reason",
        "hold_is_noticed_after_its_release", "hold_is_released_for_a_reason", "hold_is_released_whole",
        "hold_target_is_not_empty", "large_transaction_has_events", "log_file_position_is_not_negative",
        "maintenance_has_one_row", "month_is_accepted_for_a_reason", "rename_is_a_change",
        "retention_ends_after_its_start", "retention_is_noticed_after_its_end", "retention_keep_is_a_time",
        "retention_target_is_not_empty", "rule_label_is_not_empty", "rule_on_drop_is_known",
        "run_findings_are_counted", "run_is_known", "saved_view_filters_are_texts", "saved_view_name_is_not_empty",
        "transaction_count_has_one_row",
    ]  # fmt: skip


def test_nobody_but_the_owner_may_write(conn: psycopg.Connection) -> None:
    assert conn.execute("""
        select c.oid::regclass::text, a.grantee::regrole::text, a.privilege_type
          from pg_class as c cross join lateral aclexplode(c.relacl) as a
         where c.relnamespace = 'auditctl'::regnamespace
           and a.grantee not in (c.relowner, 'auditctl_backup'::regrole)
         order by 1, 2, 3
    """).fetchall() == [
        ("auditctl.accepted_finding", "auditctl_reader", "SELECT"),
        ("auditctl.activity", "auditctl_reader", "SELECT"),
        ("auditctl.actor_source", "auditctl_reader", "SELECT"),
        ("auditctl.administration", "auditctl_reader", "SELECT"),
        ("auditctl.alembic_version", "-", "SELECT"),
        ("auditctl.archived_month", "auditctl_reader", "SELECT"),
        ("auditctl.archiving", "auditctl_reader", "SELECT"),
        ("auditctl.block", "auditctl_reader", "SELECT"),
        ("auditctl.capture", "auditctl_reader", "SELECT"),
        ("auditctl.capture_change", "auditctl_reader", "SELECT"),
        ("auditctl.checkpoint", "auditctl_reader", "SELECT"),
        ("auditctl.consumer", "auditctl_reader", "SELECT"),
        ("auditctl.day_count", "auditctl_reader", "SELECT"),
        ("auditctl.erasure", "auditctl_reader", "SELECT"),
        ("auditctl.event", "auditctl_reader", "SELECT"),
        ("auditctl.event_type", "auditctl_reader", "SELECT"),
        ("auditctl.function_digest", "auditctl_reader", "SELECT"),
        ("auditctl.hold", "auditctl_reader", "SELECT"),
        ("auditctl.import_horizon", "auditctl_reader", "SELECT"),
        ("auditctl.incarnation", "auditctl_reader", "SELECT"),
        ("auditctl.key_change", "auditctl_reader", "SELECT"),
        ("auditctl.large_transaction", "auditctl_reader", "SELECT"),
        ("auditctl.log_file", "auditctl_reader", "SELECT"),
        ("auditctl.maintenance", "auditctl_reader", "SELECT"),
        ("auditctl.member", "auditctl_reader", "SELECT"),
        ("auditctl.month", "auditctl_reader", "SELECT"),
        ("auditctl.node", "auditctl_reader", "SELECT"),
        ("auditctl.place", "-", "SELECT"),
        ("auditctl.place", "auditctl_reader", "SELECT"),
        ("auditctl.pruned", "auditctl_reader", "SELECT"),
        ("auditctl.read_line", "auditctl_reader", "SELECT"),
        ("auditctl.read_site", "auditctl_reader", "SELECT"),
        ("auditctl.release", "auditctl_reader", "SELECT"),
        ("auditctl.rename", "auditctl_reader", "SELECT"),
        ("auditctl.retention", "auditctl_reader", "SELECT"),
        ("auditctl.rule", "auditctl_reader", "SELECT"),
        ("auditctl.run", "auditctl_reader", "SELECT"),
        ("auditctl.target", "auditctl_reader", "SELECT"),
        ("auditctl.template", "auditctl_reader", "SELECT"),
        ("auditctl.transaction_count", "auditctl_reader", "SELECT"),
    ]
    # A backup role reads everything that a dump holds.
    assert conn.execute("""
        select distinct array_agg(a.privilege_type)
          from pg_class as c
          left join lateral aclexplode(c.relacl) as a on a.grantee = 'auditctl_backup'::regrole
         where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('r', 'p', 'S')
           and c.relname <> 'alembic_version'  -- which everybody may read
         group by c.oid
    """).fetchall() == [(["SELECT"],)]
    assert conn.execute("""
        select nspname::text, a.grantee::regrole::text, a.privilege_type
          from pg_namespace cross join lateral aclexplode(nspacl) as a
         where nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers')
           and a.grantee <> 'auditctl_owner'::regrole
    """).fetchall() == [("auditctl", "-", "USAGE")]
    assert conn.execute("""
        select relname::text from pg_class
         where relnamespace::regnamespace::text ^@ 'auditctl' and relnamespace <> 'auditctl_guard'::regnamespace
           and pg_get_userbyid(relowner) <> 'auditctl_owner'
    """).fetchall() == [("place",)]


def test_functions_are_for_whom_they_are_made(conn: psycopg.Connection) -> None:
    granted = conn.execute("""
        select p.proname::text, array_agg(a.grantee::regrole::text order by a.grantee::regrole::text)
          from pg_proc as p
         cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
         where p.pronamespace::regnamespace::text ^@ 'auditctl' and a.grantee <> p.proowner
         group by p.oid order by 1
    """).fetchall()
    assert {name: roles for name, roles in granted if roles != ["auditctl_reader"]} == {
        "add_cosignatures": ["auditctl_admin"],
        **{name: ["auditctl_admin"] for name in ("append_block", "begin_sealing", "change_capture", "summarize_month")},
        "value_index_work": ["auditctl_admin"],
        **{name: ["auditctl_admin"] for name in ("announce_expiry", "end_expiry")},
        **{name: ["auditctl_admin"] for name in ("baseline_tables", "end_baseline", "record_baseline")},
        **{name: ["auditctl_admin"] for name in ("audit_table", "refresh_capture", "release_table", "unaudit_table")},
        **{name: ["auditctl_admin"] for name in ("begin_archiving", "begin_month", "record_archive")},
        "check_ddl": ["-"],
        "check_drop": ["-"],
        "displacement": ["auditctl_owner"],
        "erase_events": ["auditctl_admin"],
        "import_activities": ["auditctl_admin"],
        "import_own_reads": ["auditctl_admin"],
        "import_reads": ["auditctl_admin"],
        "lend": ["auditctl_owner"],
        "lend_rows": ["auditctl_owner"],
        "lock_rules": ["auditctl_admin"],
        "lock_table": ["auditctl_admin"],
        "maintain": ["auditctl_admin"],
        "maintain_step": ["auditctl_admin"],
        "metrics": ["auditctl_reader", "pg_monitor"],
        "names_actor": ["auditctl_admin", "auditctl_app"],
        "note_log_file": ["auditctl_admin"],
        "place_hold": ["auditctl_admin"],
        "prepare_capture": ["auditctl_admin"],
        "put_read_policy": ["auditctl_owner"],
        "put_trigger": ["auditctl_owner"],
        "read_new_rows": ["auditctl_owner"],
        "record_event": ["auditctl_admin", "auditctl_app"],
        "record_import": ["auditctl_admin"],
        "record_membership": ["auditctl_admin"],
        "record_run": ["auditctl_admin"],
        "audited_table": ["-"],
        "has_pass": ["-"],
        "is_free": ["-"],
        "is_trusted": ["-"],
        "make_way": ["-"],
        "put_aside": ["-"],
        "refuse": ["-"],
        "record_read": ["-"],
        "refuse_secret": ["-"],
        "release": ["auditctl_admin"],
        "release_hold": ["auditctl_admin"],
        "set_archiving": ["auditctl_admin"],
        "set_context": ["-"],
        "set_retention": ["auditctl_admin"],
        "step": ["auditctl_owner"],
        "settle_reads": ["auditctl_admin"],
        "verify_read_line": ["auditctl_admin"],
    }


def test_functions_that_run_as_the_owner_pin_their_search_path(conn: psycopg.Connection) -> None:
    assert (
        conn.execute("""
        select proname::text from pg_proc
         where pronamespace::regnamespace::text ^@ 'auditctl' and prosecdef
           and not coalesce('search_path=pg_catalog, pg_temp' = any (proconfig), false)
    """).fetchall()
        == []
    )


def test_the_guards_fire_always_on_the_log_and_each_partition(conn: psycopg.Connection) -> None:
    partitions = conn.execute("select relid::regclass::text from pg_partition_tree('auditctl.event')").fetchall()
    assert len(partitions) == 6
    guards = conn.execute("""
        select tgrelid::regclass::text, tgname::text, tgenabled::text, tgtype::int from pg_trigger
         where tgfoid = 'auditctl_internal.refuse_change()'::regprocedure order by 1, 2
    """).fetchall()
    row, statement = 1 | 2 | 8 | 16, 2 | 8 | 16 | 32
    assert guards == [
        guard
        for (name,) in sorted(partitions)
        for guard in ((name, "event_write_once_row", "A", row), (name, "event_write_once_statement", "A", statement))
    ]


def test_roles_can_do_nothing_else(conn: psycopg.Connection) -> None:
    assert conn.execute("""
        select rolname::text, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
          from pg_roles where rolname like 'auditctl\\_%' order by 1
    """).fetchall() == [(f"auditctl_{name}", *[False] * 6) for name in ("admin", "app", "backup", "owner", "reader")]
