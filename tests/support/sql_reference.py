"""The generated pages about SQL: docs/reference/sql.md from the catalog, errors.md from errors that are raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RELATIONS: LiteralString = """
    select c.relname, c.relkind = 'v', obj_description(c.oid, 'pg_class'),
           array_agg(array[a.attname::text, format_type(a.atttypid, a.atttypmod),
                           coalesce(col_description(c.oid, a.attnum), '')] order by a.attnum)
      from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'auditctl'::regnamespace and c.relkind in ('p', 'r', 'v') and not c.relispartition
       and c.relname <> 'alembic_version'
     group by c.oid order by c.relkind = 'v' desc, c.relname collate "C"
"""

TYPES: LiteralString = """
    select t.typname, obj_description(t.oid, 'pg_type'),
           (select string_agg('`' || e.enumlabel || '`', ', ' order by e.enumsortorder)
              from pg_enum as e where e.enumtypid = t.oid)
      from pg_type as t
     where t.typnamespace = 'auditctl'::regnamespace and t.typtype = 'e'
     order by t.typname collate "C"
"""

FUNCTIONS: LiteralString = """
    select p.proname, pg_get_function_arguments(p.oid), coalesce(pg_get_function_result(p.oid), ''), p.prokind = 'p',
           obj_description(p.oid, 'pg_proc'),
           case when has_function_privilege('public', p.oid, 'execute') then array['everyone']
                else array(select replace(role.name, 'auditctl_', '')
                             from unnest(array['auditctl_app', 'auditctl_reader', 'auditctl_admin', 'auditctl_backup',
                                               'pg_monitor'])
                                  with ordinality as role (name, position)
                            where exists (select from aclexplode(p.proacl) as a where a.grantee = role.name::regrole)
                            order by role.position)
           end
      from pg_proc as p where p.pronamespace = 'auditctl'::regnamespace
     order by p.proname collate "C", 2
"""


class Case(NamedTuple):
    """A statement that fails, and who runs it: `owner`, `app` or `superuser`."""

    login: str
    statement: LiteralString


ERRORS: Mapping[str, tuple[str, tuple[Case, ...]]] = {
    "UA001": (
        "The log is write-once. Raised for everyone who updates, deletes or truncates events, also for superusers and\n"
        "the owner, and for changes of what protects events, such as holds. There is no remedy: record an event that\n"
        "corrects the other, or let the retention time end.",
        (
            Case("superuser", "update auditctl.event set actor = 'mallory'"),
            Case("superuser", "truncate auditctl.event"),
            Case("superuser", "delete from auditctl.hold"),
        ),
    ),
    "UA002": (
        "The table has `require_actor`, and the application named no user. The write is refused. Name the user: see\n"
        "[Name the user in an application](../how-to/applications.md).",
        (Case("app", "insert into billing.payment values (1)"),),
    ),
    "UA003": (
        "The coverage guard refused DDL that would have silenced auditing, or would have changed the store. Stop\n"
        "auditing first, or see [Migrations](../how-to/migrations.md).",
        (
            Case("owner", "drop table billing.invoice"),
            Case("owner", "alter table billing.invoice disable trigger auditctl_update"),
            Case("owner", "create rule divert as on update to billing.invoice do instead nothing"),
            Case("owner", "drop trigger auditctl_delete on billing.invoice"),
        ),
    ),
    "UA004": (
        "The table has `require_reason`, and nobody gave one. The write is refused. Give a reason with the user:\n"
        "`p_reason` in SQL, `reason=` in Python, a header or a callable in middleware.",
        (Case("app", "select auditctl.set_context('alice'); insert into billing.refund values (1)"),),
    ),
}
"""Each SQLSTATE of auditctl's own: what it means, and statements that raise it."""

SHOP: LiteralString = """
    create schema billing;
    create table billing.invoice (id integer primary key, amount numeric);
    create table billing.payment (id integer primary key);
    create table billing.refund (id integer primary key);
"""
"""The tables of those statements: `billing.payment` requires an actor, `billing.refund` a reason."""


def objects(conn: psycopg.Connection[Any]) -> str:
    """The generated part of docs/reference/sql.md."""
    return "\n".join([*_relations(conn), *_types(conn), *_functions(conn)])


def _relations(conn: psycopg.Connection[Any]) -> Iterator[str]:
    is_first = {True: "## Views\n", False: "## Tables\n"}
    for name, is_view, comment, columns in conn.execute(RELATIONS):
        yield from filter(None, [is_first.pop(is_view, "")])
        yield f"### auditctl.{name}\n\n{_sentence(comment)}\n"
        yield "| column | type | meaning |\n|---|---|---|"
        yield from (f"| `{column}` | `{kind}` | {_cell(meaning)} |" for column, kind, meaning in columns)
        yield ""


def _types(conn: psycopg.Connection[Any]) -> Iterator[str]:
    yield "## Types\n"
    for name, comment, values in conn.execute(TYPES):
        yield f"### {name}\n\n`auditctl.{name}`: {_sentence(comment)} Values: {values}.\n"


def _functions(conn: psycopg.Connection[Any]) -> Iterator[str]:
    yield "## Functions\n"
    for name, arguments, result, is_procedure, comment, roles in conn.execute(FUNCTIONS):
        what = (
            f"call auditctl.{name}({arguments})"
            if is_procedure
            else f"auditctl.{name}({arguments})\n    returns {result}"
        )
        yield f"### auditctl.{name}()\n\n```text\n{what}\n```\n"
        yield f"For {', '.join(roles) or 'the owner alone'}. {_sentence(comment)}\n"


def errors(conn: psycopg.Connection[Any], logins: Mapping[str, str]) -> str:
    """The generated part of docs/reference/errors.md; each statement is run as a login, in a transaction of its own."""
    parts = []
    for sqlstate, (meaning, cases) in ERRORS.items():
        parts.append(f"## {sqlstate}\n\n{meaning}\n")
        for case in cases:
            parts.append(f"```text\n{_failure(conn, logins[case.login], case, sqlstate)}\n```\n")
    return "\n".join(parts)


def _failure(conn: psycopg.Connection[Any], login: str, case: Case, sqlstate: str) -> str:
    conn.execute(f"set session authorization {login}".encode())
    try:
        with conn.transaction():
            conn.execute(case.statement, prepare=False)
    except psycopg.Error as error:
        assert error.sqlstate == sqlstate, f"{case.statement}: {error.sqlstate} {error}"
        lines = [f"=> {case.statement};", f"ERROR:  {error.sqlstate}: {error.diag.message_primary}"]
        lines += [f"DETAIL:  {error.diag.message_detail}"] if error.diag.message_detail else []
        lines += [f"HINT:  {error.diag.message_hint}"] if error.diag.message_hint else []
        return "\n".join(lines).replace(login, "alice_login")
    finally:
        conn.execute("reset session authorization")
    raise AssertionError(f"{case.statement} raised nothing")


def _sentence(text: str | None) -> str:
    return f"{(text or '').rstrip('.')}." if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
