"""Events with odd values, and filters that find some of them: where readers of a log and of an archive may differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from auditctl.log.filter_text import text_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

COLUMNS = (
    "status", "n", 'a"b', "back\\slash", 'x\\"n', "new\nline", "Größe", "名", "a=b", " n", "n ", "(", "$masked",
    "reason", "{status", "long" * 30,
)  # fmt: skip
"""Names of columns, and of keys in values."""

SAME: tuple[tuple[str, ...], ...] = (
    ("1", "1.0", "1.00", "1e0", "10E-1"),
    ("100", "1e2", "1E+2", "100.000"),
    ("0", "-0", "0.0", "-0.00", "0e5"),
    ("-12.5", "-12.50", "-125e-1"),
    ("12.05", "12.050"),
    ("1e400",), ("1.5e-300", "0.15e-299"), ("123456789012345678901234567890.10", "123456789012345678901234567890.1"),
    ('"1"',), ('"1.0"',), ('"closed"',), ('"Closed"',), ('""',), ('" "',), ("null",), ('"null"',), ("true",),
    ('"true"',), ("false",),
    ('"\\"status\\": \\"closed\\""', '"\\u0022status\\": \\"closed\\""'),
    ('", \\"n\\": 1,"',), ('"{\\"n\\": 1}"',), ('"it\'s \\\\ \\n\\t\\r\\b\\f\\u0001\\u007f"',), ('"\\\\"',), ('"["',),
    ('"\\u540d\\ud83d\\ude00"', '"名😀"'), ('"\\u202eﬁ"',), ('"infinity"',), ('"0044-03-15 BC"',),
    ("[]",), ("{}",), ("[1]", "[1.0]"), ("[[1, 2], 1]", "[[1.00,2],1e0]"), ('["status"]',), ('["1", "n"]',),
    ('{"status": "closed"}',), ('{"n": 1}', '{"n":1.0}', '{"n": 2, "n": 1}'), ('{"n": {"n": 1}}',),
    ('{"bb": 1, "a": {"c": [2.50]}, "é": 0}', '{"é":0.0,"a":{"c":[2.5]},"bb":1e0}'), ('{"$masked": true}',),
    ('{"$json": null}',), ('{"$json": {"a": 1}}', '{"$json": {"a": 1.0}}'), ('{"a": 1}', '{"a":1.0}'),
)  # fmt: skip
"""JSON values; those in one tuple are equal as jsonb."""

REASONS = ("Ticket 47", "see TICKET 47%", "Straße Ä", "ä", "ÄÖ_", 'quote"s and \\ and\nlines', "47", "K")
CONTEXT_KEYS = ("request_id", "reason", "baseline", "n", "a=b", 'x\\"reason')
ACTIONS = ("CREATE", "CREATE", "UPDATE", "UPDATE", "UPDATE", "DELETE", "READ", "TRUNCATE", "EVENT")
ACTORS = (None, "alice", "Alice", "@dana", "dana", "System", "(System)", "Zoë", "a\nb", "", "o'hara", "\\", "web")
KEYS = (None, "7", "07", "7.0", "", " 7", '["a", 1]', '["a",1]', "6F9619FF-8B86-D011-B42D-00CF4FC964FF", "Ä", "\n")
ADDRESSES = (
    None, "203.0.113.7", "203.0.113.7/24", "203.0.113.0/25", "10.0.0.0/8", "0.0.0.0/0", "::1", "::/0", "2001:db8::1",
    "2001:db8::/32", "2001:db8::/33", "::ffff:203.0.113.7", "255.255.255.255", "fe80::1/64",
)  # fmt: skip
NETWORKS = (
    "203.0.113.7", "203.0.113.0/24", "203.0.112.0/23", "10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "::/0",
    "2001:db8::/32", "2001:db8::/33", "::1", "::ffff:203.0.113.7", "255.255.255.255",
)  # fmt: skip
TRANSACTIONS = (3, 2**32 + 5, 2**63 - 1, 2**63, 2**64 - 1)
TIMES = (
    "-infinity", "0044-03-15 12:00:00.000001+00 BC", "0001-12-31 23:59:59.999999+00", "9998-06-01 00:00+00",
    "20000-01-01 00:00+00", "1969-12-31 23:59:59.999999+00", "1970-01-01 00:00+00", "2026-03-29 00:59:59.999999+00",
    "2026-03-29 01:00+00", "2026-10-25 00:30+00", "2026-10-25 01:30+00", "2026-03-08 12:00+00",
    "2201-05-05 10:59:59.999999+00", "2026-04-04 15:00+00", "2026-04-04 15:30+00",
)  # fmt: skip
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns")
LABELS = 300


def draw_event(draw: random.Random) -> tuple[object, ...]:
    """The parameters of `recorded.INSERT`."""
    actor = draw.choice(ACTORS)
    action = draw.choice(ACTIONS)
    return (
        draw.choice(TIMES) if draw.random() < 0.4 else f"2026-{draw.randint(1, 12)}-{draw.randint(1, 28)} 12:00:00+00",
        str(draw.choice(TRANSACTIONS)),
        actor,
        draw.choice(("application", "database") if actor is not None else ("system",)),
        draw.choice(ADDRESSES),
        draw.choice(("web", "batch", "dana", "Zoë")),
        f"t.t{draw.randint(1, 6)}" if draw.random() < 0.9 else "other.event",
        draw.choice(KEYS),
        action,
        None if action in ("CREATE", "READ", "TRUNCATE") else _document(draw, COLUMNS),
        None if action in ("DELETE", "READ", "TRUNCATE") else _document(draw, COLUMNS),
        None if draw.random() < 0.2 else _context(draw),
    )


def _document(draw: random.Random, names: tuple[str, ...]) -> str:
    chosen = draw.sample(names, draw.randint(0, 4))
    return _object([(name, draw.choice(draw.choice(SAME))) for name in chosen])


def _context(draw: random.Random) -> str:
    members = [(name, draw.choice(draw.choice(SAME))) for name in draw.sample(CONTEXT_KEYS, draw.randint(0, 3))]
    if draw.random() < 0.5:
        members.append(("reason", json.dumps(draw.choice(REASONS), ensure_ascii=draw.random() < 0.5)))
    if draw.random() < 0.2:
        members.append(("note", '{"baseline": true, "reason": "Ticket 47"}'))
    return _object(members)


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}: {value}" for name, value in members) + "}"


def _pair(draw: random.Random, names: tuple[str, ...]) -> str:
    value = draw.choice(draw.choice(SAME))
    text = json.loads(value) if value[0] == '"' and draw.random() < 0.5 else value
    name = draw.choice(names)
    quoted = f'"{name.replace(chr(34), chr(34) * 2)}"' if "=" in name or name[0] == '"' else name
    return text_of(f"{quoted}={text}")


def _several(choose: Callable[[random.Random], str], draw: random.Random, most: int = 3) -> list[str]:
    return [choose(draw) for _ in range(draw.randint(1, most))]


def _user(draw: random.Random) -> str:
    form = draw.choice(("", "", "actor:", "application:", "login:", "@"))
    return text_of(form + (draw.choice([one for one in (*ACTORS, "batch") if one]) or ""))


ODD: dict[str, Callable[[random.Random], list[str]]] = {
    "since": lambda draw: [
        draw.choice(("0001-01-01", "1970-01-01", "2026-03-29T01:00:00Z", "2026-06-15", "90d", "last-month"))
    ],
    "until": lambda draw: [draw.choice(("9999-12-31", "2027-06-01", "9998-06-01T00:00:00.000001Z", "2200-01-01"))],
    "weekday": lambda draw: [draw.choice(("mon-wed", "sun", "fri-mon", "thu,sat"))],
    "hour": lambda draw: [draw.choice(("0-3", "12", "22-6", "23", "17-18"))],
    "outside-hours": lambda draw: [draw.choice(("mon-fri 8-18", "sun 0-24", "sat-mon 22-14"))],
    "target": lambda draw: draw.choice((["Label 7"], ["Label 1*"], ["t.t3", "other.event"], ["t.*"], ["T.T2"])),
    "id": lambda draw: _several(lambda one: text_of(one.choice([key for key in KEYS if key is not None])), draw),
    "user": lambda draw: [*_several(_user, draw), *(["System"] if draw.random() < 0.3 else [])],
    "not-user": lambda draw: _several(_user, draw),
    "kind": lambda draw: _several(lambda one: one.choice(("application", "database", "system")), draw),
    "action": lambda draw: _several(lambda one: one.choice((*ACTIONS, "BASELINE")), draw),
    "column": lambda draw: _several(lambda one: text_of(one.choice(COLUMNS)), draw),
    "changed": lambda draw: _several(lambda one: _pair(one, COLUMNS[:4]), draw, 8),
    "was": lambda draw: _several(lambda one: _pair(one, COLUMNS[:3]), draw, 8),
    "became": lambda draw: _several(lambda one: _pair(one, COLUMNS[:3]), draw, 8),
    "ip": lambda draw: [draw.choice(NETWORKS)],
    "xact": lambda draw: [str(draw.choice(TRANSACTIONS))],
    "reason": lambda draw: [
        text_of(draw.choice((*REASONS, "ticket", "STRASSE", "Ö", "\\ AND", "closed", "S\n", "n", "k")))
    ],
    "context": lambda draw: _several(lambda one: _pair(one, CONTEXT_KEYS[:4]), draw, 8),
}
"""For filters, texts that select some of the events; for others, the random texts of all tests serve."""
