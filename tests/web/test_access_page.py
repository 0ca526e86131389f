"""The page of access: readers see who may do what, administrators grant and revoke after a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.sql import SQL, Identifier

from auditctl import database
from auditctl.capture import roles
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client


def test_readers_read_the_list_and_change_nothing(db: str, reader: Client, login: MakeLogin) -> None:
    carol = login("carol").name
    with database.connect(db) as conn:
        roles.grant(conn, "app", carol)
    text = reader.get("/access").text
    assert carol in text
    assert "auditctl_app" in text
    assert "/access/plan" not in text
    fields = {"change": "grant", "role": "reader", "login": carol}
    assert reader.form("/access/plan", fields, source="/access").status_code == 403


def test_an_administrator_grants_and_revokes_what_was_planned(
    db: str, conn: psycopg.Connection, admin: Client, login: MakeLogin
) -> None:
    carol = login("carol").name
    asked = {"change": "grant", "role": "reader", "login": f" {carol} "}
    planned = admin.form("/access/plan", asked, source="/access").text
    assert f"grant &#34;auditctl_reader&#34; to &#34;{carol}&#34;;" in planned
    member = "select pg_has_role(%s, 'auditctl_reader', 'member')"
    assert conn.execute(member, [carol]).fetchone() == (False,)
    fields = {**read(planned).form("/access/apply"), "reason": "ticket 7"}
    assert admin.post("/access/apply", data=fields).headers["location"] == "/access"
    assert f"Granted reader to {carol}." in admin.get("/access").text
    assert conn.execute(member, [carol]).fetchone() == (True,)
    recorded = "select reason from auditctl.activity where target = 'auditctl.role' order by event_id desc limit 1"
    assert conn.execute(recorded).fetchone() == ("ticket 7",)
    again = admin.form("/access/plan", asked, source="/access").text
    assert "No changes needed" in again
    revoked = admin.form("/access/plan", {**asked, "change": "revoke"}, source="/access").text
    assert admin.post("/access/apply", data=read(revoked).form("/access/apply")).status_code == 303
    assert conn.execute(member, [carol]).fetchone() == (False,)


def test_a_login_with_a_blank_at_its_end_is_not_the_one_without(
    db: str, conn: psycopg.Connection, admin: Client, login: MakeLogin
) -> None:
    carol = login("carol").name
    conn.execute(SQL("create role {} login").format(Identifier(f"{carol} ")))
    try:
        with database.connect(db) as own:
            roles.grant(own, "reader", carol)
            roles.grant(own, "reader", f"{carol} ")
        assert f"&#34;{carol} &#34;" in admin.get("/access").text
        asked = {"change": "revoke", "role": "reader", "login": f"{carol} "}
        planned = admin.form("/access/plan", asked, source="/access").text
        assert f"from &#34;{carol} &#34;;" in planned
        assert admin.post("/access/apply", data=read(planned).form("/access/apply")).status_code == 303
        members = "select rolname from pg_roles where rolname ~ %s and pg_has_role(oid, 'auditctl_reader', 'member')"
        assert conn.execute(members, [f"^{carol} *$"]).fetchall() == [(carol,)]
    finally:
        conn.execute(SQL("drop role {}").format(Identifier(f"{carol} ")))


def test_a_plan_of_a_revocation_says_what_stays(db: str, admin: Client, login: MakeLogin) -> None:
    carol = login("carol").name
    with database.connect(db) as conn:
        roles.grant(conn, "reader", carol)
        roles.grant(conn, "backup", carol)
    fields = {"change": "revoke", "role": "reader", "login": carol}
    text = admin.form("/access/plan", fields, source="/access").text
    assert f"{carol} may still read the log afterwards, through auditctl_backup" in text


def test_wrong_input_changes_nothing(admin: Client) -> None:
    for fields, status, message in (
        ({"change": "take", "role": "reader", "login": "x"}, 400, "is not grant or revoke"),
        ({"change": "grant", "role": "owner", "login": "x"}, 400, "is not a role"),
        ({"change": "grant", "role": "reader", "login": "nobody_here"}, 422, "the login nobody_here does not exist"),
        ({"change": "grant", "role": "reader", "login": ""}, 400, "cannot be empty"),
        ({"change": "grant", "role": "reader", "login": "a\0b"}, 400, "cannot be empty"),
        ({"change": "grant", "role": "reader", "login": "<b>a</b>"}, 422, "&lt;b&gt;a&lt;/b&gt;"),
    ):
        for path in ("/access/plan", "/access/apply"):
            answer = admin.form(path, fields, source="/access")
            assert (answer.status_code, message in answer.text) == (status, True), (path, fields)
