"""The history of the configuration on the page: sentences, newest first, for readers too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from auditctl.capture import config_history
from auditctl.capture.change_sentences import SUBJECTS
from tests.fixtures.databases import connect
from tests.fixtures.templates import begin_with
from tests.support.capturing import apply, audit
from tests.web.configuring import page

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin
    from tests.fixtures.web import Client

PATH = "/config/history"


def prepare(dsn: str) -> None:
    with connect(dsn) as conn:
        conn.execute("create schema billing; create table billing.customer (id int primary key, card_number text)")
        conn.execute("create table billing.invoice (id int primary key)")
        audit(dsn, "billing.customer", label="Customer")
        audit(dsn, "billing.customer", label="Customer", mask=("card_number",))
        apply(dsn, '[[table]]\nname = "billing.*"\n[[event]]\nname = "auth.<login>"\nenabled = false\n')
        conn.execute("select auditctl.set_retention('billing.*', '10 years')")
        conn.execute("select auditctl.place_hold('billing.customer', '7', 'case 31')")


db_template = begin_with(prepare, fixture="changed")


@pytest.fixture
def changed(db: str) -> None:
    """A configuration that was changed several times."""


def said(client: Client, query: str = "") -> list[str]:
    """The sentences, without times and who."""
    text = page(client, PATH + query).text
    return [re.sub(r"^\S+ ", "", one.strip()) for one in re.split(r"\d+ \w+ 2026, [\d:]+ UTC: ", text)[1:]]


def test_readers_see_who_changed_what_newest_first_and_are_led_to_the_event(
    changed: None, conn: psycopg.Connection, reader: Client
) -> None:
    sentences = said(reader)
    assert sentences[0] == "placed hold 1 on billing.customer 7: case 31"
    assert [one.split(" of ")[0] for one in sentences[1:3]] == [
        "set the time to keep billing.* to 10 years",
        "stopped recording EVENT",
    ]
    assert "masked card_number of Customer" in sentences
    ((event_id, who),) = conn.execute(
        "select event_id, db_user from auditctl.event where target = 'auditctl.hold'"
    ).fetchall()
    text = reader.get(PATH).text
    assert f'href="/events/{event_id}"' in text
    assert f": {who} placed hold" in text
    assert "auth.&lt;login&gt;" in text
    for link in ("/retention", "/access"):
        assert PATH in {address for _, address in page(reader, link).links}


@pytest.mark.parametrize(
    ("target", "expected", "others"),
    [
        ("Customer", {"masked card_number of Customer", "set the time to keep billing.* to 10 years"}, {"auth"}),
        ("billing.customer", {"masked card_number of Customer"}, {"auth"}),
        ("billing.invoice", {"set the time to keep billing.* to 10 years"}, {"masked", "hold"}),
        ("auth.<login>", {"stopped recording EVENT of auth.<login>"}, {"masked", "hold", "billing"}),
        ("billing.*", {"masked card_number of Customer"}, {"auth"}),
        ("*.receipt", {"set the time to keep billing.* to 10 years"}, {"masked", "hold", "auth"}),
        ("no.such", set(), {"masked", "hold", "billing", "auth"}),
    ],
)
def test_the_history_of_a_target_has_what_reaches_it_also_through_globs(
    changed: None, reader: Client, target: str, expected: set[str], others: set[str]
) -> None:
    text = reader.get(PATH, params={"target": target}).text
    lines = " ".join(re.findall(r"</time></a>: (.*)</li>", text)).replace("&lt;", "<").replace("&gt;", ">")
    for sentence in expected:
        assert sentence in lines
    for other in others:
        assert other not in lines


def test_pages_have_each_change_once(changed: None, conn: psycopg.Connection) -> None:
    number = "select count(*) from auditctl.event where target = any (%s)"
    ((count,),) = conn.execute(number, [list(SUBJECTS)]).fetchall()
    seen, after = [], None
    while True:
        found = config_history.read(conn, before=after, limit=2)
        seen += [event.event_id for event, _ in found.events]
        after = found.following
        if after is None:
            break
    assert (len(seen), seen) == (count, sorted(set(seen), reverse=True))


def test_a_grant_is_in_it_with_its_reason(admin: Client, auditctl: RunAuditctl, login: MakeLogin) -> None:
    carol = login("carol").name
    auditctl("grant", "reader", carol, "--reason", "ticket 4711", check=0)
    assert f'granted reader to {carol} <span class="reason">ticket 4711</span>' in admin.get(PATH).text


@pytest.mark.parametrize("query", ["?after=yesterday", "?target=a%00b", "?before=1"])
def test_an_address_that_means_nothing_is_refused(reader: Client, query: str) -> None:
    assert reader.get(PATH + query).status_code == 400
