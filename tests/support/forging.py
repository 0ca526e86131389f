"""Events of auditctl's own targets that auditctl does not write: each of what it writes, with one value that is odd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

_RULE = {
    "name": "public.item", "position": 1, "actions": ["CREATE"], "label": "Item", "exclude": None, "mask": ["v"],
    "key": [], "require_actor": False, "auto": True, "on_drop": "refuse",
}  # fmt: skip
_FACTS = {"rows": 1, "bytes": 2, "sha256": "0" * 64, "selection": "every event", "snapshot": "7:7:"}

SOUND: dict[str, tuple[str | None, tuple[dict[str, Any], ...]]] = {
    "auditctl.rule": ("public.item", (_RULE,)),
    "auditctl.capture": (
        "public.item",
        ({"changes": {"kind": "CREATE", "action": "CREATE", "relation": "public.item", "reason": "x"}},),
    ),
    "auditctl.ddl": (
        "public.item",
        tuple(
            {"command": "ALTER TABLE", "written_until": "7", "changes": change}
            for change in (
                {"key": ["id"], "was": ["v"]}, {"trigger": "auditctl_update", "state": "is disabled"},
                {"renamed_from": "public.former"}, {"gone": "public.item"}, {"joined": "public.item"},
                {"column": "v", "retyped": "text", "from": "int"}, {"functions": ["f"]}, {"rule": "r"},
            )
        ),
    ),
    "auditctl.event_type": ("auth.login", ({"name": "auth.login", "label": "Login", "enabled": False},)),
    "auditctl.retention": ("public.item", ({"target": "public.item", "keep": "1 year", "until": None},)),
    "auditctl.hold": (
        "1", ({"hold_id": 1, "target": "public.item", "target_id": "1", "reason": "x", "released_at": None},),
    ),
    "auditctl.role": ("auditctl_reader", ({"role": "auditctl_reader", "login": "reader", "member": True},)),
    "auditctl.administration": (None, ({"patterns": ["public.*"]},)),
    "auditctl.archiving": (None, ({"location": "/srv/archive", "keep_hot": "1 year"},)),
    "auditctl.accepted_finding": ("x", ({"name": "x", "reason": "y"},)),
    "auditctl.actor_source": ("x", ({"name": "app.user"},)),
    "auditctl.partition": (
        "auditctl.event_2026_01",
        (
            {"step": "expire", "month": "2026-01", "dropped": 1, "kept": 1, "sealed": {"digest": "00", "events": 1}},
            {"step": "archive", "month": "2026-01", "dropped": 1, "kept": 0, "location": "/srv/archive"},
            {"step": "move", "events": {"auditctl.event_2026_01": 1}},
        ),
    ),
    "auditctl.archive": (
        "2026-01", ({"month": "2026-01", "database": "shop", "location": "/srv/archive", "manifest": "00"},),
    ),
    "auditctl.export": (
        None, ({"format": "csv", "order": "asc", "raw": False, "filters": {"user": ["ann"]}, "columns": ["user"]},),
    ),
    "auditctl.lookup": (None, ({"view": "log", "filters": {"target": ["public.item"]}},)),
    "auditctl.baseline": ("public.item", ({"rows": 1},)),
    "auditctl.erasure": ("1", ({"digest": "00", "places": ["values.v"]},)),
    "auditctl.store": (None, ({"version": "0.1.0", "revision": "0001"},)),
    "auditctl.import": (None, ({"files": ["x"], "until": "2026-01-01T00:00:00Z"},)),
    "auditctl.consumer": ("siem", ({"name": "siem", "snapshot": "7:7:"},)),
    "auditctl.release": ("public.item", ({"rows": 1, "reason": "x"},)),
    "auditctl.session": (None, ({"view": "sign in"},)),
    "auditctl.sign_in": (None, ({"login": "ann"},)),
}  # fmt: skip
"""What auditctl writes: the target id and the new values; what is in `changes` stands for a list of it."""

ODD: tuple[Any, ...] = (None, True, 10**30, "odd [*", [], [None], {"odd": 1})

ROWS = ("auditctl.rule", "auditctl.event_type", "auditctl.retention", "auditctl.hold")
"""Those with old values."""

_INSERT: LiteralString = """
    insert into auditctl.event (actor_kind, action, target, target_id, old_values, new_values)
    select 'system', (v ->> 3)::auditctl.action, v ->> 0, v ->> 1, nullif(v -> 2, 'null'), nullif(v -> 4, 'null')
      from jsonb_array_elements(%s) as v
"""


def forge(conn: psycopg.Connection[Any]) -> None:
    """Write the events, as a superuser can."""
    rows = [
        [target, key, old, "EVENT" if old is None else "UPDATE", new]
        for target, (key, documents) in SOUND.items()
        for document in documents
        for old, new in _pairs(target, document)
    ]
    conn.execute(_INSERT, [Jsonb(rows)])
    ends = [["auditctl.export", None, None, "EVENT", facts] for facts in _odd(_FACTS)]
    # Each names the beginning that was forged last.
    conn.execute(
        "with begun as (select max(event_id)::text as key from auditctl.event"
        " where target = 'auditctl.export' and target_id is null)"
        " insert into auditctl.event (actor_kind, action, target, target_id, new_values)"
        " select 'system', 'EVENT', 'auditctl.export', begun.key, v -> 4 from begun, jsonb_array_elements(%s) as v",
        [Jsonb(ends)],
    )


def forge_times(conn: psycopg.Connection[Any]) -> None:
    """Write what auditctl writes, at times that Python cannot have."""
    rows = [[target, key, _whole(one)] for target, (key, documents) in SOUND.items() for one in documents]
    for at in ("infinity", "-infinity", "4000-01-01 BC"):
        conn.execute(
            "insert into auditctl.event (occurred_at, actor_kind, action, target, target_id, new_values)"
            " select %s, 'system', 'EVENT', v ->> 0, v ->> 1, v -> 2 from jsonb_array_elements(%s) as v",
            [at, Jsonb(rows)],
        )


def forge_unreadable(conn: psycopg.Connection[Any]) -> None:
    """Write what auditctl writes with something beside it that Python's parser of JSON refuses."""
    rows = [[target, key, _whole(one)] for target, (key, documents) in SOUND.items() for one in documents]
    for odd in ("(repeat('[', 3000) || repeat(']', 3000))::jsonb", "repeat('9', 5000)::numeric"):
        conn.execute(
            "insert into auditctl.event (actor_kind, action, target, target_id, new_values)"
            f" select 'system', 'EVENT', v ->> 0, v ->> 1, v -> 2 || jsonb_build_object('odd', {odd})"
            " from jsonb_array_elements(%s) as v".encode(),
            [Jsonb(rows)],
        )


def _pairs(target: str, document: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    for odd in _odd(document):
        yield None, odd
        if target in ROWS:
            yield odd, None


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    return {name: [value] if name == "changes" else value for name, value in document.items()}


def _odd(document: dict[str, Any]) -> Iterator[Any]:
    """Yield what is odd: no document, one that lacks a key, and one that has an odd value."""
    yield from ODD
    whole = _whole(document)
    for name in whole:
        yield {key: value for key, value in whole.items() if key != name}
        yield from ({**whole, name: odd} for odd in ODD)
    if isinstance(change := document.get("changes"), dict):
        for name in change:
            yield {**whole, "changes": [{key: value for key, value in change.items() if key != name}]}
            yield from ({**whole, "changes": [{**change, name: odd}]} for odd in ODD)
        yield from ({**whole, "changes": [odd]} for odd in ODD)
