"""The page of retention: readers see what is kept how long, administrators set times and holds after a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.web import Client

pytestmark = pytest.mark.slow

PLAN, APPLY, PAGE = "/retention/plan", "/retention/apply", "/retention"


@pytest.fixture(autouse=True)
def old_event(conn: psycopg.Connection) -> None:
    """An event of a month that a short time deletes."""
    conn.execute("select auditctl_internal.create_partition('2024-02-01')")
    conn.execute(
        "insert into auditctl.event (occurred_at, actor_kind, db_user, target, target_id, action, new_values) "
        "values ('2024-02-03', 'database', 'dba', 'shop.bill', '7', 'CREATE', '{\"id\": 7}')"
    )


def test_readers_see_times_holds_sizes_and_what_is_deleted_next(conn: psycopg.Connection, reader: Client) -> None:
    conn.execute("select auditctl.set_retention('*', '400 days')")
    assert "At the rate of the last 30 days the log grows" in reader.get(PAGE).text
    conn.execute("select auditctl.place_hold('shop.bill', '7', 'case <31>')")
    text = reader.get(PAGE).text
    for shown in (
        "every event",
        "400 days",
        "case &lt;31&gt;",
        "shop.bill",
        "2024-02",
        "The oldest event is of 3 Feb 2024, 00:00:00 UTC",
    ):
        assert shown in text, shown
    assert PLAN not in text
    assert reader.form(PLAN, {"change": "keep", "keep": "1 day"}, source="/access").status_code == 403


def test_a_shorter_time_says_what_it_deletes_and_is_stored_when_it_is_applied(
    conn: psycopg.Connection, admin: Client
) -> None:
    planned = admin.form(PLAN, {"change": "keep", "keep": " 400 days "}, source=PAGE).text
    assert "every event: keep 400 days, instead of" in planned
    assert "deletes from 1 month with about 1 event, the oldest" in planned
    stored = "select target, keep from auditctl.retention where until is null order by target"
    assert conn.execute(stored).fetchall() == [("*", None)]
    fields = {**read(planned).form(APPLY), "reason": ["new policy"]}
    assert admin.post(APPLY, data=fields).headers["location"] == f"{PAGE}#keep-%2A"
    assert conn.execute(stored).fetchall() == [("*", "400 days")]
    shown = admin.get(PAGE).text
    assert "every event: keep 400 days" in shown
    assert 'id="keep-%2A" class="changed"' in shown
    for keep, expected in (
        ("10 years", [("*", "400 days"), ("shop.bill", "10 years")]),
        ("as every event", [("*", "400 days")]),
    ):
        planned = admin.form(PLAN, {"change": "keep", "target": "shop.bill", "keep": keep}, source=PAGE).text
        admin.post(APPLY, data=read(planned).form(APPLY))
        assert conn.execute(stored).fetchall() == expected
    outdated = admin.form(PLAN, {"change": "keep", "keep": "500 days"}, source=PAGE).text
    conn.execute("select auditctl.set_retention('*', '450 days')")
    answer = admin.post(APPLY, data=read(outdated).form(APPLY))
    assert (answer.status_code, "the times changed after the plan was shown" in answer.text) == (409, True)
    assert "keep 500 days, instead of 450 days" in answer.text
    assert admin.post(APPLY, data=read(answer.text).form(APPLY)).status_code == 303
    admin.post(APPLY, data=read(admin.form(PLAN, {"change": "keep", "keep": "400 days"}, source=PAGE).text).form(APPLY))
    unneeded = admin.form(PLAN, {"change": "keep", "keep": "400 days"}, source=PAGE)
    assert "No changes needed" in unneeded.text
    assert admin.form(APPLY, {"change": "keep", "keep": "400 days"}, source=PAGE).headers["location"] == PAGE
    assert "Nothing had to be done" in admin.get(PAGE).text


def test_a_hold_is_placed_and_released_with_reasons(conn: psycopg.Connection, admin: Client) -> None:
    planned = admin.form(PLAN, {"change": "hold", "target": "shop.bill", "id": "7"}, source=PAGE).text
    assert "It keeps 1 event now" in planned
    fields = read(planned).form(APPLY)
    refused = admin.post(APPLY, data=fields)
    assert (refused.status_code, "a hold needs a reason" in refused.text) == (400, True)
    assert admin.post(APPLY, data={**fields, "reason": ["case 31"]}).status_code == 303
    in_force = "select hold_id, target, target_id, reason from auditctl.hold where released_at is null"
    ((number, *hold),) = conn.execute(in_force).fetchall()
    assert hold == ["shop.bill", "7", "case 31"]
    twice = admin.post(APPLY, data={**fields, "reason": ["case 31"]})
    assert (twice.status_code, "the holds changed after the plan was shown" in twice.text) == (409, True)
    assert conn.execute(in_force).rowcount == 1
    planned = admin.form(PLAN, {"change": "release", "hold": str(number)}, source=PAGE).text
    assert "Seven days after the next run of maintain" in planned
    fields = {**read(planned).form(APPLY), "reason": ["closed"]}
    assert admin.post(APPLY, data=fields).status_code == 303
    assert conn.execute(in_force).fetchall() == []
    again = admin.post(APPLY, data=fields)
    assert (again.status_code, "is not in force" in again.text) == (422, True)


def test_a_time_for_a_label_counts_for_its_table_and_one_for_an_unknown_name_says_so(
    conn: psycopg.Connection, admin: Client
) -> None:
    conn.execute("update auditctl.target set label = 'Bill' where target = 'shop.bill'")
    for typed, target, is_known in (
        ("Bill", "shop.bill", True),
        ("bill", "shop.bill", True),
        ("shop.bil", "shop.bil", False),
    ):
        planned = admin.form(PLAN, {"change": "keep", "target": typed, "keep": "10 years"}, source=PAGE).text
        assert f"{target}: keep 10 years" in planned, typed
        assert ("No event has this time yet" in planned) is not is_known, typed


def test_wrong_input_keeps_what_was_typed(admin: Client) -> None:
    for fields, status, message in (
        ({"change": "drop"}, 400, "is not a change of retention"),
        ({"change": "keep", "keep": "two <weeks>"}, 400, "is not a time to keep events"),
        ({"change": "hold", "target": "shop.nothing"}, 400, "knows no table"),
        ({"change": "hold", "target": ""}, 400, "the target is empty"),
        ({"change": "hold", "target": "shop.bill", "id": "a\0b"}, 400, "NUL"),
        ({"change": "release", "hold": "99"}, 422, "is not in force"),
    ):
        answer = admin.form(PLAN, fields, source=PAGE)
        assert (answer.status_code, message in answer.text) == (status, True), fields
    answer = admin.form(PLAN, {"change": "keep", "target": "shop.*", "keep": "two <weeks>"}, source=PAGE)
    typed = read(answer.text).form(PLAN)
    assert (typed["target"], typed["keep"]) == (["shop.*"], ["two <weeks>"])


def test_times_and_holds_are_changed_from_the_configuration_and_lead_back_to_their_row(
    conn: psycopg.Connection, admin: Client
) -> None:
    for form, typed, row, messages in (
        (
            "/retention/change?change=keep&back=config",
            {"target": "shop.bill", "keep": "10 years"},
            "keep-shop.bill",
            "shop.bill: keep 10 years, instead of as every event.",
        ),
        (
            "/retention/change?change=hold&back=config",
            {"target": "shop.bill", "id": "7", "reason": "case 31"},
            "hold-1",
            "Placed hold 1.",
        ),
        ("/retention/change?change=release&hold=1&back=config", {"reason": "closed"}, "holds", "Released hold 1."),
        (
            "/retention/change?change=keep&target=shop.bill&keep=as+every+event&back=config",
            {},
            "keep-shop.bill",
            "shop.bill: keep as every event, instead of 10 years.",
        ),
    ):
        planned = read(admin.post(PLAN, data={**read(admin.get(form).text).form(PLAN), **typed}).text).form(APPLY)
        edited = read(admin.post("/retention/change", data={**planned, "reason": ["typed late"]}).text).form(PLAN)
        assert edited["reason"] == ["typed late"]
        assert {name: edited[name] for name in typed if name != "reason"} == {
            name: [value] for name, value in typed.items() if name != "reason"
        }
        answer = admin.post(APPLY, data=planned)
        assert answer.headers["location"] == f"/config#{row}", answer.text
        shown = admin.get("/config").text
        assert f'role="status"><p>{messages}' in shown
        assert f'id="{row}"' in shown or "as every event" in form.replace("+", " ")
    links = {address for text, address in read(admin.get("/config").text).links if text in ("Edit", "+ Place a hold")}
    assert {
        "/retention/change?change=hold&back=config",
        "/retention/change?change=keep&back=config&keep=forever",
    } <= links
    for query in ("change=drop", "change=keep&back=https://example.com"):
        assert admin.get(f"/retention/change?{query}").status_code == 400
