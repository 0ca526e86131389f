"""The configuration in a browser: what is audited and in which state, for administrators only."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from auditctl.capture.config import document as configuration
from auditctl.web.routes import ROUTES, Access
from tests.fixtures.databases import GUARD_OFF, connect
from tests.fixtures.templates import begin_with
from tests.support.capturing import apply, audit
from tests.web.configuring import ITEM, page, planned
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page

ADMIN_ROUTES = sorted(
    {(route.path, method) for route in ROUTES if route.access is Access.ADMIN for method in route.methods}
)

FILE = """
[retention]
keep = "400 days"

[[table]]
name = "public.item"
label = "Thing"
actions = ["create", "update"]
exclude = ["noted"]
mask = ["secret"]
require_actor = true

[[table]]
name = "shop.*"

[[event]]
name = "backup"
label = "Backup of the shop"

[[event]]
name = "chatter"
enabled = false
"""


def tables(client: Client, path: str = "/config") -> list[list[str]]:
    """The lines of the table of tables, without the heads."""
    rows = page(client, path).rows
    end = next(number for number, row in enumerate(rows) if row[0] == "Target")
    return [row for row in rows[:end] if row[0] != "Table"]


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute(GUARD_OFF)
        conn.execute(ITEM)
        conn.execute("create schema shop")
        for name in ("shop.dropped", "shop.silent", "shop.changed", "loose"):
            conn.execute(f"create table {name} (id int primary key, name text)".encode())
        apply(dsn, FILE)
        conn.execute("alter table shop.silent disable trigger auditctl_delete")
        conn.execute("drop trigger auditctl_create on shop.dropped")
        conn.execute("alter function auditctl_triggers.shop__changed__update() security invoker")


db_template = begin_with(prepare, fixture="configured")


@pytest.fixture
def configured(db: str) -> None:
    """One table in each state."""


@pytest.mark.parametrize(("path", "method"), ADMIN_ROUTES)
def test_a_reader_is_refused_on_every_page_of_administrators_and_it_is_noted(
    reader: Client, path: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = read(reader.get("/").text).form("/logout")
    with caplog.at_level(logging.WARNING, "auditctl.web"):
        answer = reader.request(method, path, data=token if method == "POST" else None)
    assert answer.status_code == 403
    assert "Only administrators of the log may see this page" in answer.text
    assert any(f"{method} {path} 403" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(("path", "method"), ADMIN_ROUTES)
def test_whoever_is_not_signed_in_is_led_to_the_form(page: Page, path: str, method: str) -> None:
    answer = page.client().request(method, path, data={"csrf": "x"} if method == "POST" else None)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


def test_only_administrators_have_links_to_the_pages(reader: Client, admin: Client) -> None:
    ours = {"/config", "/doctor"}
    assert not ours & {address for _, address in page(reader, "/").links}
    assert ours <= {address for _, address in page(admin, "/").links}


def test_each_table_stands_there_with_state_reason_and_rule(configured: None, admin: Client) -> None:
    recorded = "CREATE UPDATE DELETE TRUNCATE"
    assert tables(admin) == [
        [
            "public.item",
            "Thing",
            "ok",
            "CREATE UPDATE excluded: noted masked: secret requires a user",
            "Log Edit Disable",
        ],
        ["public.loose", "", "unaudited", "", "+ Add activity log"],
        [
            "shop.changed by rule shop.*",
            "",
            "outdated UPDATE on shop.changed: The function's owner, privileges or security were changed.",
            recorded,
            "Log Edit Disable",
        ],
        [
            "shop.dropped by rule shop.*",
            "",
            "missing CREATE on shop.dropped: There is no trigger yet.",
            recorded,
            "Log Edit Disable",
        ],
        [
            "shop.silent by rule shop.*",
            "",
            "disabled DELETE on shop.silent: The trigger is disabled.",
            recorded,
            "Log Edit Disable",
        ],
    ]


def test_the_states_are_counted_and_each_count_narrows(configured: None, admin: Client) -> None:
    links = dict(page(admin, "/config").links)
    counts = [
        text for text, address in links.items() if address.startswith("/config?state=") or text.startswith("All ")
    ]
    assert counts == ["All 5", "missing 1", "disabled 1", "outdated 1", "ok 1", "unaudited 1"]
    assert [row[0] for row in tables(admin, links["disabled 1"])] == ["shop.silent by rule shop.*"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("find=ITEM", ["public.item"]),
        ("find=thing", ["public.item"]),
        ("find=shop.*&state=missing", ["shop.dropped by rule shop.*"]),
        ("find=nothing+of+that", []),
        ("find=%3Cscript%3E", []),
    ],
)
def test_a_search_finds_tables_by_name_label_and_rule(
    configured: None, admin: Client, query: str, names: list[str]
) -> None:
    assert [row[0] for row in tables(admin, f"/config?{query}")] == names


def test_a_search_whose_field_is_empty_has_an_address_without_it(admin: Client) -> None:
    answer = admin.get("/config?find=&state=ok")
    assert (answer.status_code, answer.headers["location"]) == (303, "/config?state=ok")


@pytest.mark.parametrize("query", ["state=fine", "state=ok&state=missing", "said=You+won", "done=1"])
def test_an_address_that_means_nothing_is_refused(admin: Client, query: str) -> None:
    assert admin.get(f"/config?{query}").status_code == 400


def test_rules_event_types_and_retention_stand_below(configured: None, admin: Client) -> None:
    text = page(admin, "/config").text
    assert "shop.* CREATE UPDATE DELETE TRUNCATE" in text
    assert "backup Backup of the shop recorded Log Edit" in text
    assert "chatter not recorded" in text
    assert "every event 400 days Edit" in text


def test_the_configuration_as_a_file_is_what_the_command_prints(
    configured: None, admin: Client, auditctl: RunAuditctl
) -> None:
    printed = auditctl("config", check=0).out
    answer = admin.get("/config.toml")
    assert answer.text == printed
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.toml"'
    assert answer.headers["content-type"].startswith("application/toml")
    assert " ".join(printed.split()) in page(admin, "/config").text
    assert configuration.load(answer.text, "it").problems == ()


def test_the_log_of_a_table_is_a_link_away(db: str, conn: psycopg.Connection, admin: Client) -> None:
    conn.execute(ITEM)
    audit(db, "public.item")
    address = "/?target=public.item"
    assert ("Log", address) in page(admin, "/config").links
    assert admin.get(address).status_code == 200


def test_a_database_without_tables_says_so(admin: Client) -> None:
    assert "has no table that can be audited" in page(admin, "/config").text


def test_an_administrator_whose_limit_leaves_a_table_out_looks_and_is_told_who_may(
    conn: psycopg.Connection, page: Page, person: MakeLogin
) -> None:
    conn.execute(ITEM)
    conn.execute("insert into auditctl.administration (patterns) values ('{billing.*}')")
    client = page.as_login(person("deputy", roles=["auditctl_admin"]))
    plan = planned(client, "/config/table?table=item")
    assert "administrators may not change public.item, which the section [admin] leaves out" in plan.text
    assert "Sign in as a superuser, or the login that installed auditctl." in plan.text
    assert "/config/apply" not in [address for address, _ in plan.forms]


def test_only_the_tables_of_a_glob_are_read_if_one_is_named(configured: None, admin: Client) -> None:
    text = page(admin, "/config?only=shop.s*").text
    assert "shop.silent" in text
    assert "All 1" in text
    links = dict(page(admin, "/config?only=shop.s*").links)
    assert [row[0] for row in tables(admin, links["disabled 1"])] == ["shop.silent by rule shop.*"]
    answer = admin.get("/config?only=shap.*")
    assert answer.status_code == 400
    assert "no table matches shap.*" in answer.text
