"""Predicates keep their hints, however they are combined: a search uses them instead of reading the whole log."""

from __future__ import annotations

from psycopg.sql import SQL

from auditctl.actions import Action
from auditctl.log import predicates, window_search
from auditctl.log.filters import FILTERS, Filters
from auditctl.log.predicates import Predicate
from auditctl.log.selection import Order, Selection

FURTHER = Predicate(SQL("event_id <> 7"))


def sql(*some: Predicate) -> str:
    return predicates.conjunction(some).as_string(None)


def test_a_further_predicate_keeps_the_search_in_windows() -> None:
    filters = Filters.parse({"user": ["alice"], "since": ["2026-03-01"]})
    selection = Selection((*filters.predicates(), FURTHER), limit=10)
    assert window_search.is_worthwhile(selection)
    assert selection.predicates[0].is_time
    assert selection.predicates[1].alternatives[1].summary is not None


def test_time_alone_is_not_searched_in_windows() -> None:
    filters = Filters.parse({"since": ["2026-03-01"], "until": ["2026-04-01"]})
    assert not window_search.is_worthwhile(Selection(filters.predicates(), limit=10))
    assert window_search.is_worthwhile(Selection((*filters.predicates(), FURTHER), limit=10))


def test_a_disjunction_is_indexed_where_each_alternative_is() -> None:
    rare, common = predicates.action([Action.DELETE]), predicates.action([Action.UPDATE])
    assert rare.is_indexed
    assert predicates.disjunction([rare, predicates.target(["a.b"])]).is_indexed
    assert not predicates.disjunction([rare, common]).is_indexed
    assert predicates.disjunction([rare]) is rare


def test_the_summary_of_a_disjunction_is_that_of_its_alternatives() -> None:
    both = predicates.action([Action.DELETE, Action.UPDATE])
    assert sql(both) == "(action = 'DELETE' or action = 'UPDATE')"
    assert both.sql_by_summary.as_string(None) == (
        "(action = 'DELETE' or action = 'UPDATE' and "
        "pg_catalog.hashenum(action) = pg_catalog.hashenum('UPDATE'::auditctl.action))"
    )


def test_the_summary_leads_unless_several_filters_have_an_index() -> None:
    login, target = (
        predicates.user([Filters.parse({"user": ["login:web"]}).values["user"][0]]),
        predicates.target(["a.b"]),
    )
    assert sql(*predicates.prefer_summary([login])) == "db_user collate pg_catalog.\"C\" = 'web'"
    assert (
        sql(*predicates.prefer_summary([login, FURTHER]))
        == "db_user collate pg_catalog.\"C\" = 'web' and event_id <> 7"
    )
    assert sql(*predicates.prefer_summary([login, target])) == "db_user = 'web' and target_name = 'a.b'"


def test_no_predicates_select_everything() -> None:
    assert sql() == "true"
    assert "where true order by" in Selection(order=Order.ASC).query(SQL("event_id")).as_string(None)


def test_every_filter_has_a_predicate_with_sql_over_the_view() -> None:
    for row in FILTERS:
        (predicate,) = Filters.parse({row.name: [row.example]}).predicates()
        assert sql(predicate) != "true", row.name
