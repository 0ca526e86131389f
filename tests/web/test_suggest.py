"""What the field for a user suggests: names of the log, as options, for readers alone."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from psycopg.sql import SQL, Identifier

from tests.fixtures.databases import connect
from tests.support.recorded import Recorded, record

if TYPE_CHECKING:
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client, Page


def options(text: str) -> list[str]:
    """The values of options; there must be nothing else."""
    assert re.sub(r'<option value="[^"]*"></option>', "", text).strip() == ""
    return [unescape(value) for value in re.findall(r'value="([^"]*)"', text)]


def test_names_that_start_alike_are_suggested(db: str, reader: Client) -> None:
    with connect(db) as conn:
        record(conn, *(Recorded(actor=name) for name in ("quinn", "quincy", "rosa", "quinn")))
    assert sorted(options(reader.get("/suggest?user=qui").text)) == ["quincy", "quinn"]


def test_a_name_is_an_option_and_nothing_else(db: str, reader: Client) -> None:
    name = 'zoe"><script>alert(1)</script>'
    with connect(db) as conn:
        record(conn, Recorded(actor=name))
    assert options(reader.get("/suggest?user=zoe").text) == [name]


@pytest.mark.parametrize("prefix", ["", "%25", "_", "zzz", "%00", "x" * 5000, "%F0%9F%90%98", "a'b", "%5C"])
def test_whatever_is_typed_is_answered(reader: Client, prefix: str) -> None:
    answer = reader.get(f"/suggest?user={prefix}")
    assert answer.status_code == 200
    assert len(options(answer.text)) <= 20


def test_suggestions_are_for_readers_alone(page: Page, person: MakeLogin) -> None:
    assert page.client().get("/suggest?user=a", headers={"HX-Request": "true"}).status_code == 401
    login = person("reader", roles=["auditctl_reader"])
    client = page.as_login(login)
    with connect(page.dsn) as conn:
        conn.execute(SQL("revoke auditctl_reader from {}").format(Identifier(login.name)))
    assert client.get("/suggest?user=a").status_code == 403


def test_only_the_user_is_suggested(reader: Client) -> None:
    assert reader.get("/suggest?target=a").status_code == 400
    assert reader.get("/suggest?user=a&user=b").status_code == 400


def test_the_field_asks_while_somebody_types(reader: Client) -> None:
    field = re.search(r'<input id="f-user".*?>', reader.get("/").text)
    assert field is not None
    for part in ('hx-get="/suggest"', "delay:200ms", 'hx-target="#users"', 'hx-sync="this:queue last"'):
        assert part in field[0]
