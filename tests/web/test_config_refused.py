"""Who may not change the configuration in a browser: forged forms, and logins that lack a right, get nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl.database import INSTALLER
from tests.fixtures.templates import begin_with, running
from tests.support.capturing import triggers
from tests.web.configuring import ADD, ITEM, applied, done, events, planned, stored
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page


db_template = begin_with(running(ITEM))


@pytest.mark.parametrize("path", ["/config/plan", "/config/apply"])
def test_a_form_without_the_sessions_token_does_nothing(
    db: str, conn: psycopg.Connection, admin: Client, path: str
) -> None:
    before = events(db)
    form = planned(admin, ADD).form("/config/apply")
    for token in ([], [""], ["wrong"], ["\N{SNOWMAN}"]):
        assert admin.post(path, data={**form, "csrf": token}).status_code == 403
        assert (triggers(conn), stored(conn), events(db)) == ([], [], before)


def test_a_form_of_another_sites_page_does_nothing(conn: psycopg.Connection, admin: Client) -> None:
    plan = planned(admin, ADD)
    answer = admin.post("/config/apply", data=plan.form("/config/apply"), headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert triggers(conn) == []


def test_an_administrator_who_ceased_to_be_one_is_refused_at_once(
    conn: psycopg.Connection, page: Page, person: MakeLogin
) -> None:
    deputy = person("deputy", roles=["auditctl_admin", "auditctl_owner"])
    conn.execute(f"alter table item owner to {deputy.name}".encode())
    client = page.as_login(deputy)
    plan = planned(client, ADD)
    conn.execute(
        f"revoke auditctl_admin, auditctl_owner from {deputy.name}; grant auditctl_reader to {deputy.name}".encode()
    )
    assert applied(client, plan).status_code == 403
    assert triggers(conn) == []


def test_the_installing_login_applies_to_a_table_of_its_own(
    db: str, conn: psycopg.Connection, page: Page, person: MakeLogin
) -> None:
    dba = person("dba", roles=["auditctl_owner", "auditctl_admin"])
    conn.execute(f"alter table item owner to {dba.name}".encode())
    client = page.as_login(dba)
    assert done(client, planned(client, ADD)) == "Applied 4 changes to public.item."
    noted = conn.execute("select distinct db_user from auditctl.event where target = 'auditctl.capture'").fetchall()
    assert noted == [(dba.name,)]


def test_a_login_that_does_not_own_the_table_learns_who_may(
    conn: psycopg.Connection, page: Page, admin: Client, person: MakeLogin
) -> None:
    dba, owner = person("dba", roles=["auditctl_owner", "auditctl_admin"]), person("owner")
    conn.execute(f"alter table item owner to {owner.name}".encode())
    client = page.as_login(dba)
    plan = planned(client, ADD)
    assert f"{dba.name} does not own public.item (of {owner.name}), so it cannot create triggers there." in plan.text
    assert "/config/apply" not in [action for action, _ in plan.forms]
    fields = planned(admin, ADD).form("/config/apply")
    answer = client.post("/config/apply", data={**fields, **plan.form("/logout")})
    assert answer.status_code == 403
    assert read(answer.text).alerts == [
        "public.item: permission denied for table item Nothing was changed. Triggers are put on a table by its owner: "
        "use that login, a member of that role, or a superuser."
    ]
    assert (triggers(conn), stored(conn)) == ([], [])


def test_an_administrator_applies_to_a_table_of_another(
    conn: psycopg.Connection, page: Page, person: MakeLogin
) -> None:
    deputy = person("deputy", roles=["auditctl_admin"])
    client = page.as_login(deputy)
    assert done(client, planned(client, ADD)) == "Applied 4 changes to public.item."
    noted = conn.execute("select distinct db_user from auditctl.event where target = 'auditctl.capture'").fetchall()
    assert noted == [(deputy.name,)]


def test_an_administrator_is_refused_by_the_database_for_a_table_outside_of_the_limit(
    conn: psycopg.Connection, page: Page, admin: Client, person: MakeLogin
) -> None:
    conn.execute("insert into auditctl.administration (patterns) values ('{billing.*}')")
    client = page.as_login(person("deputy", roles=["auditctl_admin"]))
    fields = planned(admin, ADD).form("/config/apply")
    answer = client.post("/config/apply", data={**fields, **read(client.get("/").text).form("/logout")})
    assert answer.status_code == 403
    assert read(answer.text).alerts == [
        "administrators may not change public.item, which the section [admin] leaves out Nothing was changed. "
        f"{INSTALLER}",
    ]
    assert triggers(conn) == []
