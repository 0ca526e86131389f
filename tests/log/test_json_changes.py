"""What `auditctl.details` says of an update: each change within a JSON value by its path, a text where it differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

WORDS = "word " * 1000
BEFORE = (WORDS + "in ")[-20:]
MORE = " more" * 99
DEEP = 400

CHANGES: dict[str, tuple[Any, Any, str]] = {
    "an element": ({"limits": [1, 2, 3, 597]}, {"limits": [1, 2, 3, 908]}, "v.limits[3]: 597 → 908"),
    "an element that was inserted": (["a", "b", "c"], ["a", "x", "b", "c"], "v[1]: (none) → x"),
    "elements that moved on": (["a", "b", "c", "d"], ["b", "c", "d", "e"], "v[0]: a → (none); v[3]: (none) → e"),
    "elements in another order": (["a", "b", "c"], ["c", "a", "b"], "v[0]: (none) → c; v[2]: c → (none)"),
    "objects within an array": (
        [{"id": 1, "n": "a"}, {"id": 2}, {"id": 3}],
        [{"id": 1, "n": "b"}, {"id": 9}, {"id": 2}, {"id": 3}],
        'v[0].n: a → b; v[1]: (none) → {"id": 9}',
    ),
    "an array that became empty": ([1, 2], [], "v[0]: 1 → (none); v[1]: 2 → (none)"),
    "keys that a path could be misread by": (
        {"a.b": 1, "": 1, 'x "y"': {"z[0]": 1}, "ü_1-$": 1},
        {"a.b": 2, "": 2, 'x "y"': {"z[0]": 2}, "ü_1-$": 2},
        r'v[""]: 1 → 2; v["a.b"]: 1 → 2; v["x \"y\""]["z[0]"]: 1 → 2; v.ü_1-$: 1 → 2',
    ),
    "types": (
        {"a": 597, "b": "true", "c": {"d": 1}, "e": None},
        {"a": "598", "b": True, "c": [1], "e": "null"},
        'v.a: 597 → "598"; v.b: "true" → true; v.c: {"d": 1} → [1]; v.e: null → "null"',
    ),
    "a null that came and one that went": ({"a": None}, {"b": None}, "v.a: null → (none); v.b: (none) → null"),
    "more than anybody reads": (
        {f"k{number:03}": 1 for number in range(300)},
        {f"k{number:03}": 2 for number in range(300)},
        "; ".join([*(f"v.k{number:03}: 1 → 2" for number in range(20)), "v: more changes"]),
    ),
    "a masked column": ({"$masked": True}, {"$masked": True}, "v: *** → ***"),
    "a document that looks like a masked one": (
        {"$json": {"$masked": True}}, {"$json": {"$masked": False}}, "v.$masked: true → false",
    ),
    "a masked value that a document claims": ({}, {"a": {"$masked": True}}, 'v.a: (none) → {"$masked": true}'),
    "a large value": (
        {"$head": "h" * 200, "$bytes": 9000, "$sha256": "0"},
        {"a": 1},
        f'v: {"h" * 80}… (9000 bytes) → {{"a": 1}}',
    ),
    "no text, and null": (None, "", 'v: null → ""'),
    "a text that begins with a space": ("", " x", 'v: "" → " x"'),
    "a text that looks like null": ("null", None, 'v: "null" → null'),
    "a text that looks like a mask": ("***", "(none)", 'v: "***" → "(none)"'),
    "another type": ("1", 1, 'v: "1" → 1'),
    "the middle of a long text": (
        f"{WORDS}in May{MORE}",
        f"{WORDS}in June{MORE}",
        f"v: …{BEFORE}{('May' + MORE)[:78]}… → …{BEFORE}{('June' + MORE)[:78]}…",
    ),
    "the end of a long text": ("x" * 200, "x" * 200 + "y", f"v: …{'x' * 20} → …{'x' * 20}y"),
    "all of a long text": ("a" * 200, "b", f"v: {'a' * 99}… → b"),
    "a text within a document": (
        {"t": "x" * 200 + "1"}, {"t": "x" * 200 + "2"}, f"v.t: …{'x' * 20}1 → …{'x' * 20}2",
    ),
}  # fmt: skip


def details(conn: psycopg.Connection, pairs: Iterable[tuple[Any, Any]]) -> list[str]:
    """The sentences of updates of a column v."""
    values = [(Jsonb({"v": old}), Jsonb({"v": new})) for old, new in pairs]
    query = "select auditctl.details('UPDATE', %s, %s)"
    return [row[0] for value in values for row in conn.execute(query, value)]


def test_details_show_what_changed_and_nothing_before_it(conn: psycopg.Connection) -> None:
    found = details(conn, [(old, new) for old, new, _ in CHANGES.values()])
    assert dict(zip(CHANGES, found, strict=True)) == {kind: sentence for kind, (_, _, sentence) in CHANGES.items()}


def test_details_of_large_and_deep_values_show_what_changed(conn: psycopg.Connection) -> None:
    numbers = list(range(20_000))
    deep = ["[" * DEEP + end + "]" * DEEP for end in "12"]
    shown = details(
        conn,
        [
            (numbers, [*numbers[:-1], "x"]),
            (numbers, numbers[1:]),
            (
                {str(number): {"a": number} for number in numbers},
                {str(number): {"a": number % 19_999} for number in numbers},
            ),
            (json.loads(deep[0]), json.loads(deep[1])),
        ],
    )
    assert shown[0] == "v[19999]: 19999 → x"
    assert shown[1] == "v[0]: 0 → (none)"
    assert shown[2] == "v.19999.a: 19999 → 0"
    assert shown[3].startswith("v" + "[0]" * 51 + ": [")


def test_the_stored_image_decides_whether_a_number_changed(conn: psycopg.Connection) -> None:
    row = conn.execute("""select auditctl.details('UPDATE', '{"v": {"a": 1.0}}', '{"v": {"a": 1.00}}')""").fetchone()
    assert row == ("v.a: 1.0 → 1.00",)


def test_what_an_update_did_not_change_is_left_out(conn: psycopg.Connection) -> None:
    conn.execute("insert into auditctl.rule (name, position, actions, exclude) values ('s.t', 1, '{}', '{x}')")
    conn.execute("update auditctl.rule set label = 'T', require_reason = true where name = 's.t'")
    row = conn.execute(
        "select details from auditctl.activity where target_name = 'auditctl.rule' and action = 'UPDATE'"
    ).fetchone()
    assert row == ("label: null → T; require_reason: false → true",)


def test_an_update_that_changed_nothing_says_so(conn: psycopg.Connection) -> None:
    values = [Jsonb({"a": 1, "b": None}), Jsonb({f"c{number}": "x" * 10 for number in range(200)})]
    found = [conn.execute("select auditctl.details('UPDATE', %s, %s)", [one, one]).fetchone() for one in values]
    assert found == [("no column changed",)] * 2


def test_an_event_with_an_empty_summary_has_details(conn: psycopg.Connection) -> None:
    row = conn.execute("select auditctl.details('EVENT', null, null, '{\"summary\": \"\"}')").fetchone()
    assert row == ("recorded",)


def test_an_empty_text_is_seen_in_every_action(conn: psycopg.Connection) -> None:
    row = conn.execute("""
        select auditctl.details('CREATE', null, '{"a": "", "b": null, "c": "null"}'),
            auditctl.details('DELETE', '{"a": " "}', null)
    """).fetchone()
    assert row == ('a: ""; c: "null"', 'a: " "')


def test_an_event_of_more_columns_than_a_table_has_says_how_many_more(conn: psycopg.Connection) -> None:
    values, nothing = Jsonb({f"c{number:05}": number for number in range(3000)}), Jsonb({})
    for action, pair in (("CREATE", (None, values)), ("UPDATE", (nothing, values)), ("DELETE", (values, None))):
        row = conn.execute("select auditctl.details(%s, %s, %s)", [action, *pair]).fetchone()
        assert row is not None
        assert row[0].startswith("c00000: ")
        assert row[0].endswith("; 1000 more columns")
