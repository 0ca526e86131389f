"""Lists the settings on which it depends what a statement of the tool means, returns, may do or costs."""

from __future__ import annotations

from typing import Final, LiteralString

SEARCH_PATH = "pg_catalog, pg_temp"
"""The search path of every session of the tool: only PostgreSQL's own operators and functions are found by name."""

SETTINGS: Final[dict[LiteralString, LiteralString]] = {
    "search_path": SEARCH_PATH,
    # What literals and expressions mean.
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "xmloption": "content",
    # What values look like; psycopg reads times in one style only.
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "quote_all_identifiers": "off",
    # What may be done. Without row security the log is an error to readers.
    "row_security": "on",
    "restrict_nonsystem_relation_kind": "",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "exit_on_error": "off",
    # No command of the tool ends half-way because it takes long; people end it with Ctrl-C.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # How tables, roles and functions are made. A default tablespace that is named makes partitioned tables an error.
    "default_tablespace": "",
    "default_table_access_method": "heap",
    "createrole_self_grant": "",
    "check_function_bodies": "on",
    # To compile a statement of the tool takes up to a hundred times as long as to run it.
    "jit": "off",
}
"""The settings of every session of the tool: on them it depends what a statement means, returns, may do or costs."""


def pin_statement(*, local: bool) -> LiteralString:
    """Return the statement that gives a session every setting of `SETTINGS` that its server knows.

    Args:
        local: Whether they end with the transaction.
    """
    values: LiteralString = ", ".join(f"('{name}', '{value}')" for name, value in SETTINGS.items())
    scope: LiteralString = "true" if local else "false"
    return (
        f"select pg_catalog.set_config(pinned.name, pinned.value, {scope})"  # noqa: S608 - constants of ours
        f" from (values {values}) as pinned (name, value)"
        " where pg_catalog.current_setting(pinned.name, true) is not null"
    )
