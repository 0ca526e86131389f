"""What the texts of filters mean, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from auditctl.actions import Action
from auditctl.errors import UsageError
from auditctl.log.filter_values import Key, User
from auditctl.log.filters import FILTERS, Filters
from auditctl.log.times import Ago, At

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

UNDERSTOOD: list[tuple[str, str, Any]] = [
    ("since", "2026-11-23", At(datetime(2026, 11, 23, tzinfo=UTC))),
    ("since", "2026-11-23T20:38:00Z", At(datetime(2026, 11, 23, 20, 38, tzinfo=UTC))),
    ("since", "2026-11-23 20:38:00.5+02:00", At(datetime(2026, 11, 23, 18, 38, 0, 500000, tzinfo=UTC))),
    ("since", "30m", Ago(timedelta(minutes=30))),
    ("since", "24h", Ago(timedelta(hours=24))),
    ("until", "7d", Ago(timedelta(days=7))),
    ("until", "2w", Ago(timedelta(days=14))),
    ("target", "Customer", "Customer"),
    ("id", "7", Key("7", is_array=False)),
    ("id", '["a",1]', Key('["a",1]', is_array=True)),
    ("id", "[oops", Key("[oops", is_array=False)),
    ("id", '["\\u0000"]', Key('["\\u0000"]', is_array=False)),
    ("id", "[1e999999]", Key("[1e999999]", is_array=False)),
    ("id", "[NaN]", Key("[NaN]", is_array=False)),
    ("id", "[" * 900, Key("[" * 900, is_array=False)),
    ("user", "System", User(None)),
    ("user", "system", User("system")),
    ("user", "alice", User("alice")),
    ("user", "actor:System", User("System", as_login=False)),
    ("user", "login:web", User("web", as_actor=False)),
    ("user", "acme:bob", User("acme:bob")),
    ("action", "update", Action.UPDATE),
    ("action", "Truncate", Action.TRUNCATE),
    ("column", "balance", "balance"),
    ("ip", "203.0.113.7", ip_network("203.0.113.7/32")),
    ("ip", "203.0.113.7/24", ip_network("203.0.113.0/24")),
    ("ip", "2001:db8::/32", ip_network("2001:db8::/32")),
    ("xact", "0", 0),
    ("xact", "18446744073709551615", 2**64 - 1),
    ("context", "request_id=4f=2a", ("request_id", "4f=2a")),
    ("context", "note=", ("note", "")),
]

NOT_UNDERSTOOD = [
    ("since", "yesterday"),
    ("since", "2026-11-23T20:38:00"),
    ("since", "2026-02-30"),
    ("since", "26-11-23"),
    ("since", "0001-01-01T00:00:00+14:00"),
    ("until", "9999-12-31T23:59:59-01:00"),
    ("until", "999999999d"),
    ("until", "9" * 5000 + "d"),
    ("until", "-1d"),
    ("until", "٢d"),
    ("until", "1y"),
    ("user", "actor:"),
    ("action", "upsert"),
    ("ip", "203.0.113.300"),
    ("ip", "203.0.113.0/33"),
    ("ip", "fe80::1%eth0"),
    ("ip", "localhost"),
    ("xact", "18446744073709551616"),
    ("xact", "-1"),
    ("xact", "1e3"),
    ("xact", "٢"),
    ("context", "request_id"),
    ("context", "=x"),
]


@pytest.mark.parametrize(("name", "text", "value"), UNDERSTOOD)
def test_text_is_understood(name: str, text: str, value: object) -> None:
    assert Filters.parse({name: [text]}).values == {name: (value,)}


@pytest.mark.parametrize(("name", "text"), NOT_UNDERSTOOD)
def test_text_is_refused_with_a_hint(name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Filters.parse({name: [text]})
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_every_filter_is_tested() -> None:
    assert {name for name, _, _ in UNDERSTOOD} == {row.name for row in FILTERS}


@pytest.mark.parametrize("name", [row.name for row in FILTERS])
@pytest.mark.parametrize("text", ["", "a\0b", "\udcff"])
def test_empty_nul_and_undecodable_texts_are_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"filter {name}"):
        Filters.parse({name: [text]})


def test_unknown_filter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="there is no filter 'usr'") as caught:
        Filters.parse({"usr": ["x"]})
    assert "user" in caught.value.hint


def test_unknown_action_is_refused_with_the_six() -> None:
    with pytest.raises(UsageError) as caught:
        Filters.parse({"action": ["upsert"]})
    assert caught.value.hint == "Actions: CREATE, READ, UPDATE, DELETE, TRUNCATE, EVENT."


def test_time_without_offset_is_refused_with_the_way_to_write_it() -> None:
    with pytest.raises(UsageError) as caught:
        Filters.parse({"since": ["2026-11-23T20:38:00"]})
    assert caught.value.hint == "For UTC write 2026-11-23T20:38:00Z."


def test_filter_that_takes_one_value_refuses_two() -> None:
    with pytest.raises(UsageError, match="takes one value, not 2"):
        Filters.parse({"user": ["alice", "bob"]})


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-11-23", "2026-11-22"),
        ("2026-11-23", "2026-11-23"),
        ("1h", "2h"),
        ("24h", "1d"),
        ("2026-11-23T11:30:00Z", "1h"),
        ("1h", "2026-11-23T10:00:00Z"),
    ],
)
def test_interval_that_ends_before_it_starts_is_refused(since: str, until: str) -> None:
    with pytest.raises(UsageError, match="is not after"):
        Filters.parse({"since": [since], "until": [until]}, now=NOW)


def test_filters_print_themselves_as_given() -> None:
    texts = {"context": ["b=2", "a=1"], "target": ["billing.*"], "since": ["24h"], "user": []}
    assert Filters.parse(texts).as_dict() == {"since": "24h", "target": ["billing.*"], "context": ["b=2", "a=1"]}
    assert Filters.parse({}).as_dict() == {}
