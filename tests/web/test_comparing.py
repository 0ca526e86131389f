"""The charts beside the period before: its bars, what is new or gone, and where links lead."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING

from auditctl.log.filters import Filters
from auditctl.log.histogram.read import read_histogram
from auditctl.web.views import overview, saved_views
from tests.fixtures.databases import connect
from tests.support.recorded import Recorded, record
from tests.web.test_pictures import TOP, buckets

if TYPE_CHECKING:
    import pytest

    from tests.fixtures.web import Client

MARCH = "since=2026-03-01&until=2026-04-01&ip=203.0.113.7"
CHANGE = re.compile(
    r'<span class="name">([^<]*)</span><span class="count">([^<]*)</span><span class="change" title="([^"]*)">([^<]*)<'
)


def fill(db: str) -> None:
    """February and March: alice less, bob no more, mia for the first time."""
    people = {"alice": ((3, 9, 9, 20), (3, 10)), "bob": ((5,), ()), "mia": ((), (8,))}
    with connect(db) as conn:
        for actor, months in people.items():
            for month, days in enumerate(months, 2):
                record(conn, *(Recorded(at=datetime(2026, month, day, 12, tzinfo=UTC), actor=actor) for day in days))


def changes(text: str) -> dict[str, tuple[str, str]]:
    """By name: the count and the difference."""
    return {name: (count, unescape(change)) for name, count, _, change in CHANGE.findall(text)}


def test_each_name_says_how_far_it_differs_and_the_bars_stand_before_others(db: str, reader: Client) -> None:
    fill(db)
    text = reader.get(f"/overview?{MARCH}&compare=1").text
    assert changes(text) == {
        "billing.customer": ("3", "−2 (−40 %)"),
        "alice": ("2", "−2 (−50 %)"),
        "mia": ("1", "new"),
        "bob": ("0", "gone"),
    }
    assert "Before: 5 events, 1 Feb 2026 – 28 Feb 2026 UTC" in text
    said = [said for _, said, _, _ in buckets(text) if not said.endswith("0 events · before: 0")]
    assert said[:2] == [
        "3 Mar 2026 UTC · 1 event: 1 UPDATE · before: 1",
        "5 Mar 2026 UTC · 0 events · before: 1",
    ]
    assert text.count('<rect class="ghost" x=') == 4
    assert all("compare=1" in unescape(link) for link, *_ in [*buckets(text), *TOP.findall(text)])


def test_the_comparison_is_offered_where_there_is_a_start_and_can_be_left(db: str, reader: Client) -> None:
    fill(db)
    text = unescape(reader.get(f"/?{MARCH}&pictures=1&limit=20").text)
    (link,) = re.findall(r'<a href="([^"]+)">Compare with the period before<', text)
    assert link == "/?since=2026-03-01&until=2026-04-01&ip=203.0.113.7&limit=20&compare=1"
    assert 'hx-get="/overview?since=2026-03-01&until=2026-04-01&ip=203.0.113.7&limit=20&compare=1"' in unescape(
        reader.get(link).text
    )
    text = unescape(reader.get("/overview?ip=203.0.113.7&compare=1").text)
    assert 'Choose a time in "From" to compare it with the period before.' in text
    assert '<a href="/?ip=203.0.113.7">Don\'t compare</a>' in text
    assert "Compare with the period before" not in reader.get("/overview?ip=203.0.113.7").text
    assert reader.get(f"/overview?{MARCH}&compare=2").status_code == 400


def test_what_is_gone_is_shown_although_nothing_is_left(db: str, reader: Client) -> None:
    fill(db)
    text = reader.get(f"/overview?{MARCH}&user=bob&compare=1").text
    assert changes(text) == {"billing.customer": ("0", "gone"), "bob": ("0", "gone")}


def test_the_form_keeps_the_comparison_and_an_export_takes_the_filters_alone(db: str, reader: Client) -> None:
    fill(db)
    text = reader.get(f"/?{MARCH}&compare=1&limit=20").text
    assert '<input type="hidden" name="compare" value="1">' in text
    exported = reader.get(f"/export.jsonl?form=1&{MARCH}&compare=1")
    assert (exported.status_code, exported.text.count("\n")) == (200, 3)


def test_estimates_claim_no_difference_within_their_margin(
    db: str, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(db)

    def estimated(*some: object, **named: object) -> object:
        found = read_histogram(*some, **named)  # type: ignore[arg-type]
        return replace(found, is_estimate=True, spread=3.0, before=found.before and replace(found.before, spread=3.0))

    monkeypatch.setattr(overview, "read_histogram", estimated)
    text = reader.get(f"/overview?{MARCH}&compare=1").text
    assert changes(text) == {
        "billing.customer": ("fewer than 10", "no clear difference"),
        "alice": ("fewer than 8", "no clear difference"),
        "mia": ("fewer than 6", "none before in the sample"),
        "bob": ("none in the sample", "none in the sample"),
    }


def test_a_shared_link_has_the_months_as_times() -> None:
    filters = Filters.parse({"since": ["last-month"], "until": ["this-month"], "tz": ["Europe/Berlin"]})
    assert saved_views.fixed(filters, datetime(2026, 3, 31, 22, 30, tzinfo=UTC)) == {
        "since": ("2026-03-01T00:00:00+01:00",),
        "until": ("2026-04-01T00:00:00+02:00",),
    }
