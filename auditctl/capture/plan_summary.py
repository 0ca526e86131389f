"""Words for the changes of a plan: a line for each, or a summary by rule, kind and reason if there are many. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditctl.capture import registration
from auditctl.capture.plan import Change, ChangeKind, Plan, action_names
from auditctl.text import plural

MAX_LINES = 20
"""How many lines are printed at most, unless somebody asks for all."""

_Group = tuple[str, str, str]
"""The rule, the kind of change and the reason."""


def lines(planned: Plan, *, is_whole: bool = False) -> list[str]:
    """Return the changes of a plan as lines.

    Args:
        planned: The plan.
        is_whole: Whether each change has its line, however many there are.
    """
    rules = limited(list(_rule_lines(planned)), "rule", is_whole=is_whole)
    if is_whole or len(planned.pending) <= MAX_LINES:
        return [*(_line(planned, change) for change in planned.pending), *rules]
    groups: dict[_Group, list[Change]] = {}
    for change in planned.pending:
        groups.setdefault((_rule(planned, change), change.kind.value, change.reason), []).append(change)
    summary = [_summary(group, changes) for group, changes in groups.items()]
    return [*limited(summary, "line"), *rules]


def limited(texts: Sequence[str], noun: str, *, is_whole: bool = False) -> list[str]:
    """Return texts, or the first of many, and how many more there are.

    Args:
        texts: The texts.
        noun: What one of them is.
        is_whole: Whether to return all.
    """
    more = len(texts) - MAX_LINES
    if is_whole or more <= 0:
        return list(texts)
    return [*texts[:MAX_LINES], f"... and {plural(more, f'more {noun}')}; plan --verbose shows all"]


def _line(planned: Plan, change: Change) -> str:
    covering = planned.coverings.get(change.target)
    words = (f"{change.kind.value:<8}{change.relation}", action_names([change]), change.reason)
    return "  ".join(filter(None, (*words, covering.phrase if covering else "")))


def _rule_lines(planned: Plan) -> Iterator[str]:
    """Yield a line for each rule that is otherwise than the stored one where no change shows it."""
    for pair in planned.rule_differences:
        yield f"{ChangeKind.STORE:<8}rule {pair.name}  {registration.rule_difference(pair.before, pair.after)}"
    if planned.is_reordered:
        yield f"{ChangeKind.STORE:<8}rules  their order is another one than the stored one"


def _rule(planned: Plan, change: Change) -> str:
    """Return which rule a change follows, as the end of a line; empty where there is none."""
    covering = planned.coverings.get(change.target)
    if covering is None:
        return ""
    name = "rules of their own" if covering.rule.name == covering.table else f"rule {covering.rule.name}"
    return f"{'by' if covering.rule.actions else 'left out by'} {name}"


def _summary(group: _Group, changes: Sequence[Change]) -> str:
    rule, kind, reason = group
    tables = len({change.target for change in changes if change.relation_oid is not None})
    of_tables = f" of {plural(tables, 'table')}" if tables else ""
    count = f"{plural(len(changes), 'change')}{of_tables}, such as {changes[0].relation}"
    return "  ".join(filter(None, (f"{kind:<8}{count}", action_names(changes), reason, rule)))
