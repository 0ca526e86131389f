"""The pages of transactions: a list with a least number of events, and the log with a line for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.recorded import Recorded, label, minutes, record
from tests.web.parsing import link, numbers

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.web import Client

MEMO = Recorded(target="billing.invoice", new='{"memo": "<b>"}', actor="nina", xact=800)


def test_the_list_has_large_transactions_with_what_they_did(reader: Client, conn: psycopg.Connection) -> None:
    label(conn, "billing.invoice", "Invoice")
    record(conn, *[MEMO] * 4, *[replace(MEMO, xact=801)] * 2, Recorded(xact=802))
    page = reader.get("/transactions?rows=2&target=Invoice&limit=1").text
    assert "updated 2 Invoices: memo" in page
    assert "updated 4 Invoices" not in page
    following = link(page, "next")
    assert following == "/transactions?target=Invoice&after=801&rows=2&limit=1"
    page = reader.get(following).text
    assert "updated 4 Invoices: memo" in page
    assert 'href="/?target=Invoice&amp;xact=800"' in page
    assert link(page, "next") is None
    assert "No transactions match." in reader.get("/transactions?rows=5").text
    typed = reader.get("/transactions?form=1&rows=3&target=&user=nina")
    assert (typed.status_code, typed.headers["location"]) == (303, "/transactions?rows=3&user=nina")


def test_a_row_opens_the_events_of_its_transaction(reader: Client, conn: psycopg.Connection) -> None:
    events = record(conn, MEMO, replace(MEMO, actor="bob"), replace(MEMO, xact=801))
    part = reader.get("/transactions/800?user=nina", headers={"hx-request": "true"}).text
    assert numbers(part) == events[:1]
    assert "<html" not in part
    assert reader.get("/transactions/800?user=nina").headers["location"] == "/?user=nina&xact=800"


def test_the_list_names_a_filter_that_leaves_out_nobody(reader: Client, conn: psycopg.Connection) -> None:
    record(conn, MEMO)
    page = reader.get("/transactions?not-user=nian").text
    assert "updated 1 row of billing.invoice: memo" in page
    assert "Nobody is called nian: nothing is excluded. Did you mean nina?" in page


def test_what_is_not_a_number_is_refused(reader: Client) -> None:
    for address in ("rows=0", "rows=-1", "rows=x", "rows=1&rows=2", "limit=0", "after=x", "rows=9999999999999999999"):
        assert reader.get(f"/transactions?{address}").status_code == 400, address
    assert reader.get("/?group=user").status_code == 400
    assert reader.get("/overview?group=user").status_code == 400
    assert reader.get("/?group=transaction&before=2026-03-01T12:00:00.123456Z/1").status_code == 400


def test_the_log_shows_a_line_for_each_transaction(reader: Client, conn: psycopg.Connection) -> None:
    label(conn, "billing.invoice", "Invoice")
    single = record(conn, *[replace(MEMO, at=minutes(1))] * 3, replace(MEMO, xact=801, target_id="9"))[-1]
    events = record(conn, Recorded(xact=802), *[replace(MEMO, xact=803)] * 2)
    plain = reader.get("/?target=Invoice").text
    assert ">Group by transaction</a>" in plain
    assert 'href="/?target=Invoice&amp;group=transaction"' in plain
    page = reader.get("/?target=Invoice&group=transaction&limit=2").text
    assert "updated 2 Invoices: memo" in page
    assert numbers(page) == [-events[-1], single]
    assert 'href="/?target=Invoice&amp;limit=2"' in page
    following = link(page, "next")
    assert following == "/?target=Invoice&after=801&limit=2&group=transaction"
    page = reader.get(following).text
    assert "updated 3 Invoices: memo" in page
    assert numbers(page) == [-(single - 1)]
    assert ">Newest</a>" in page
    assert 'data-live="/?live=1&amp;group=transaction"' in reader.get("/?group=transaction&live=1").text
