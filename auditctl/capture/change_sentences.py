"""Says in words what an event about the configuration changed: of rules, event types, times, holds, roles. Pure.

A sentence has no subject: it goes on from who did it, as in `masked card_number of Customer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from auditctl.actions import Action
from auditctl.capture import rule_keys
from auditctl.capture.rule_keys import Kind, Rule, RuleKey
from auditctl.durations import format_keep
from auditctl.names import GRANTABLE_ROLES
from auditctl.retention.times import EVERYTHING

Row = Mapping[str, Any]
"""The values of an event before or after: a row of the store, or what the tool recorded."""

Labels = Mapping[str, str]
"""The labels of targets, by name."""

PHRASES: Mapping[str, tuple[str, str]] = {
    "actions": ("began recording {} of", "stopped recording {} of"),
    "exclude": ("excluded {} of", "no longer excluded {} of"),
    "mask": ("masked {} of", "unmasked {} of"),
    "key": ("stated the key {} of", "no longer stated the key {} of"),
    "label": ("stated the label {} of", "removed the label {} of"),
    "require_actor": ("required a user for writes to", "no longer required a user for writes to"),
    "require_reason": ("required a reason for writes to", "no longer required a reason for writes to"),
    "read_query": ("began recording the text of queries of", "stopped recording the text of queries of"),
    "read_force": ("began recording reads by the owner of", "stopped recording reads by the owner of"),
    "on_drop": ("chose to {} a drop of", ""),
    "auto": ("let new tables join", "no longer let new tables join"),
}
"""For each key of a rule, what somebody did who set it, or added to it; and who took it away again."""

_ROLES = {role: name for name, role in GRANTABLE_ROLES.items()}


def sentences(subject: str, before: Row | None, after: Row | None, labels: Labels) -> tuple[str, ...]:
    """Return what an event changed.

    Args:
        subject: The event's target, one of `SUBJECTS`.
        before: Its old values; None without.
        after: Its new values; None without.
        labels: The labels of targets, for events that do not hold them.

    Returns:
        At least one sentence, each without a full stop.
    """
    try:
        found = tuple(SUBJECTS[subject](before, after, labels))
    except (KeyError, TypeError, ValueError, AttributeError):  # values that were shortened, or forged
        found = ()
    return found or (f"changed a row of {subject}",)


def _rule(before: Row | None, after: Row | None, _labels: Labels) -> Iterator[str]:
    old, new = (rule_keys.from_row(row) if row else None for row in (before, after))
    if old is not None and new is None:
        # Another rule, such as one with a glob, may go on recording it.
        done = f"removed the rule that records {_listed(old.actions)} of" if old.actions else "no longer left out"
        yield f"{done} {_shown(old)}"
    elif old is None and new is not None:
        if not new.actions:
            yield f"left out {_shown(new)}"
        else:
            yield f"added a rule that records {_listed(new.actions)} of {_shown(new)}"
            yield from _keys(Rule(new.name, new.actions), new)
    elif old is not None and new is not None:
        if old.name != new.name:
            yield f"renamed the rule {old.name} to {new.name}"
        yield from _keys(old, new)
        if before and after and before["position"] != after["position"]:
            yield f"moved the rule {new.name} among the others"


def _keys(old: Rule, new: Rule) -> Iterator[str]:
    """Yield what changed of each key."""
    for key in rule_keys.KEYS:
        was, now = getattr(old, key.name), getattr(new, key.name)
        if was != now:
            name = new.name if key.name == "label" else _shown(new)
            words = _list if key.kind in (Kind.ACTIONS, Kind.COLUMNS) else _value
            yield from (f"{text} {name}" for text in words(key, was, now))


def _value(key: RuleKey, was: Any, now: Any) -> Iterator[str]:
    """Yield what changed of a text, a choice or a switch, up to the name of the table."""
    done, undone = PHRASES[key.name]
    yield (done if now else undone).format(now or was)


def _list(key: RuleKey, was: Sequence[str] | None, now: Sequence[str] | None) -> Iterator[str]:
    """Yield what was added to a list, and what was taken away, up to the name of the table."""
    done, undone = PHRASES[key.name]
    added, removed = ([one for one in a or () if one not in (b or ())] for a, b in ((now, was), (was, now)))
    if added:
        yield done.format(_listed(added))
    if removed:
        yield undone.format(_listed(removed))
    if not added and not removed:
        yield f"changed how {key.title.lower()} are stated for"


def _event_type(before: Row | None, after: Row | None, _labels: Labels) -> Iterator[str]:
    row = after or before or {}
    name, label = row["name"], row["label"]
    if after is None:
        yield f"removed the type of {label or name}"
        return
    was_enabled, old_label = (before["enabled"], before["label"]) if before else (True, None)
    if after["enabled"] != was_enabled:
        yield f"{'began' if after['enabled'] else 'stopped'} recording {Action.EVENT} of {label or name}"
    if label != old_label:
        done, undone = PHRASES["label"]
        yield f"{(done if label else undone).format(label or old_label)} {name}"
    if before is None and after["enabled"] and not label:
        yield f"stated that {Action.EVENT} of {name} is recorded"


def _retention(before: Row | None, after: Row | None, labels: Labels) -> Iterator[str]:
    row = after or {}
    target = "every event" if row["target"] == EVERYTHING else labels.get(row["target"], row["target"])
    keep = format_keep(row["keep"])
    if before is None:
        yield f"set the time to keep {target} to {keep}"
    elif before["until"] is None and row["until"] is not None:
        yield f"ended the time to keep {target}, {keep}"
    else:
        yield f"noticed that the time to keep {target}, {keep}, had ended"


def _hold(before: Row | None, after: Row | None, labels: Labels) -> Iterator[str]:
    row = after or {}
    what = labels.get(row["target"], row["target"]) + (f" {row['target_id']}" if row["target_id"] is not None else "")
    if before is None:
        yield f"placed hold {row['hold_id']} on {what}: {row['reason']}"
    elif before["released_at"] is None and row["released_at"] is not None:
        yield f"released hold {row['hold_id']} on {what}: {row['release_reason']}"
    else:
        yield f"noticed that hold {row['hold_id']} on {what} had been released"


def _role(_before: Row | None, after: Row | None, _labels: Labels) -> Iterator[str]:
    row = after or {}
    verb, preposition = ("granted", "to") if row["member"] else ("revoked", "from")
    yield f"{verb} {_ROLES.get(row['role'], row['role'])} {preposition} {row['login']}"


def _administration(_before: Row | None, after: Row | None, _labels: Labels) -> Iterator[str]:
    yield (
        f"limited administrators to {_listed(after['patterns']) or 'no table'}"
        if after
        else ("removed the limit of administrators")
    )


def _archiving(_before: Row | None, after: Row | None, _labels: Labels) -> Iterator[str]:
    if after is None:
        yield "no longer stated where months are archived"
        return
    where = f"to {after['location']}" if after["location"] else "where one was archived last"
    which = f"that ended more than {after['keep_hot']} ago" if after["keep_hot"] else "that are over"
    yield f"had months {which} archived {where}"


def _accepted(before: Row | None, after: Row | None, _labels: Labels) -> Iterator[str]:
    row = after or before or {}
    if after is None:
        yield f"no longer accepted the finding {row['name']}"
    else:
        yield f"accepted the finding {row['name']}: {row['reason']}"


def _actor_source(before: Row | None, after: Row | None, _labels: Labels) -> Iterator[str]:
    row = after or before or {}
    yield f"{'let' if after else 'no longer let'} the setting {row['name']} name users"


SUBJECTS: Mapping[str, Callable[[Row | None, Row | None, Labels], Iterator[str]]] = {
    "auditctl.rule": _rule,
    "auditctl.event_type": _event_type,
    "auditctl.retention": _retention,
    "auditctl.hold": _hold,
    "auditctl.role": _role,
    "auditctl.administration": _administration,
    "auditctl.archiving": _archiving,
    "auditctl.accepted_finding": _accepted,
    "auditctl.actor_source": _actor_source,
}
"""The targets of events about the configuration, with what puts them into words."""


def _shown(rule: Rule) -> str:
    return rule.label or rule.name


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
