"""The section [retention], its [[retention.target]], and the key keep of [[table]]: how long events are kept."""

from __future__ import annotations

from collections.abc import Iterable

import tomlkit
from tomlkit.items import AoT, Table

from auditctl import durations
from auditctl.capture.config.fields import Fields
from auditctl.capture.model import Rule
from auditctl.errors import UsageError
from auditctl.retention.times import EVERYTHING, Retention

KEYS = ("keep", "target")
TARGET_KEYS = ("name", "keep")
"""The keys of [[retention.target]]."""


def read(document: Fields, rules: Iterable[Rule]) -> Retention | None:
    """Return how long events are kept; None where the file says nothing about it.

    Args:
        document: The file.
        rules: Its rules, in the order of its [[table]]s that have a name.
    """
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
    return None if section is None and not longer else Retention(keep, _times(longer))


def written(retention: Retention, rules: Iterable[Rule]) -> Table | None:
    """Return [retention] as `auditctl config` prints it; None where it says nothing. Tables' own times stand there."""
    tables = {rule.name for rule in rules}
    others = {name: keep for name, keep in retention.targets.items() if name not in tables}
    if retention.keep is None and not others:
        return None
    table = tomlkit.table()
    if retention.keep is not None:
        table["keep"] = retention.keep
    if others:
        table["target"] = _targets(others)
    return table


def _targets(others: dict[str, str | None]) -> AoT:
    targets = tomlkit.aot()
    for name in sorted(others):
        target = tomlkit.table()
        target["name"] = name
        target["keep"] = durations.shown(others[name])
        targets.append(target)
    return targets


def _named(section: Fields) -> list[tuple[str, Fields]]:
    """Return each [[retention.target]] that can be read, with its name."""
    found = []
    for target in section.sections("target"):
        target.known(TARGET_KEYS)
        name = target.values.get("name")
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            target.problem("name", "is missing" if name is None else "must be a target such as order.placed, or a glob")
        elif name == EVERYTHING:
            target.problem("name", "every event is kept as [retention] keep says")
        elif "keep" not in target.values:
            target.problem("keep", "is missing")
        else:
            found.append((name, target))
    return found


def _times(longer: Iterable[tuple[str, Fields]]) -> dict[str, str | None]:
    """Return the time of each target; note what is said twice."""
    times: dict[str, str | None] = {}
    for name, fields in longer:
        if name in times:
            fields.problem("keep", f"how long {name} is kept stands elsewhere already")
        time = _time(fields)
        times[name] = time
    return times


def _time(fields: Fields) -> str | None:
    value = fields.values.get("keep", durations.FOREVER)
    if not isinstance(value, str):
        fields.problem("keep", 'must be a string such as "400 days"')
        return None
    try:
        return durations.parse(value)
    except UsageError as error:
        fields.problem("keep", f"{error}. {error.hint}")
        return None
