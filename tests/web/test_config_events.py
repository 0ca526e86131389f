"""Types of business events on the page: added, named, switched off and removed, each after its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.capture import event_types
from tests.support.capturing import apply, audit
from tests.web.configuring import ITEM, applied, asked, changes, done, page, planned
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page

FORM = "/config/event?target=auth.login"
SIGN_IN = "select auditctl.record_event('auth.login', null, 'signed in')"


def stored(conn: psycopg.Connection) -> list[tuple[str, str | None, bool]]:
    return [(one.name, one.label, one.enabled) for one in event_types.read(conn)]


def lines(client: Client) -> list[list[str]]:
    """The lines of the table of business events."""
    rows = page(client, "/config").rows
    return rows[next(number for number, row in enumerate(rows) if row[0] == "Target") + 1 :]


def test_a_type_is_added_changed_switched_off_and_removed(conn: psycopg.Connection, admin: Client) -> None:
    conn.execute(SIGN_IN)
    assert lines(admin)[2] == ["auth.login", "", "recorded", "Log Edit Switch off"]
    plan = planned(admin, FORM, label=["Sign-in"])
    assert changes(plan) == [["CREATE", "auth.login", "EVENT", "Its type is new."]]
    assert stored(conn) == []
    assert done(admin, plan) == "auth.login is recorded and shown as Sign-in."
    assert stored(conn) == [("auth.login", "Sign-in", True)]
    *own, link = [address for text, address in page(admin, "/config").links if text == "Switch off"]
    assert own == [f"/config/event?target=auditctl.{name}&enabled=0" for name in ("lookup", "session")]
    assert link == "/config/event?target=auth.login&enabled=0"
    plan = planned(admin, link)
    assert changes(plan) == [["REPLACE", "auth.login", "EVENT", "It is switched off."]]
    assert done(admin, plan) == "auth.login is no longer recorded."
    assert conn.execute(SIGN_IN).fetchone() == (None,)
    assert lines(admin)[2] == ["auth.login", "Sign-in", "not recorded", "Log Edit Switch on"]
    plan = planned(admin, FORM, remove=["1"])
    assert changes(plan) == [["DROP", "auth.login", "EVENT", "Its type is removed."]]
    assert done(admin, plan, reason=["ticket 4711"]) == "Removed the type of auth.login."
    assert stored(conn) == []
    recorded = (
        "select action, reason from auditctl.activity where target_name = 'auditctl.event_type' order by event_id"
    )
    assert conn.execute(recorded).fetchall() == [("CREATE", None), ("UPDATE", None), ("DELETE", "ticket 4711")]


def test_who_looks_at_the_log_is_recorded_until_that_is_switched_off(conn: psycopg.Connection, admin: Client) -> None:
    looks = "select count(*) from auditctl.event where target = 'auditctl.lookup'"
    assert admin.get("/").status_code == 200
    plan = planned(admin, "/config/event?target=auditctl.lookup&enabled=0")
    assert done(admin, plan) == "auditctl.lookup is no longer recorded."
    assert "EVENT of auditctl.lookup is not recorded since" in admin.get("/?action=event").text
    assert conn.execute(looks).fetchone() == (1,)


def test_other_types_rules_and_times_stay_as_they_are(db: str, conn: psycopg.Connection, admin: Client) -> None:
    conn.execute(ITEM)
    apply(db, '[[table]]\nname = "item"\n[[event]]\nname = "backup"\n[[event]]\nname = "chat.*"\nenabled = false\n')
    conn.execute("alter event trigger auditctl_guard_ddl disable")
    conn.execute("alter table item disable trigger auditctl_update")
    plan = planned(admin, "/config/event?target=chat.support")
    assert changes(plan) == [["CREATE", "chat.support", "EVENT", "Its type is new, switched off."]]
    done(admin, plan)
    assert stored(conn) == [("backup", None, True), ("chat.*", None, False), ("chat.support", None, False)]


def test_the_form_keeps_all_that_was_entered_when_it_is_edited_or_does_not_fit(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    conn.execute(ITEM)
    audit(db, "public.item", label="Thing")
    typed = {"target": ["auth.*"], "label": ["Sign-in"], "enabled": []}
    answer = asked(admin, FORM, **typed)
    assert answer.status_code == 422
    document = read(answer.text)
    assert document.alerts == ["Label: a label belongs to one type, and auth.* is a glob Nothing was changed."]
    assert document.form("/config/plan")["label"] == ["Sign-in"]
    for label, target, message in (
        ("Thing", "auth.login", "Label: Thing is already used for public.item"),
        ("", "auditctl.role", "Target: auditctl.role belongs to auditctl itself"),
        ("", "", "Target: must be a string such as billing.plan_change"),
    ):
        answer = asked(admin, FORM, label=[label], target=[target])
        assert (answer.status_code, message in answer.text) == (422, True), message
    plan = planned(admin, FORM, label=["Sign-in"])
    edited = admin.post("/config/edit", data={**plan.form("/config/apply"), "reason": "ticket 4711"})
    fields = read(edited.text).form("/config/plan")
    assert (fields["label"], fields["enabled"], fields["reason"]) == (["Sign-in"], ["1"], ["ticket 4711"])
    again = read(admin.post("/config/plan", data=fields).text)
    assert again.form("/config/apply")["reason"] == ["ticket 4711"]


def test_a_plan_that_somebody_else_outdated_is_refused_and_shown_anew(conn: psycopg.Connection, admin: Client) -> None:
    plan = planned(admin, FORM, label=["Sign-in"])
    conn.execute("insert into auditctl.event_type (name, label) values ('auth.login', 'Login')")
    answer = applied(admin, plan)
    assert answer.status_code == 409
    assert "The database changed after the plan was shown." in read(answer.text).alerts[0]
    assert changes(read(answer.text)) == [["REPLACE", "auth.login", "EVENT", "Its label differs."]]
    assert stored(conn) == [("auth.login", "Login", True)]


def test_administrators_state_types_unless_they_are_limited_to_tables(
    conn: psycopg.Connection, page: Page, person: MakeLogin
) -> None:
    client = page.as_login(person("deputy", roles=["auditctl_admin"]))
    assert done(client, planned(client, FORM)) == "auth.login is recorded."
    plan = planned(client, FORM, label=["Sign-in"])
    conn.execute("insert into auditctl.administration (patterns) values ('{*.*}')")
    refused = applied(client, plan)
    assert "the section [admin] limits administrators to tables, and leaves event types out" in refused.text
    assert stored(conn) == [("auth.login", None, True)]
    assert "/config/apply" not in [address for address, _ in read(refused.text).forms]


def test_a_target_with_a_nul_byte_is_refused(admin: Client) -> None:
    answer = admin.get("/config/event?target=%00")
    assert answer.status_code == 400
    assert "The target holds a NUL byte, which no name in the log has." in answer.text
