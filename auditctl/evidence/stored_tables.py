"""Compares the tables that hold the log and its evidence with those that sql/tables creates, before they are read.

A superuser can drop one, drop or retype a column, or put a view in its place, which would run code of its own. Nothing
of that may stop verification: what is not as it was created is a finding, and is not read.
"""

from __future__ import annotations

import re
from functools import cache

from auditctl import resources
from auditctl.database import Connection
from auditctl.evidence.findings import Finding, Report
from auditctl.names import ROLE_OWNER
from auditctl.text import plural

TABLES = ("event", "incarnation", "block", "node", "checkpoint", "erasure", "pruned")
"""The tables that verification reads, in schema auditctl."""

REVISION = "alembic_version"
"""The table with the store's revision, which Alembic creates."""

_COMPARED = (*TABLES, REVISION)

_TABLE = re.compile(r"^create table auditctl\.(\w+) \(\n(.*?)^\)", re.DOTALL | re.MULTILINE)
_COLUMN = re.compile(r'^    (?!constraint )"?(\w+)"? ([\w.]+(?:\[\])?)', re.MULTILINE)

_DIFFERENCES = """
    select w.relation, w.name, c.relkind, c.relkind in ('r', 'p'), a.attnum is not null,
           format_type(a.atttypid, a.atttypmod), w.type,
           (select string_agg(o.oid::regclass::text, ' and ' order by o.oid) from pg_class as o
             where c.oid is null and o.relname = w.relation and o.relkind in ('r', 'p')
               and o.relowner = (select r.oid from pg_roles as r where r.rolname = 'auditctl_owner'))
      from unnest(%s::text[], %s::text[], %s::text[]) as w (relation, name, type)
      left join pg_namespace as n on n.nspname = 'auditctl'
      left join pg_class as c on c.relnamespace = n.oid and c.relname = w.relation
      left join pg_attribute as a
           on a.attrelid = c.oid and a.attname = w.name and a.attnum > 0 and not a.attisdropped
     where c.oid is null or c.relkind not in ('r', 'p') or a.atttypid is distinct from to_regtype(w.type)
     order by array_position(%s, w.relation), w.name
"""

_TRACES = {
    "incarnation": "select count(*) from auditctl.incarnation",
    "node": "select count(*) from auditctl.node",
    "erasure": "select count(*) from auditctl.erasure where block is not null",
    "pruned": "select count(*) from auditctl.pruned",
}
"""What only sealing leaves, by table."""


@cache
def _columns() -> tuple[tuple[str, str, str], ...]:
    """Return table, column and type of each column, as the files create them."""
    text = "\n".join(resources.sql_texts("tables"))
    tables = {name: body for name, body in _TABLE.findall(text) if name in TABLES}
    columns = ((name, *column) for name in TABLES for column in _COLUMN.findall(tables[name]))
    return (*columns, (REVISION, "version_num", "character varying"))


def report_differences(conn: Connection, report: Report) -> frozenset[str]:
    """Report each table that is not as it was created, and return those that are, which can be read.

    The revision's table is one of them.
    """
    names = [list(one) for one in zip(*_columns(), strict=True)]
    differing: set[str] = set()
    for table, column, kind, is_table, has_column, current, expected, elsewhere in conn.execute(
        _DIFFERENCES, [*names, list(_COMPARED)]
    ).fetchall():
        if kind is None or not is_table:
            what = "is missing" if kind is None else "was replaced by something that is not a table"
            what += f"; {ROLE_OWNER} has {elsewhere}" if elsewhere else ""
            sentence, column = f"the table auditctl.{table} {what}", None
        elif not has_column:
            sentence = f"the table auditctl.{table} lacks its column {column}"
        else:
            sentence = f"the column {column} of auditctl.{table} has the type {current} instead of {expected}"
        if column is not None or table not in differing:
            report.add(Finding("table", sentence, column=column))
        differing.add(table)
    return frozenset(_COMPARED) - differing


def find_traces(conn: Connection, readable: frozenset[str]) -> str:
    """Return what shows that a log without blocks was sealed, as a phrase; empty if nothing does."""
    found = []
    for table, query in _TRACES.items():
        count = conn.execute(query.encode()).fetchone() if table in readable else None
        if count is not None and count[0]:
            found.append(f"auditctl.{table} has {plural(count[0], 'row')}")
    return ", ".join(found)
