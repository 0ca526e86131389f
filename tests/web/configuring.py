"""What the tests of the configuration's pages share: the way from a form by its plan to what is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.capture import rule_store
from tests.fixtures.databases import fetch_value
from tests.web.documents import Document, read

if TYPE_CHECKING:
    import httpx
    import psycopg

    from auditctl.capture.rule_keys import Rule
    from tests.fixtures.web import Client

ADD = "/config/table?table=item"
ITEM = "create table item (id int primary key, name text, secret text, noted text)"


def page(client: Client, path: str, status: int = 200) -> Document:
    """A page, as somebody reads it."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return read(answer.text)


def asked(client: Client, path: str, **changes: list[str]) -> httpx.Response:
    """Fill in the form of a page, and ask for the plan."""
    return client.post("/config/plan", data={**page(client, path).form("/config/plan"), **changes})


def planned(client: Client, path: str, **changes: list[str]) -> Document:
    """The plan for a form."""
    answer = asked(client, path, **changes)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def applied(client: Client, plan: Document, **changes: list[str]) -> httpx.Response:
    """Send the form of a plan."""
    return client.post("/config/apply", data={**plan.form("/config/apply"), **changes})


def everything(client: Client) -> Document:
    """The plan for all rules."""
    answer = client.post("/config/plan", data=page(client, "/config").form("/config/plan"))
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def done(client: Client, plan: Document, **changes: list[str]) -> str:
    """Apply a plan; what the next page says about it."""
    answer = applied(client, plan, **changes)
    assert answer.status_code == 303, answer.text
    address, _, row = answer.headers["location"].partition("#")
    assert (address, bool(row)) == ("/config", plan.form("/config/apply")["change"] != ["apply"])
    said = client.get("/config").text.partition('role="status"><p>')[2]
    return said.partition("</p>")[0]


def stored(conn: psycopg.Connection) -> list[Rule]:
    """The rules in the database."""
    return list(rule_store.read(conn))


def changes(plan: Document) -> list[list[str]]:
    """The changes of a plan: kind, table, action and reason."""
    return [row for row in plan.rows if row[:1] != ["Change"]]


def events(dsn: str) -> int:
    """How many events there are."""
    return int(fetch_value(dsn, "select count(*) from auditctl.event"))
