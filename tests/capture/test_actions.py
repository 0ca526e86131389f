"""The captured actions: one row in Python and one in the database, and everything else follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest

from auditctl.actions import ACTIONS
from tests.fixtures import templates

if TYPE_CHECKING:
    from collections.abc import Iterator

STATES: LiteralString = """
    select s.trigger, s.fault, s.phrase
      from auditctl.capture as k
     cross join auditctl_internal.trigger_states(array[jsonb_populate_record(k, %s::jsonb)]) as s
     where s.fault is not null order by 1
"""

TABLES = """
    create table parent (id int primary key);
    create table child () inherits (parent);
    create table free (id int)
"""

db_template = templates.begin_with(templates.audited(TABLES, "parent"))


@pytest.fixture
def audited(conn: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A session with an audited table `parent` and its child `child`, where auditctl_owner acts."""
    conn.execute("set role auditctl_owner")
    yield conn
    conn.execute("reset role")


def test_the_rows_of_the_database_are_those_of_the_tool(conn: psycopg.Connection) -> None:
    rows = conn.execute("select action::text, trigger, event from auditctl_internal.captured_action()").fetchall()
    assert rows == [(captured.action.value, captured.trigger, captured.statement) for captured in ACTIONS]


def test_the_types_of_installed_triggers_are_those_of_the_registry(audited: psycopg.Connection) -> None:
    triggers: LiteralString = """
        select tgname::text, tgtype from pg_trigger
         where tgname ^@ 'auditctl_' and tgrelid = 'parent'::regclass order by 1
    """
    registry: LiteralString = "select trigger, type_bits from auditctl_internal.captured_action() order by 1"
    assert audited.execute(triggers).fetchall() == audited.execute(registry).fetchall()


def test_an_action_that_the_registry_lacks_is_a_fault(audited: psycopg.Connection) -> None:
    assert audited.execute(STATES, ["{}"]).fetchall() == []
    assert (
        audited.execute(STATES, ['{"actions": ["CREATE", "READ", "EVENT"]}']).fetchall()
        == [("auditctl_event", "unknown", "is for an action that this version does not know")] * 2
    )


@pytest.mark.parametrize(
    ("arguments", "sqlstate"),
    [
        ("'child', 'auditctl_create', 5 + 2, 'public__child__create'", "22023"),
        ("'child', 'auditctl_create', 5 + 64, 'public__child__create'", "22023"),
        ("'child', 'auditctl_create', 1, 'public__child__create'", "22023"),
        ("'child', 'auditctl_create', null, 'public__child__create'", "22023"),
        ("'child', 'a', 5, 'public__child__create'", "22023"),
        ("'child', null, 5, 'public__child__create'", "22023"),
        ("'child', 'auditctl_other', 5, 'nothing'", "42883"),
        ("'child', 'auditctl_create', 5, 'public__child__create'", "UA003"),  # the guard keeps the one that is there
        ("'parent', 'auditctl_merge', 5, 'public__child__create'", "39P03"),  # no command created it
        ("'free', 'auditctl_create', 5, 'public__child__create'", "42501"),
    ],
)
def test_the_lent_right_makes_capture_triggers_on_descendants_of_audited_tables_alone(
    audited: psycopg.Connection, arguments: LiteralString, sqlstate: str
) -> None:
    with pytest.raises(psycopg.DatabaseError) as error:
        audited.execute("select auditctl_internal.put_trigger(" + arguments + ")")
    assert error.value.sqlstate == sqlstate


@pytest.mark.usefixtures("unguarded")
def test_the_lent_right_makes_the_trigger_of_any_row_of_the_registry(audited: psycopg.Connection) -> None:
    made: LiteralString = """
        select auditctl_internal.put_trigger(
                   'child', a.trigger || '2', a.type_bits, 'public__child__' || lower(a.action::text)
               )
          from auditctl_internal.captured_action() as a
    """
    audited.execute(made)
    found: LiteralString = """
        select t.tgtype = a.type_bits and t.tgenabled = 'A' and t.tgtype <> 0
          from auditctl_internal.captured_action() as a
          join pg_trigger as t on t.tgname = a.trigger || '2' and t.tgrelid = 'child'::regclass
    """
    assert audited.execute(found).fetchall() == [(True,)] * len(ACTIONS)
