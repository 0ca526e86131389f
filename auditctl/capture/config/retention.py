"""Reads and writes retention in the configuration file: [retention], [[retention.target]], and keep in [[table]]."""

from __future__ import annotations

from collections.abc import Iterable

from auditctl import durations, table_names
from auditctl.capture.config.fields import Fields
from auditctl.capture.config.toml import Section
from auditctl.capture.rule_keys import Rule
from auditctl.errors import UsageError
from auditctl.retention.times import EVERYTHING, Retention
from auditctl.text import in_quotes

KEYS = ("keep", "target")
TARGET_KEYS = ("name", "keep")
"""The keys of [[retention.target]]."""


def read(document: Fields, rules: Iterable[Rule]) -> Retention | None:
    """Return how long events are kept; None if the file does not set it, or has a mistake in it.

    Args:
        document: The file.
        rules: Its rules, in the order of its [[table]]s that have a name.
    """
    before = len(document.problems)
    section = document.section("retention")
    keep = None
    longer: list[tuple[str, Fields]] = []
    if section is not None:
        section.known(KEYS)
        keep = _time(section)
        longer += _named(section)
    by_place = {rule.origin: rule.name for rule in rules}
    tables = document.sections("table") if by_place else ()
    longer += [(by_place[t.origin], t) for t in tables if "keep" in t.values and t.origin in by_place]
    times = _times(longer)
    is_faulty = len(document.problems) > before
    return None if is_faulty or (section is None and not longer) else Retention(keep, times)


def sections(retention: Retention, rules: Iterable[Rule]) -> list[tuple[str, Section]]:
    """Return [retention] and its targets, with their headers; empty if no time is set.

    The time of a table is written in its [[table]].
    """
    tables = {rule.name for rule in rules}
    targets: list[tuple[str, Section]] = [
        ("[[retention.target]]", {"name": name, "keep": durations.format_keep(keep)})
        for name, keep in sorted(retention.targets.items())
        if name not in tables
    ]
    return [("[retention]", {"keep": retention.keep}), *targets] if retention.keep is not None else targets


def _named(section: Fields) -> list[tuple[str, Fields]]:
    """Return each [[retention.target]] that is valid, with its name."""
    named = []
    for target in section.sections("target"):
        target.known(TARGET_KEYS)
        name = target.values.get("name")
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            target.problem("name", "is missing" if name is None else "must be a target such as order.placed, or a glob")
        elif not name.isprintable() or name != name.strip():
            target.problem("name", f"{in_quotes(name)} has invisible characters, or spaces at its start or end")
        elif name == EVERYTHING:
            target.problem("name", "the key keep of [retention] is for every event")
        elif "keep" not in target.values:
            target.problem("keep", "is missing")
        else:
            named.append((table_names.canonical(name), target))
    return named


def _times(longer: Iterable[tuple[str, Fields]]) -> dict[str, str | None]:
    """Return the time of each target; add a mistake for a target that is named twice."""
    times: dict[str, str | None] = {}
    for name, fields in longer:
        if name in times:
            fields.problem("keep", f"how long {name} is kept is already stated elsewhere")
        times[name] = _time(fields)
    return times


def _time(fields: Fields) -> str | None:
    value = fields.values.get("keep", durations.FOREVER)
    if not isinstance(value, str):
        fields.problem("keep", 'must be a string such as "400 days"')
        return None
    try:
        return durations.parse_keep(value)
    except UsageError as error:
        fields.problem("keep", f"{error}. {error.hint}")
        return None
