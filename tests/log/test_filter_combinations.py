"""Filters in combination, compared with plain Python over the whole log."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from auditctl.log.filters import FILTERS
from tests.log.test_filters import found
from tests.support.recorded import START, Recorded, minutes, record

if TYPE_CHECKING:
    import psycopg

Choice = tuple[list[str], Callable[[Recorded], bool]]


def random_events(source: random.Random) -> list[Recorded]:
    made = []
    for count in range(300):
        system = source.random() < 0.2
        action = source.choice(["CREATE", "UPDATE", "UPDATE", "UPDATE", "DELETE", "EVENT"])
        columns = source.sample(["balance", "status", "note"], source.randint(1, 3))
        values = json.dumps({name: source.randint(0, 9) for name in columns})
        made.append(
            Recorded(
                at=START + timedelta(seconds=count // 3 * 60),
                actor=None if system else source.choice(["alice", "bob", "web"]),
                kind="system" if system else "application",
                ip=source.choice([None, "203.0.113.7", "203.0.113.9", "2001:db8::1"]),
                db_user=source.choice(["web", "batch"]),
                target=source.choice(["billing.customer", "billing.invoice", "crm.note"]),
                target_id=str(source.randint(1, 4)),
                action=action,
                old=None if action == "CREATE" else values,
                new=None if action == "DELETE" else values,
                context=source.choice([None, '{"request_id": "a"}', '{"request_id": "b", "job": "x"}']),
                xact=source.randint(700, 705),
            )
        )
    return made


def _random_time(name: str, source: random.Random) -> Choice:
    moment = minutes(source.randint(0, 40) if name == "since" else source.randint(50, 110))
    return [moment.isoformat()], lambda event: event.at >= moment if name == "since" else event.at < moment


def _random_target(source: random.Random) -> Choice:
    text = source.choice(["billing.*", "billing.customer", "note"])
    names = {"billing.*": ("billing.customer", "billing.invoice"), "note": ("crm.note",)}.get(text, (text,))
    return [text], lambda event: event.target in names


def _random_key(source: random.Random) -> Choice:
    key = str(source.randint(1, 4))
    return [key], lambda event: event.target_id == key


def _random_user(source: random.Random) -> Choice:
    who = source.choice(["alice", "web", "System"])
    if who == "System":
        return [who], lambda event: event.kind == "system"
    return [who], lambda event: who in (event.actor, event.db_user)


def _random_action(source: random.Random) -> Choice:
    actions = source.sample(["create", "UPDATE", "Delete", "event"], 2)
    return actions, lambda event: event.action in [some.upper() for some in actions]


def _random_column(source: random.Random) -> Choice:
    columns = source.sample(["balance", "status", "note"], source.randint(1, 2))
    return columns, lambda event: any(event.changed(column) for column in columns)


def _random_ip(source: random.Random) -> Choice:
    network = ip_network(source.choice(["203.0.113.7/32", "203.0.113.0/24", "2001:db8::/32"]))
    return [str(network)], lambda event: event.ip is not None and ip_address(event.ip) in network


def _random_xact(source: random.Random) -> Choice:
    number = source.randint(700, 705)
    return [str(number)], lambda event: event.xact == number


RANDOM: dict[str, Callable[[random.Random], Choice]] = {
    "since": lambda source: _random_time("since", source),
    "until": lambda source: _random_time("until", source),
    "target": _random_target,
    "id": _random_key,
    "user": _random_user,
    "action": _random_action,
    "column": _random_column,
    "ip": _random_ip,
    "xact": _random_xact,
    "context": lambda _: (["request_id=b", "job=x"], lambda event: "job" in (event.context or "")),
}
"""For each filter, texts and what they mean in plain Python; a new filter needs its line."""


def test_random_combinations_select_what_plain_python_selects(conn: psycopg.Connection) -> None:
    source = random.Random(4)
    made = random_events(source)
    log = list(zip(record(conn, *made), made, strict=True))
    names = [row.name for row in FILTERS]
    selected = 0
    for count in range(60):
        chosen = {names[count]} if count < len(names) else set(source.sample(names, source.randint(2, 4)))
        texts, tests = {}, []
        for name in sorted(chosen):
            texts[name], test = RANDOM[name](source)
            tests.append(test)
        # The store's own events lie outside of the time of these.
        texts.setdefault("until", [minutes(1000).isoformat()])
        expected = [identity for identity, event in log if all(test(event) for test in tests)]
        assert found(conn, **texts) == expected, texts
        selected += bool(expected)
    assert selected > 25
