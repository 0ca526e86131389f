"""Changing the configuration in a browser: what was shown is what is done, once and as a whole, or nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.actions import Action
from auditctl.capture.rule_keys import Rule
from auditctl.capture.validate import STORED
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with, running
from tests.support.capturing import EVENTS, apply, audit, pending, triggers
from tests.web import configuring
from tests.web.configuring import ADD, ITEM, applied, changes, done, events, everything, planned, stored
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page

STOP = "/config/disable?table=item"
NOT_YET = "There is no trigger yet."


db_template = begin_with(running(ITEM))


def test_a_table_is_added_as_the_form_says(db: str, conn: psycopg.Connection, admin: Client) -> None:
    plan = planned(admin, ADD, action=["create", "delete"], label=["Thing"], mask=["secret"], exclude=["noted"])
    assert changes(plan) == [["CREATE", "public.item", action, NOT_YET] for action in ("CREATE", "DELETE")]
    assert triggers(conn) == []
    assert done(admin, plan) == "Applied 2 changes to public.item."
    rule = Rule("public.item", (Action.CREATE, Action.DELETE), "Thing", ("noted",), ("secret",), origin=STORED)
    assert stored(conn) == [rule]
    conn.execute("insert into item values (1, 'a', 'hidden', 'no')")
    row = {"id": 1, "name": "a", "secret": {"$masked": True}}
    assert conn.execute(EVENTS, [["public.item"]]).fetchall() == [("public.item", "CREATE", "1", None, row)]


def test_the_statements_shown_are_those_that_the_command_prints(db: str, admin: Client, auditctl: RunAuditctl) -> None:
    audit(db, "public.item")
    with connect(db) as conn:
        conn.execute("alter event trigger auditctl_guard_ddl disable")
        conn.execute("alter table item disable trigger auditctl_update")
    printed = auditctl("plan", "--sql", check=0).out
    assert "enable always trigger" in printed
    assert " ".join(printed.split()) in everything(admin).text


def test_a_plan_alone_changes_nothing(db: str, conn: psycopg.Connection, admin: Client) -> None:
    before = events(db)
    for path in (ADD, ADD):
        planned(admin, path)
    assert (triggers(conn), stored(conn), events(db)) == ([], [], before)


def test_a_change_carries_its_reason_and_the_next_one_none(conn: psycopg.Connection, admin: Client) -> None:
    assert applied(admin, planned(admin, ADD), reason=["ticket 4711"]).status_code == 303
    assert applied(admin, planned(admin, ADD, label=["Thing"])).status_code == 303
    query = "select reason from auditctl.activity where target_name = 'auditctl.rule' order by event_id"
    assert conn.execute(query).fetchall()[-2:] == [("ticket 4711",), (None,)]


def test_a_label_alone_is_planned_as_a_rule_and_stored(db: str, conn: psycopg.Connection, admin: Client) -> None:
    audit(db, "public.item", label="Thing")
    plan = planned(admin, ADD, label=["Article"])
    assert (
        "now CREATE UPDATE DELETE TRUNCATE label: Thing then CREATE UPDATE DELETE TRUNCATE label: Article" in plan.text
    )
    assert "No trigger has to change, only the rules." in plan.text
    assert done(admin, plan) == "Stored the rule of public.item. No trigger had to change."
    assert [rule.label for rule in stored(conn)] == ["Article"]


def test_a_table_is_disabled_as_a_whole_and_keeps_its_log(db: str, conn: psycopg.Connection, admin: Client) -> None:
    audit(db, "public.item")
    conn.execute("insert into item values (1)")
    plan = planned(admin, STOP)
    assert done(admin, plan) == "Applied 8 changes to public.item."
    conn.execute("insert into item values (2)")
    assert (triggers(conn), stored(conn)) == ([], [])
    assert len(conn.execute(EVENTS, [["public.item"]]).fetchall()) == 1


def test_some_actions_are_disabled(db: str, conn: psycopg.Connection, admin: Client) -> None:
    audit(db, "public.item", mask=("secret",))
    plan = planned(admin, STOP, action=["truncate", "delete"])
    done(admin, plan)
    assert stored(conn) == [Rule("public.item", (Action.CREATE, Action.UPDATE), mask=("secret",), origin=STORED)]
    assert [name for _, name, _ in triggers(conn)] == ["auditctl_create", "auditctl_update"]
    assert pending(db) == []


def test_a_table_is_taken_out_of_a_glob(db: str, conn: psycopg.Connection, admin: Client) -> None:
    conn.execute("create table other (id int primary key)")
    audit(db, "public.*")
    assert "gets a rule of its own without these actions" in configuring.page(admin, STOP).text
    done(admin, planned(admin, STOP))
    assert {table for table, _, _ in triggers(conn)} == {"public.other"}
    assert pending(db) == []


def test_what_is_not_audited_cannot_be_disabled(conn: psycopg.Connection, admin: Client) -> None:
    document = configuring.page(admin, STOP)
    assert "public.item is not audited." in document.text
    assert "/config/plan" not in [address for address, _ in document.forms]
    token = document.form("/logout")
    answer = admin.post("/config/plan", data={**token, "change": "disable", "table": "item", "action": "create"})
    assert answer.status_code == 422
    assert "public.item is not audited" in read(answer.text).alerts[0]


def test_all_that_drifted_is_repaired_at_once(
    db: str, conn: psycopg.Connection, unguarded: None, admin: Client
) -> None:
    audit(db, "public.*")
    conn.execute("create table other (id int primary key)")
    conn.execute("alter table item disable trigger auditctl_update")
    plan = everything(admin)
    assert changes(plan) == [
        ["ENABLE", "public.item", "UPDATE", "The trigger is disabled. by rule public.*"],
        *(
            ["CREATE", "public.other", action, f"{NOT_YET} by rule public.*"]
            for action in ("CREATE", "UPDATE", "DELETE", "TRUNCATE")
        ),
    ]
    assert done(admin, plan) == "Applied 5 changes."
    assert pending(db) == []


def test_applying_all_registers_the_tables_anew_where_nothing_else_is_to_do(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    audit(db, "public.item")
    before = conn.execute("select relation::text, target, actions from auditctl.capture").fetchall()
    conn.execute("delete from auditctl.capture")
    plan = everything(admin)
    assert "No trigger has to change: only what is registered of the tables." in plan.text
    assert done(admin, plan) == "No trigger had to change. The audited tables were registered again."
    assert conn.execute("select relation::text, target, actions from auditctl.capture").fetchall() == before


def test_rules_that_fit_no_more_are_named_before_all_is_applied(
    db: str, conn: psycopg.Connection, unguarded: None, admin: Client
) -> None:
    audit(db, "public.item")
    conn.execute("drop table item")
    answer = admin.post("/config/plan", data=configuring.page(admin, "/config").form("/config/plan"))
    assert answer.status_code == 422
    assert read(answer.text).alerts == ["rule public.item: name: there is no table public.item Nothing was changed."]


def test_what_changed_after_the_plan_was_shown_is_not_done_but_shown(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    plan = planned(admin, ADD)
    conn.execute("alter table item add column late text")
    answer = applied(admin, plan)
    assert answer.status_code == 409
    fresh = read(answer.text)
    assert fresh.alerts == ["The database changed after the plan was shown. Nothing was changed. This is the plan now."]
    assert (triggers(conn), stored(conn)) == ([], [])
    assert done(admin, fresh) == "Applied 4 changes to public.item."


def test_a_table_that_was_made_anew_is_another_one(conn: psycopg.Connection, admin: Client) -> None:
    plan = planned(admin, ADD)
    conn.execute("drop table item")
    conn.execute(ITEM)
    assert applied(admin, plan).status_code == 409
    assert triggers(conn) == []


def test_a_rule_that_somebody_else_stated_meanwhile_is_not_overwritten_unseen(
    db: str, conn: psycopg.Connection, admin: Client
) -> None:
    audit(db, "public.item", label="Thing")
    plan = planned(admin, ADD, label=["Article"])
    audit(db, "public.item", label="Ware")
    answer = applied(admin, plan)
    assert answer.status_code == 409
    assert "label: Ware then" in read(answer.text).text
    assert [rule.label for rule in stored(conn)] == ["Ware"]


FORGED: list[dict[str, list[str]]] = [
    {"label": ["Another"]},
    {"mask": ["secret"]},
    {"action": ["create"]},
    {"table": ["public.other"]},
    {"change": ["apply"]},
    {"shown": ["0" * 64]},
    {"shown": ["\N{SNOWMAN}"]},
]


def test_a_form_that_asks_for_something_else_than_was_shown_is_refused(conn: psycopg.Connection, admin: Client) -> None:
    conn.execute("create table other (id int primary key)")
    plan = planned(admin, ADD)
    for forged in FORGED:
        answer = applied(admin, plan, **forged)
        assert answer.status_code in (303, 409)
        assert (forged, triggers(conn), stored(conn)) == (forged, [], [])


def test_a_form_sent_twice_is_done_once(db: str, admin: Client) -> None:
    plan = planned(admin, ADD)
    assert applied(admin, plan).status_code == 303
    before = events(db)
    assert done(admin, plan).startswith("Applied 4 changes")
    assert applied(admin, plan).status_code == 303
    assert "Nothing had to be done: the database already matches." in configuring.page(admin, "/config").text
    assert events(db) == before


def test_a_message_is_said_once_and_to_nobody_else(page: Page, admin: Client, person: MakeLogin) -> None:
    other = page.as_login(person("other", attributes="superuser"))
    assert applied(admin, planned(admin, ADD)).status_code == 303
    assert 'role="status"' not in other.get("/config").text
    assert 'role="status"' in admin.get("/config").text
    assert 'role="status"' not in admin.get("/config").text


def test_who_changed_what_is_in_the_log_with_where_they_were(conn: psycopg.Connection, admin: Client) -> None:
    done(admin, planned(admin, ADD))
    own = """
        select target, db_user like 'admin%', context->>'claimed_ip', context->>'application_name'
          from auditctl.event where target not in ('auditctl.store', 'auditctl.session') order by 1
    """
    where = (True, "127.0.0.1", "auditctl serve")
    assert conn.execute(own).fetchall() == [("auditctl.capture", *where), ("auditctl.rule", *where)]


def test_reads_are_recorded_as_stated(conn: psycopg.Connection, admin: Client) -> None:
    plan = planned(admin, ADD, action=["read"], read_query=["1"])
    assert "public.item gets row security" in plan.text
    done(admin, plan)
    assert stored(conn) == [Rule("public.item", (Action.READ,), read_query=True, origin=STORED)]


def test_retention_and_event_types_stay_as_they_are(db: str, conn: psycopg.Connection, admin: Client) -> None:
    apply(
        db, '[retention]\nkeep = "400 days"\n[[event]]\nname = "backup"\nlabel = "Backup"\n[[table]]\nname = "item"\n'
    )
    before = configuring.page(admin, "/config").text.partition("Business events")[2]
    done(admin, planned(admin, STOP))
    assert (
        configuring.page(admin, "/config").text.partition("Business events")[2].partition("As a file")[0]
        == before.partition("As a file")[0]
    )
