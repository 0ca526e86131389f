"""Takes what a name or glob matches out of rules, whichever rules cover it, or some of its actions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from auditctl import table_names
from auditctl.actions import Action
from auditctl.capture import precedence, rule_keys, validate
from auditctl.capture.model import Relation
from auditctl.capture.resolve import Resolution
from auditctl.capture.rule_keys import Rule
from auditctl.capture.validate import COMMAND_LINE
from auditctl.table_names import Pattern, qualified


def without(covering: Resolution, name: str, actions: Sequence[Action]) -> tuple[Rule, ...] | None:
    """Return the rules under which nothing that a name matches has these actions.

    Rules for nothing else lose the actions, and go where they have no others. What wider globs cover gets a rule of
    its own, before them: it has the remaining actions, or none.

    Args:
        covering: The rules, and what they cover.
        name: The registered name or glob.
        actions: The actions to stop; empty for all.

    Returns:
        The rules; None if no rule audits anything that the name matches.
    """
    pattern = table_names.parse(name)
    inside = {rule.name for rule in covering.rules if rule.actions and pattern.covers(table_names.parse(rule.name))}
    reduced = [_stopped(rule, actions) if rule.name in inside else rule for rule in covering.rules]
    rules = tuple(rule for rule in reduced if rule.actions or rule.name not in inside)
    globs = _effective(rules, pattern)
    if not globs:
        return rules if inside else None
    if actions and not any(action in rule.actions for rule in globs for action in actions):
        return rules
    if table_names.parse(globs[0].name).covers(pattern):
        return precedence.put(rules, _stopped(_narrowed(globs[0], name, covering), actions))
    if not actions:
        return precedence.put(rules, Rule(name, (), origin=COMMAND_LINE))
    # No glob has the settings of all of them.
    names = {rule.name for rule in globs}
    for audited in covering.audited:
        is_stopped = any(action in actions for action in audited.rule.actions)
        if is_stopped and audited.rule.name in names and pattern.matches(*audited.root.identity):
            rules = precedence.put(rules, _stopped(_narrowed(audited.rule, audited.target, covering), actions))
    return rules


def rule_in_force(covering: Resolution, name: str) -> Rule | None:
    """Return the rule in force for a registered name: its own, else the glob that covers the table; None for none."""
    if name in covering.coverings:
        return covering.coverings[name].rule
    own = next((rule for rule in covering.rules if rule.name == name), None)
    return own and precedence.in_force([own, *precedence.wider(covering.rules, own)])


def as_stated(rule: Rule, rules: Sequence[Rule], relation: Relation | None) -> Rule:
    """Return a form's rule without the lists that are as it would inherit them: a form shows all, inherited or not.

    Args:
        rule: The rule, with its registered name.
        rules: All rules, with this one.
        relation: Its table; None for a glob, or for a table that is gone.
    """
    inherited = precedence.in_force([replace(rule, exclude=None, mask=None), *precedence.wider(rules, rule)])
    if relation is not None:
        inherited = rule_keys.keep_columns(inherited, relation.columns)
    lists: dict[str, Any] = {
        key.name: None
        for key in rule_keys.COLUMNS
        if key.is_inherited and {*(getattr(rule, key.name) or ())} == {*(getattr(inherited, key.name) or ())}
    }
    return replace(rule, **lists)


def with_own_columns(rule: Rule, relations: Mapping[str, Relation]) -> Rule:
    """Return a rule without the columns that its table does not have."""
    relation = relations.get(rule.name)
    return rule_keys.keep_columns(rule, relation.columns) if relation else rule


def unknown_columns(rules: Sequence[Rule], relations: Mapping[str, Relation]) -> list[str]:
    """Return a mistake for each column that rules for several tables name and none of the tables has.

    Args:
        rules: The rules, which name the same columns.
        relations: The tables, by registered name.
    """
    known = {column for rule in rules if rule.name in relations for column in relations[rule.name].columns}
    named = dict.fromkeys(
        (validate.where(rule, key.name), column)
        for rule in rules
        for key in rule_keys.COLUMNS
        for column in getattr(rule, key.name) or ()
    )
    return [f"{place}: none of these tables has a column {column}" for place, column in named if column not in known]


def _narrowed(glob: Rule, name: str, covering: Resolution) -> Rule:
    """Return what a glob says about some of its tables, which goes on hiding what the glob hides."""
    return replace(rule_for_table(glob, name, covering), exclude=None, mask=None)


def rule_for_table(covering_rule: Rule, name: str, covering: Resolution) -> Rule:
    """Return what a rule says about one table: a glob may name columns that this table does not have."""
    relation = next((r for r, _ in covering.covered if qualified(*r.identity) == name), None)
    if relation is None or covering_rule.name == name:
        return replace(covering_rule, name=name)
    has_key = not relation.primary_key and set(relation.columns).issuperset(covering_rule.key)
    return replace(
        rule_keys.keep_columns(covering_rule, relation.columns), name=name, key=covering_rule.key if has_key else ()
    )


def _stopped(rule: Rule, actions: Sequence[Action]) -> Rule:
    """Return a rule without these actions; without any, only its name is left."""
    remaining = tuple(action for action in rule.actions if actions and action not in actions)
    if not remaining:
        return Rule(rule.name, (), origin=COMMAND_LINE)
    return rule_keys.drop_useless(replace(rule, actions=remaining, origin=COMMAND_LINE))


def _effective(rules: Sequence[Rule], pattern: Pattern) -> list[Rule]:
    """Return the globs that audit something that a pattern matches, in their order; none if its own rule decides."""
    if not pattern.is_glob and any(table_names.parse(rule.name) == pattern for rule in rules):
        return []
    found = []
    for rule in rules:
        glob = table_names.parse(rule.name)
        if glob.is_glob and glob.overlaps(pattern) and not precedence.is_narrower(glob, pattern):
            if rule.actions and not pattern.covers(glob):
                found.append(rule)
            if glob.covers(pattern):
                break
    return found
