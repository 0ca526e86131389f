"""The time zone of an address is obeyed by all that the page shows, and kept by every link."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest

from auditctl.web.render.templates import STATIC
from auditctl.web.routes import ROUTES, Access
from tests.support.recorded import Recorded, label, record
from tests.web.parsing import Document, alerts

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.web import Client

pytestmark = pytest.mark.slow

TIME = re.compile(r'<time datetime="([^"]*)"[^>]*>([^<]*)</time>')
ABBREVIATIONS = {
    "Europe/Berlin": ("CET", "CEST"),
    "America/New_York": ("EST", "EDT"),
    "Asia/Kolkata": ("IST", "IST"),
}
NIGHTS = {
    "2026-03-29": {"Europe/Berlin": 23},
    "2026-10-25": {"Europe/Berlin": 25},
    "2026-03-08": {"America/New_York": 23},
    "2026-11-01": {"America/New_York": 25},
}
"""Days on which clocks change, and how many hours they have where they do."""


def times(text: str) -> list[str]:
    """The times that a page shows, from top to bottom."""
    return [shown for _, shown in TIME.findall(text)]


def test_a_local_day_has_exactly_its_events_on_page_chart_export_and_command_line(
    reader: Client, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    for day in NIGHTS:
        noon = datetime.fromisoformat(f"{day}T12:15:00").replace(tzinfo=UTC)
        record(conn, *(Recorded(at=noon + timedelta(minutes=30 * step)) for step in range(-90, 90)))
    for day, hours in NIGHTS.items():
        after = f"{day[:-2]}{int(day[-2:]) + 1:02}"
        for zone, names in ABBREVIATIONS.items():
            asked = {"since": day, "until": after, "tz": zone}
            shown = times(reader.get("/", params={**asked, "limit": "200"}).text)
            assert len(shown) == 2 * hours.get(zone, 24), (day, zone)
            written = {f"{int(day[-2:])} {datetime.fromisoformat(day):%b %Y}, "}
            assert {re.sub(r"\d\d:\d\d:\d\d .*", "", text) for text in shown} == written
            assert {text.rpartition(" ")[2] for text in shown} <= set(names)
            assert (len({text.rpartition(" ")[2] for text in shown}) == 2) == (zone in hours)
            charts = unescape(reader.get("/overview", params=asked).text)
            assert charts.count('class="bucket"') == hours.get(zone, 24)
            assert f"Times in {zone}" in charts
            if zone in hours:
                options = [word for name, value in asked.items() for word in (f"--{name}", value)]
                assert len(reader.get("/export.csv", params=asked).text.splitlines()) == len(shown) + 1
                table = auditctl("log", *options, "--limit", "200", check=0).out.splitlines()
                assert f"created on ({zone})" in table[0]
                assert sum(day in line for line in table) == len(shown)
                assert {name for name in names for line in table if f" {name} " in line} == set(names)


def test_each_row_says_its_own_zone_and_so_do_details_and_history(reader: Client, conn: psycopg.Connection) -> None:
    october, november = (datetime(2026, month, 14, 14, 1, 8, tzinfo=UTC) for month in (10, 11))
    first, _ = record(conn, Recorded(at=october), Recorded(at=november))
    asked = {"tz": "Europe/Berlin"}
    since = {"since": "2026-10-01", "until": "2026-11-20"}
    expected = ["14 Nov 2026, 15:01:08 CET", "14 Oct 2026, 16:01:08 CEST"]
    assert times(reader.get("/", params={**asked, **since}).text) == expected
    assert times(reader.get("/", params=since).text) == ["14 Nov 2026, 14:01:08 UTC", "14 Oct 2026, 14:01:08 UTC"]
    label(conn, "billing.customer")
    history = reader.get("/history", params={**asked, "target": "billing.customer", "id": "7"}).text
    assert times(history) == expected[::-1]
    event = reader.get(f"/events/{first}", params=asked).text
    assert times(event) == ["14 Oct 2026, 16:01:08 CEST"]
    assert "<dd>14 Oct 2026, 16:01:08.000000 CEST</dd>" in event


def test_every_link_keeps_the_zone(reader: Client, admin: Client, conn: psycopg.Connection) -> None:
    (event, *_) = record(conn, *(Recorded(at=datetime(2026, 10, 14, hour, tzinfo=UTC)) for hour in range(5)))
    label(conn, "billing.customer")
    asked = "tz=Europe%2FBerlin"
    for client, address in (
        (reader, f"/?user=alice&limit=2&pictures=1&{asked}"),
        (reader, f"/?user=alice&limit=2&live=1&{asked}"),
        (reader, f"/events/{event}?{asked}"),
        (reader, f"/history?target=billing.customer&id=7&{asked}"),
        (reader, f"/overview?{asked}"),
        (reader, f"/check?{asked}"),
        (admin, f"/config?{asked}"),
        (admin, f"/doctor?{asked}"),
    ):
        page = Document()
        page.feed(client.get(address).text)
        links = [
            element.attributes[name]
            for element in page.elements
            for name in ("href", "data-detail", "data-live", "hx-get", "data-anytime", "formaction")
            if element.attributes.get(name, "#").startswith("/") and "/static/" not in element.attributes[name]
        ]
        assert links
        assert [link for link in links if "tz=" not in link] == []
        fields = [element for element in page.elements if element.attributes.get("name") == "tz"]
        forms = [form for form in page.elements if form.tag == "form" and form.attributes["method"] == "get"]
        assert {field.attributes["value"] for field in fields} <= {"Europe/Berlin"}
        assert len(fields) >= len(forms)


def test_no_template_shows_a_time_past_the_clock() -> None:
    for file in (STATIC.parent / "templates").iterdir():
        # In attributes, times are for programs.
        shown = re.sub(r'(?:datetime|title)="[^"]*"', "", file.read_text("utf-8"))
        assert not re.search(r"\|utc|strftime|isoformat|\[:10\]|\[:19\]|\.date\(\)", shown), file.name
    for file in STATIC.glob("[!h]*.js"):
        text = file.read_text("utf-8")
        assert text.count("toLocale") == text.count("timeZoneName"), file.name


def test_an_unknown_zone_is_refused_by_every_page_that_shows_times(reader: Client, conn: psycopg.Connection) -> None:
    (event,) = record(conn, Recorded())
    for path in ("/", f"/events/{event}", "/history?target=billing.customer&id=7", "/overview", "/export.csv"):
        for zones in ("tz=Berlin", "tz=right/UTC", "tz=UTC&tz=UTC"):
            answer = reader.get(f"{path}{'&' if '?' in path else '?'}{zones}")
            assert answer.status_code == 400, (path, zones)
            if zones == "tz=Berlin":
                assert "Did you mean Europe/Berlin?" in " ".join(alerts(answer.text) or [unescape(answer.text)])
    assert {route.path for route in ROUTES if route.access is Access.READER} >= {"/", "/history", "/overview"}


def test_an_export_records_the_zone_of_its_dates_and_its_name_has_the_time_there(
    reader: Client, conn: psycopg.Connection
) -> None:
    record(conn, Recorded(at=datetime(2026, 10, 13, 22, 30, tzinfo=UTC)))
    form = {"form": "1", "since": "2026-10-14", "until": "2026-10-15", "user": "", "tz": "Pacific/Kiritimati"}
    answer = reader.get("/export.csv", params={**form, "tz": "Europe/Berlin"})
    assert "2026-10-13T22:30:00.000000Z" in answer.text
    begun, ended = (
        row[0]
        for row in conn.execute("select new_values from auditctl.event where target = 'auditctl.export' order by 1")
    )
    both = f"{begun} {ended}"
    assert "'tz': 'Europe/Berlin'" in both
    assert "from 2026-10-14, before 2026-10-15, dates in Europe/Berlin" in both
    name = reader.get("/export.csv", params=form).headers["content-disposition"]
    written = re.search(r"activity-(\S{17}\+1400)\.csv", name)
    assert written
    assert abs(datetime.strptime(written[1], "%Y-%m-%dT%H%M%S%z") - datetime.now(UTC)) < timedelta(hours=1)


def test_a_remembered_zone_counts_where_an_address_says_nothing_at_all(reader: Client) -> None:
    reader.cookies.set("auditctl_tz", "Europe/Berlin")
    assert reader.get("/").headers["location"] == "/?tz=Europe%2FBerlin"
    assert reader.get("/?since=2026-10-14").status_code == 200
    for name in ("UTC", "right/Europe/Berlin", "x" * 4000, "a\\000b"):
        reader.cookies.delete("auditctl_tz")
        reader.cookies.set("auditctl_tz", name)
        assert reader.get("/").status_code == 200, name
