"""What a database's schemas auditctl and auditctl_triggers consist of, read from the catalog in full."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, LiteralString

if TYPE_CHECKING:
    import psycopg

OURS: Final = "('auditctl'::regnamespace, 'auditctl_internal'::regnamespace, 'auditctl_triggers'::regnamespace)"

PARTS: Final[dict[str, LiteralString]] = {
    "schemas": """
        select nspname::text, pg_get_userbyid(nspowner)::text, nspacl::text, obj_description(oid, 'pg_namespace')
          from pg_namespace where nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers')
    """,
    "relations": """
        select c.oid::regclass::text, c.relkind::text, c.relpersistence::text, pg_get_userbyid(c.relowner)::text,
               c.relacl::text, c.reloptions::text, c.relrowsecurity, c.relispartition,
               pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid, 'pg_class')
          from pg_class as c where c.relnamespace in {ours} and c.relkind <> 'i'
    """,
    "columns": """
        select a.attrelid::regclass::text, a.attnum::int, a.attname::text, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.attidentity::text, a.attgenerated::text, a.attacl::text,
               pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
          from pg_attribute as a
          join pg_class as c on c.oid = a.attrelid
          left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where c.relnamespace in {ours} and a.attnum > 0 and not a.attisdropped and c.relkind <> 'i'
    """,
    "constraints": """
        select conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), convalidated, coninhcount::int
          from pg_constraint where connamespace in {ours}
    """,
    "indexes": """
        select schemaname::text, tablename::text, indexdef from pg_indexes
         where schemaname in ('auditctl', 'auditctl_internal', 'auditctl_triggers')
    """,
    "triggers": """
        select tgrelid::regclass::text, tgname::text, tgenabled::text, tgisinternal, tgparentid <> 0,
               pg_get_triggerdef(t.oid)
          from pg_trigger as t join pg_class as c on c.oid = t.tgrelid
         where c.relnamespace in {ours} and not t.tgisinternal or t.tgparentid <> 0
    """,
    "functions": """
        select oid::regprocedure::text, pg_get_functiondef(oid), pg_get_userbyid(proowner)::text, proacl::text,
               obj_description(oid, 'pg_proc')
          from pg_proc where pronamespace in {ours}
    """,
    "types": """
        select t.oid::regtype::text, t.typtype::text, pg_get_userbyid(t.typowner)::text, t.typacl::text,
               obj_description(t.oid, 'pg_type'),
               array(select e.enumlabel::text from pg_enum as e where e.enumtypid = t.oid order by e.enumsortorder)
          from pg_type as t where t.typnamespace in {ours}
    """,
    "views": "select viewname::text, definition from pg_views where schemaname = 'auditctl'",
    "default privileges": """
        select defaclrole::regrole::text, defaclobjtype::text, defaclacl::text from pg_default_acl
    """,
}
"""Each kind of object, and the query that describes it."""


def describe(conn: psycopg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Describe everything in the two schemas, sorted, without the object ids."""
    return {part: sorted(_rows(conn, query), key=repr) for part, query in PARTS.items()}


def _rows(conn: psycopg.Connection, query: LiteralString) -> list[tuple[Any, ...]]:
    return conn.execute(query.replace("{ours}", OURS)).fetchall()


LENT = (
    "auditctl_internal.put_trigger",
    "auditctl_internal.put_read_policy",
    "auditctl_internal.displacement(",
    "auditctl_internal.watch_displaced(",
    "auditctl.place",
    "auditctl_internal.lend(",
    "auditctl_internal.lend_rows(",
)

GUARDED = ("template_kept", "member_kept", "administration_kept")
"""Triggers that the coverage guard adds."""


def lent(described: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """All but what has the rights of the login that installed, and the object ids of tables."""
    return {
        part: [
            re.sub(r"tg_relid, \W+\d+", "...", str(row))
            for row in rows
            if not str(row[0]).startswith(LENT) and not (part == "triggers" and row[1] in GUARDED)
        ]
        for part, rows in described.items()
    }
