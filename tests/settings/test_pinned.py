"""What a statement of the tool or a function of the store means depends on no setting: each pins what it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from auditctl import database, resources, session_settings
from auditctl.store import install, install_script
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

HOSTILE = {
    "search_path": "hostile, pg_catalog",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "xmloption": "document",
    "DateStyle": "German, DMY",
    "IntervalStyle": "iso_8601",
    "TimeZone": "Asia/Kathmandu",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "restrict_nonsystem_relation_kind": "view",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "exit_on_error": "on",
    "statement_timeout": "600s",
    "lock_timeout": "600s",
    "transaction_timeout": "600s",
    "idle_in_transaction_session_timeout": "600s",
    "idle_session_timeout": "600s",
    "default_tablespace": "pg_default",
    "default_table_access_method": "nowhere",
    "createrole_self_grant": "set, inherit",
    "check_function_bodies": "off",
    "jit": "on",
}
"""Another value of every setting that the tool pins."""

UNPINNED = """
    select p.oid::regprocedure::text, p.prosrc
    from pg_proc as p
    join pg_language as l on l.oid = p.prolang
    where p.pronamespace in ('auditctl'::regnamespace, 'auditctl_internal'::regnamespace)
        and l.lanname in ('sql', 'plpgsql') and p.prosqlbody is null
        and not coalesce(p.proconfig, '{}')::text ~ 'search_path'
    order by 1
"""

CALLED_WITH_A_PINNED_PATH = {
    "array_image", "array_may_need_text", "captured_action", "changed", "changed_array", "changed_document",
    "changed_float", "changed_floats", "changed_image", "changed_text", "claim", "claimed_actor",
    "conditional_identity", "context",
    "document_image", "document_needs_wrapping", "event_limit", "exact_array", "exact_document", "exact_float",
    "exact_floats", "exact_image", "float_image", "float_needs_text", "floats_image", "floats_needs_text",
    "full_context", "has_shape", "has_visible", "holds_app_role", "identify", "identify_reader", "image_kind",
    "is_application", "is_database", "maintain", "other_identity", "own_keys", "parse_context", "quick_context",
    "read_mark", "record_carefully", "record_row", "record_update", "session_context", "session_identity",
    "unmapped", "visible",
}  # fmt: skip
"""Functions without a search path of their own: inlined, or called by capture alone, which has one; or a procedure."""


def known(conn: psycopg.Connection) -> list[str]:
    """Those settings that the server has."""
    query = "select array_agg(n) from unnest(%s::text[]) as n where current_setting(n, true) is not null"
    (names,) = conn.execute(query, [list(HOSTILE)]).fetchone() or ([],)
    return list(names)


def pinned(dsn: str) -> dict[str, str]:
    """The settings of a session of the tool."""
    with database.connect(dsn) as conn:
        return {name: str(conn.execute("select current_setting(%s)", [name]).fetchone()[0]) for name in known(conn)}  # type: ignore[index]


def test_every_pinned_setting_is_tried() -> None:
    assert list(session_settings.SETTINGS) == list(HOSTILE)


@pytest.mark.parametrize("source", ["database", "login", "session"])
def test_sessions_of_the_tool_have_its_settings_whatever_others_prefer(
    empty_db: str, login: MakeLogin, source: str
) -> None:
    mallory = login("mallory", attributes="superuser", dsn=empty_db)
    dsn = mallory.dsn
    with connect(empty_db) as conn:
        names = known(conn)
        objects = {
            "database": sql.SQL("database {}").format(sql.Identifier(conn.info.dbname)),
            "login": sql.SQL("role {}").format(sql.Identifier(mallory.name)),
        }
        for name in names if source in objects else ():
            conn.execute(sql.SQL("alter {} set {} = {}").format(objects[source], sql.Identifier(name), HOSTILE[name]))
    if source == "session":
        tried = [name for name in names if name != "default_table_access_method"]  # refused where it does not exist
        options = " ".join(f"-c {name}={HOSTILE[name].replace(' ', '')}" for name in tried)
        dsn = make_conninfo(dsn, options=options)
    usual = pinned(empty_db if source != "database" else dsn)
    assert {name: value.replace("0ms", "0") for name, value in usual.items()} == {
        name: value for name, value in session_settings.SETTINGS.items() if name in names
    }
    assert pinned(dsn) == usual


def test_store_is_the_same_whatever_the_database_prefers(empty_db: str, auditctl: RunAuditctl) -> None:
    with connect(empty_db) as conn:
        for name in known(conn):
            conn.execute(
                sql.SQL("alter database {} set {} = {}").format(
                    sql.Identifier(conn.info.dbname), sql.Identifier(name), HOSTILE[name]
                )
            )
    install(empty_db)
    install(empty_db)
    with connect(make_conninfo(empty_db, options="-c default_transaction_read_only=off -c exit_on_error=off")) as conn:
        conn.execute("create table public.note (id pg_catalog.int4 primary key, body pg_catalog.text)")
        auditctl("enable", "public.note", dsn=empty_db, check=0)
        conn.execute("insert into public.note values (1, 'x')")
    assert "id: 1" in auditctl("log", "--target", "public.note", dsn=empty_db, check=0).out
    auditctl("check", dsn=empty_db, check=0)


def test_script_of_install_pins_the_same() -> None:
    head = install_script().split("auditctl_owner")[0]
    assert all(f"('{name}', '{value}')" in head for name, value in session_settings.SETTINGS.items())


def test_every_function_has_a_search_path_or_is_called_with_one(conn: psycopg.Connection) -> None:
    found = {name.partition("(")[0].rpartition(".")[2] for name, _ in conn.execute(UNPINNED)}
    assert found <= CALLED_WITH_A_PINNED_PATH


def literals(text: str) -> Iterator[tuple[str, str]]:
    """Each literal of a file in SQL, with what is before it; comments and quoted names are left out."""
    token = re.compile(r"--[^\n]*|\"(?:[^\"]|\"\")*\"|(?P<before>[eE]?)'(?P<text>(?:[^'\\]|\\.|'')*)'", re.DOTALL)
    escaping, end = False, 0
    for match in token.finditer(text):
        if match["text"] is None:
            continue
        # After a line feed, a literal continues the one before.
        continues = escaping and not text[end : match.start()].strip() and "\n" in text[end : match.start()]
        escaping, end = bool(match["before"]) or continues, match.end()
        yield ("e" if escaping else ""), match["text"]


def test_no_literal_has_a_backslash_without_e() -> None:
    """Under `standard_conforming_strings = off` a backslash in a plain literal is another text."""
    folder = Path(resources.folder("sql"))
    found = [
        (file.relative_to(folder).as_posix(), text)
        for file in sorted([*folder.rglob("*.sql"), *folder.rglob("*.j2")])
        for before, text in literals(file.read_text())
        if "\\" in text and not before
    ]
    assert found == []


def test_generated_code_has_no_such_literal_either() -> None:
    found = [
        (file.name, text)
        for file in sorted((Path(__file__).parents[1] / "golden").glob("*.sql"))
        for before, text in literals(file.read_text())
        if "\\" in text and not before
    ]
    assert found == []
