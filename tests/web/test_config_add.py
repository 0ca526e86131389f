"""Adding an activity log: one form leads to a table or a business event, and suggests what is not recorded yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.capturing import audit
from tests.web.configuring import ITEM, page

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.web import Client

EVERY = ["create", "update", "delete", "truncate"]


def test_the_form_asks_for_type_target_and_actions_and_suggests_what_is_not_recorded(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    conn.execute(ITEM)
    conn.execute("create table audited (id int primary key)")
    audit(db, "public.audited")
    conn.execute("select auditctl.record_event('auth.login', null, 'signed in')")
    text = admin.get("/config/add").text
    assert page(admin, "/config/add").form("/config/add") == {
        "type": ["table"],
        "table": [""],
        "action": EVERY,
        "event": [""],
    }
    for name, is_suggested in (("public.item", True), ("public.audited", False), ("auth.login", True)):
        assert (f'<option value="{name}">' in text) is is_suggested, name


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("type=table&table=+item+&action=create&action=delete", "/config/table?table=item&action=create&action=delete"),
        ("type=event&event=auth.login&table=item", "/config/event?target=auth.login"),
    ],
)
def test_it_leads_to_the_form_of_what_was_named(
    conn: psycopg.Connection, admin: Client, query: str, location: str
) -> None:
    conn.execute(ITEM)
    answer = admin.get(f"/config/add?{query}")
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert admin.get(location).status_code == 200


def test_the_actions_that_were_chosen_are_those_of_the_next_form(conn: psycopg.Connection, admin: Client) -> None:
    conn.execute(ITEM)
    path = "/config/table?table=item&action=create&action=delete"
    assert page(admin, path).form("/config/plan")["action"] == ["create", "delete"]


def test_a_form_without_a_target_asks_for_one_and_keeps_the_type(admin: Client) -> None:
    document = page(admin, "/config/add?type=event&action=read", 422)
    assert document.alerts == ["Target: name one Nothing was changed."]
    assert (document.form("/config/add")["type"], document.form("/config/add")["action"]) == (["event"], ["read"])
    assert admin.get("/config/table").headers["location"] == "/config/add"
    for query in ("type=view", "type=table&action=event"):
        assert admin.get(f"/config/add?{query}").status_code == 400
