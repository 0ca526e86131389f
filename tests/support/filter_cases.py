"""What filters mean, for the tests: valid and invalid values, and random ones with their meaning in plain Python."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from auditctl.actions import Action
from auditctl.log.filter_values import ColumnValue, Reason, Transaction, User
from auditctl.log.keys import Key
from auditctl.log.times import Ago, At, Day, Month
from tests.support import week_cases
from tests.support.recorded import START, Recorded, minutes

VALID: list[tuple[str, str, Any]] = [
    *week_cases.VALID,
    ("since", "2026-11-23", At(datetime(2026, 11, 23, tzinfo=UTC))),
    ("since", "2026-11-23T20:38:00Z", At(datetime(2026, 11, 23, 20, 38, tzinfo=UTC))),
    ("since", "2026-11-23 20:38:00.5+02:00", At(datetime(2026, 11, 23, 18, 38, 0, 500000, tzinfo=UTC))),
    ("since", "30m", Ago(timedelta(minutes=30))),
    ("since", "24h", Ago(timedelta(hours=24))),
    ("since", "1h30m", Ago(timedelta(minutes=90))),
    ("since", "1w 2d", Ago(timedelta(days=9))),
    ("since", "today", Day(0)),
    ("until", "yesterday", Day(1)),
    ("since", "last-month", Month(1)),
    ("until", "this-month", Month(0)),
    ("since", "2026-11-23T20:38:00", At(datetime(2026, 11, 23, 20, 38).astimezone(UTC))),
    ("until", "2026-11-23 20:38", At(datetime(2026, 11, 23, 20, 38).astimezone(UTC))),
    ("until", "20261123T20", At(datetime(2026, 11, 23, 20).astimezone(UTC))),
    ("until", "7d", Ago(timedelta(days=7))),
    ("until", "2w", Ago(timedelta(days=14))),
    ("target", "Customer", "Customer"),
    ("id", "7", Key("7")),
    ("id", '["a",1]', Key('["a",1]')),
    ("id", "", Key("")),
    ("user", "System", User(None)),
    ("user", "system", User("system")),
    ("user", "alice", User("alice")),
    ("user", "actor:System", User("System", as_login=False)),
    ("user", "login:web", User("web", as_actor=False)),
    ("user", "acme:bob", User("acme:bob")),
    ("user", "(System)", User(None)),
    ("user", "(system)", User(None)),
    ("user", "(other)", User("(other)")),
    ("user", "@dana", User("dana", as_login=False, kind="database")),
    ("user", "@", User("@")),
    ("user", "application:@dana", User("@dana", as_login=False, kind="application")),
    ("user", " alice\u200b\n", User("alice")),
    ("user", '" alice"', User(" alice")),
    ("user", '"alice"', User('"alice"')),
    ("not-user", "@dana", User("dana", as_login=False, kind="database")),
    ("kind", "Database", "database"),
    ("changed", "status=closed", ColumnValue("status", "closed", ('"closed"',))),
    ("changed", "n=5", ColumnValue("n", "5", ('"5"', "5"))),
    ("changed", '"a=""b"=c=d', ColumnValue('a="b', "c=d", ('"c=d"',))),
    ("was", "note=", ColumnValue("note", "", ('""',))),
    ("was", "n=1e999999", ColumnValue("n", "1e999999", ('"1e999999"',))),
    ("was", "n=NaN", ColumnValue("n", "NaN", ('"NaN"',))),
    ("became", "note=null", ColumnValue("note", "null", ('"null"', "null", '{"$json": null}'))),
    ("became", 'note="5"', ColumnValue("note", '"5"', ('"\\"5\\""', '"5"'))),
    ("became", 'x="\\u0000"', ColumnValue("x", '"\\u0000"', ('"\\"\\\\u0000\\""',))),
    ("action", "update", Action.UPDATE),
    ("action", "Truncate", Action.TRUNCATE),
    ("column", "balance", "balance"),
    ("ip", "203.0.113.7", ip_network("203.0.113.7/32")),
    ("ip", "203.0.113.7/24", ip_network("203.0.113.0/24")),
    ("ip", "2001:db8::/32", ip_network("2001:db8::/32")),
    ("xact", "0", Transaction(0)),
    ("xact", "18446744073709551615", Transaction(2**64 - 1)),
    ("xact", "7@9223372036854775807", Transaction(7, 2**63 - 1)),
    ("context", "request_id=4f=2a", ("request_id", "4f=2a")),
    ("context", "note=", ("note", "")),
    ("reason", "Ticket 47", Reason("Ticket 47")),
]

INVALID = [
    *week_cases.INVALID,
    ("since", "tomorrow"),
    ("since", "20261123"),
    ("since", "25:00"),
    ("since", "30m1h"),
    ("since", "1h1h"),
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
    ("user", "application:"),
    ("not-user", "login:"),
    ("kind", "person"),
    ("changed", "status"),
    ("was", "=open"),
    ("action", "upsert"),
    ("ip", "203.0.113.300"),
    ("ip", "203.0.113.0/33"),
    ("ip", "fe80::1%eth0"),
    ("ip", "localhost"),
    ("xact", "18446744073709551616"),
    ("xact", "-1"),
    ("xact", "7@"),
    ("xact", "@7"),
    ("xact", "7@x"),
    ("xact", "7@9223372036854775808"),
    ("xact", "1e3"),
    ("xact", "٢"),
    ("context", "request_id"),
    ("context", "=x"),
]

Choice = week_cases.Choice


def random_events(source: random.Random) -> list[Recorded]:
    made = []
    for count in range(300):
        system = source.random() < 0.2
        action = source.choice(["CREATE", "UPDATE", "UPDATE", "UPDATE", "DELETE", "EVENT"])
        columns = source.sample(["balance", "status", "note"], source.randint(1, 3))
        old = {name: source.randint(0, 9) for name in columns}
        new = {name: (value + source.randint(1, 9)) % 10 for name, value in old.items()}
        made.append(
            Recorded(
                at=START + timedelta(seconds=count // 3 * 60),
                actor=None if system else source.choice(["alice", "bob", "web"]),
                kind="system" if system else source.choice(["application", "application", "database"]),
                ip=source.choice([None, "203.0.113.7", "203.0.113.9", "2001:db8::1"]),
                db_user=source.choice(["web", "batch"]),
                target=source.choice(["billing.customer", "billing.invoice", "crm.note"]),
                target_id=str(source.randint(1, 4)),
                action=action,
                old=None if action == "CREATE" else json.dumps(old),
                new=None if action == "DELETE" else json.dumps(new),
                context=source.choice(
                    [None, '{"request_id": "a"}', '{"request_id": "b", "job": "x", "reason": "see TICKET 4711%"}']
                ),
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
    some = [str(number) for number in source.sample(range(1, 5), source.randint(1, 2))]
    return some, lambda event: event.target_id in some


def _random_user(source: random.Random) -> Choice:
    who = source.choice(["alice", "web", "System"])
    if who == "System":
        return [who], lambda event: event.kind == "system"
    return [who], lambda event: who in (event.actor, event.db_user)


def _random_users(source: random.Random) -> Choice:
    who = source.sample(["alice", "web", "System", "application:bob", "@web", "login:batch"], 2)
    return who, lambda event: any(_is_by(event, one) for one in who)


def _is_by(event: Recorded, who: str) -> bool:
    form, _, name = who.rpartition(":")
    if who == "System":
        return event.kind == "system"
    if who.startswith("@"):
        return event.kind == "database" and event.actor == who[1:]
    if form == "application":
        return event.kind == form and event.actor == name
    return name in ((event.db_user,) if form == "login" else (event.actor, event.db_user))


def _random_other_users(source: random.Random) -> Choice:
    who, test = _random_users(source)
    return who, lambda event: not test(event)


def _random_kind(source: random.Random) -> Choice:
    kinds = source.sample(["application", "database", "System"], source.randint(1, 2))
    return kinds, lambda event: event.kind in [kind.lower() for kind in kinds]


def _random_values(sides: tuple[str, ...], source: random.Random) -> Choice:
    names = ["balance", "status", "note"]
    wanted = {name: source.sample(range(10), 4) for name in source.sample(names, source.randint(1, 2))}

    def test(event: Recorded) -> bool:
        found = [json.loads({"old": event.old, "new": event.new}[side] or "{}") for side in sides]
        return all(any(values.get(name) in some for values in found) for name, some in wanted.items())

    return [f"{name}={value}" for name, values in wanted.items() for value in values], test


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


def _random_reason(source: random.Random) -> Choice:
    text = source.choice(["ticket 4711%", "SEE", "see_ticket", "%"])
    return [text], lambda event: text.lower() in (json.loads(event.context or "{}").get("reason") or "").lower()


RANDOM: dict[str, Callable[[random.Random], Choice]] = {
    "since": lambda source: _random_time("since", source),
    "until": lambda source: _random_time("until", source),
    **week_cases.RANDOM,
    "target": _random_target,
    "id": _random_key,
    "user": lambda source: source.choice([_random_user, _random_users])(source),
    "not-user": _random_other_users,
    "kind": _random_kind,
    "changed": lambda source: _random_values(("old", "new"), source),
    "was": lambda source: _random_values(("old",), source),
    "became": lambda source: _random_values(("new",), source),
    "action": _random_action,
    "column": _random_column,
    "ip": _random_ip,
    "xact": _random_xact,
    "reason": _random_reason,
    "context": lambda _: (["request_id=b", "job=x"], lambda event: "job" in (event.context or "")),
}
"""For each filter, texts and what they mean in plain Python; a new filter needs its line."""
