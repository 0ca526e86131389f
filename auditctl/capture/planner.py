"""Compares what the rules want with what the catalog has: `plan(...) -> Plan`. Touches nothing.

Same input, same bytes. Triggers that must go come first, functions that nothing calls any more last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from auditctl.capture import changes, render, validate
from auditctl.capture.actions import ACTIONS, BY_ACTION, CapturedAction
from auditctl.capture.changes import Site
from auditctl.capture.identifiers import qualified
from auditctl.capture.render import Capture
from auditctl.capture.resolve import Resolution, installed_target, resolve
from auditctl.errors import ConfigurationError
from auditctl.model import Catalog, Change, Plan, Relation, Rule, Target, Trigger
from auditctl.names import TRIGGER_SCHEMA

_LIST = "List the tables with: auditctl tables --all"
_CORRECT = "Nothing was changed. Correct the rule, then try again."


def plan(
    rules: Iterable[Rule],
    catalog: Catalog,
    *,
    follow_renames: bool,
    only: frozenset[str] | None = None,
    problems: Sequence[str] = (),
) -> Plan:
    """Plan how to get from the catalog to the rules.

    Args:
        rules: All rules, in order.
        catalog: What the database has.
        follow_renames: See `resolve.resolve`.
        only: Registered names of the rules to act on; None for all. What other rules lack is left alone.
        problems: What was found wrong with the rules before; reported together with what does not fit.

    Raises:
        ConfigurationError: Rules (of those acted on) do not fit the database; every problem is listed.
    """
    resolution = resolve(rules, catalog, follow_renames=follow_renames)
    found = [p.message for p in resolution.problems if only is None or p.rule.name in only]
    if problems or found:
        is_missing = any(problem.is_missing for problem in resolution.problems)
        raise ConfigurationError(list(dict.fromkeys([*problems, *found])), hint=_LIST if is_missing else _CORRECT)
    return compare(resolution, catalog, only=only)


def compare(resolution: Resolution, catalog: Catalog, *, only: frozenset[str] | None = None) -> Plan:
    """Plan for rules that are resolved already; those with problems count as absent.

    Args:
        resolution: The rules and the tables they cover.
        catalog: What the database has.
        only: Registered names of rules or tables to act on; None for all.
    """
    own = {relation.identity for relation, _ in resolution.covered}
    sites = [site for relation, rule in resolution.covered for site in _sites(relation, rule, catalog, own)]
    wanted = {site.key: site for site in sites}
    steps = [*_drop_triggers(wanted, catalog)]
    for site in sorted(wanted.values(), key=_order):
        trigger = next((t for t in site.relation.triggers if t.name == site.captured.trigger and _fits(site, t)), None)
        steps.append(changes.compare(site, trigger, catalog.functions.get(site.function.name)))
    steps += _drop_functions(wanted, catalog)
    covered = resolution.covered
    targets = [_target(relation, rule, catalog) for relation, rule in covered]
    if only is not None:
        names = only | {qualified(*relation.identity) for relation, rule in covered if rule.name in only}
        covered = tuple(pair for pair in covered if qualified(*pair[0].identity) in names)
        targets = [target for target in targets if target.name in names]
        names |= {target.renamed_from for target in targets if target.renamed_from}
        steps = [step for step in steps if step.target in names or step.relation in names]
    return Plan(tuple(steps), resolution.rules, tuple(targets), validate.warnings(covered))


def _sites(relation: Relation, rule: Rule, catalog: Catalog, own: set[tuple[str, str]]) -> Iterator[Site]:
    """Yield every trigger that a rule needs: on the table, and on partitions and children without their own rule."""
    target = qualified(*relation.identity)
    members = [r for r in catalog.relations if r.identity not in own and _nearest(r, own) == relation.identity]
    for action in rule.actions:
        captured = BY_ACTION[action]
        root = _site(relation, captured, relation, rule, has_members=bool(members) or relation.kind == "p")
        if relation.kind != "f" or captured.per_row:  # PostgreSQL has no truncate triggers on foreign tables.
            yield root
        for member in members:
            if member.kind == "f" and not captured.per_row:
                continue
            if not member.is_partition:
                yield _site(relation, captured, member, rule, has_members=True)
            elif captured.per_row:
                yield Site(target, captured, member, root.function, is_clone=True)
            else:
                yield Site(target, captured, member, root.function)


def _fits(site: Site, trigger: Trigger) -> bool:
    """Whether a trigger stays: a clone goes and comes with its parent's, and only by that."""
    if not site.is_clone:
        return not trigger.is_clone
    return trigger.is_clone and trigger.function == (TRIGGER_SCHEMA, site.function.name)


def _nearest(relation: Relation, own: set[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the closest ancestor with a rule of its own."""
    return next((parent for parent in relation.parents if parent in own), None)


def _site(root: Relation, captured: CapturedAction, relation: Relation, rule: Rule, *, has_members: bool) -> Site:
    target = qualified(*root.identity)
    key = relation.primary_key or _declared_key(rule, relation)
    capture = Capture(captured, relation, rule, target, key, root.identity, has_members)
    return Site(target, captured, relation, render.function(capture))


def _declared_key(rule: Rule, relation: Relation) -> tuple[str, ...]:
    names = {column.name for column in relation.columns}
    return rule.key if names.issuperset(rule.key) else ()


def _drop_triggers(wanted: dict[tuple[str, str, str], Site], catalog: Catalog) -> Iterator[Change]:
    for relation in catalog.relations:
        for trigger in relation.triggers:
            site = wanted.get((*relation.identity, trigger.name))
            if (site is None or site.is_clone) and not trigger.is_clone and _is_ours(trigger):
                target = installed_target(relation, catalog) or qualified(*relation.identity)
                yield changes.drop_trigger(relation, trigger, target)


def _drop_functions(wanted: dict[tuple[str, str, str], Site], catalog: Catalog) -> Iterator[Change]:
    used = {site.function.name for site in wanted.values()}
    for name in sorted(catalog.functions):
        if name not in used:
            yield changes.drop_function(catalog.functions[name])


def _is_ours(trigger: Trigger) -> bool:
    return trigger.function[0] == TRIGGER_SCHEMA


def _order(site: Site) -> tuple[str, int, bool, str]:
    place = qualified(*site.relation.identity)
    return site.target, ACTIONS.index(site.captured), site.is_clone or place != site.target, place


def _target(relation: Relation, rule: Rule, catalog: Catalog) -> Target:
    name = qualified(*relation.identity)
    before = installed_target(relation, catalog)
    key = relation.primary_key or _declared_key(rule, relation)
    label = rule.label if rule.name == name else None
    return Target(name, label, key, renamed_from=before if before not in (None, name) else None)
