"""Compares what the rules want with what the catalog has: `plan(...) -> Plan`. Changes nothing.

Same input, same bytes. Triggers that must go come first, functions that nothing calls any more last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from auditctl.actions import ACTIONS, BY_ACTION, Action, CapturedAction
from auditctl.capture import event_types, read_policies, triggers, validate
from auditctl.capture.event_types import NO_TYPES, Types
from auditctl.capture.model import Catalog, Function, Relation, Request, Rule, Trigger
from auditctl.capture.plan import Change, Plan, Target
from auditctl.capture.read_policies import ReadSite
from auditctl.capture.resolve import Resolution, installed_target, resolve
from auditctl.capture.table_names import qualified
from auditctl.capture.triggers import Site
from auditctl.errors import ConfigurationError
from auditctl.names import TRIGGER_SCHEMA

_LIST = "List the tables with: auditctl tables --all"
_CORRECT = "Nothing was changed. Correct the rule, then try again."


Generate = Callable[[Sequence[Request]], Sequence[Function]]
"""Returns the functions asked for, in the same order; the database assembles them (`catalog.generate`)."""


def plan(
    rules: Iterable[Rule],
    catalog: Catalog,
    generate: Generate,
    *,
    follow_renames: bool,
    only: frozenset[str] | None = None,
    problems: Sequence[str] = (),
    types: Types = NO_TYPES,
) -> Plan:
    """Plan how to get from the catalog to the rules.

    Args:
        rules: All rules, in order.
        catalog: What the database has.
        generate: Returns the functions that are needed.
        follow_renames: See `resolve.resolve`.
        only: Registered names of the rules to act on; None for all. What other rules lack is left alone.
        problems: What was found wrong with the rules before; reported together with what does not fit.
        types: The types of business events.

    Raises:
        ConfigurationError: Rules (of those acted on) do not fit the database; every problem is listed.
    """
    resolution = resolve(rules, catalog, follow_renames=follow_renames)
    found = [p.message for p in resolution.problems if only is None or p.rule.name in only]
    found += event_types.misfits(types, resolution.rules, (qualified(*r.identity) for r, _ in resolution.covered))
    read_sites = tuple(_read_sites(resolution, catalog))
    seen = {site.relation.identity for site in read_sites}
    for site in read_sites:
        if only is None or site.rule.name in only:
            found += read_policies.problems(site, seen)
    if problems or found:
        is_missing = any(problem.is_missing for problem in resolution.problems)
        raise ConfigurationError(list(dict.fromkeys([*problems, *found])), hint=_LIST if is_missing else _CORRECT)
    planned = compare(resolution, catalog, generate, only=only)
    return replace(planned, changes=(*planned.changes, *event_types.changes(types)))


def compare(
    resolution: Resolution, catalog: Catalog, generate: Generate, *, only: frozenset[str] | None = None
) -> Plan:
    """Plan for rules that are resolved already; those with problems count as absent.

    Args:
        resolution: The rules and the tables they cover.
        catalog: What the database has.
        generate: See `plan`.
        only: Registered names of rules or tables to act on; None for all.
    """
    own = {relation.identity for relation, _ in resolution.covered}
    spots = [spot for relation, rule in resolution.covered for spot in _spots(relation, rule, catalog, own)]
    wanted = {site.key: site for site in _sites(spots, generate)}
    steps = [*_drop_triggers(wanted, catalog)]
    for site in sorted(wanted.values(), key=_order):
        trigger = next((t for t in site.relation.triggers if t.name == site.captured.trigger and _fits(site, t)), None)
        steps.append(triggers.compare(site, trigger, catalog.functions.get(site.function.name)))
    steps += _compare_reading(resolution, catalog)
    steps += _drop_functions(wanted, catalog)
    covered = resolution.covered
    targets = [_target(relation, rule, catalog) for relation, rule in covered]
    if only is not None:
        names = only | {qualified(*relation.identity) for relation, rule in covered if rule.name in only}
        covered = tuple(pair for pair in covered if qualified(*pair[0].identity) in names)
        targets = [target for target in targets if target.name in names]
        names |= {before for relation, _ in covered if (before := installed_target(relation, catalog))}
        steps = [step for step in steps if step.target in names or step.relation in names]
    return Plan(tuple(steps), resolution.rules, tuple(targets), validate.warnings(covered))


@dataclass(frozen=True, slots=True)
class _Spot:
    """A trigger that a rule needs, and what its function must do; the rest as in `changes.Site`."""

    captured: CapturedAction
    relation: Relation
    request: Request
    is_clone: bool = False
    shares_function: bool = False


def _spots(relation: Relation, rule: Rule, catalog: Catalog, own: set[tuple[str, str]]) -> Iterator[_Spot]:
    """Yield every trigger that a rule needs: on the table, and on partitions and children without their own rule."""
    target = qualified(*relation.identity)
    members = _members(relation, catalog, own)
    for captured in (BY_ACTION[action] for action in rule.actions if action in BY_ACTION):
        action = captured.action
        request = Request(relation.oid, relation.oid, target, action, rule)
        for site in (relation, *members):
            if site.kind == "f" and not captured.per_row:
                continue  # PostgreSQL has no truncate triggers on foreign tables.
            if site is relation:
                yield _Spot(captured, site, request)
            elif site.is_partition:
                yield _Spot(captured, site, request, is_clone=captured.per_row, shares_function=True)
            else:
                yield _Spot(captured, site, replace(request, relation=site.oid))


def _members(relation: Relation, catalog: Catalog, own: set[tuple[str, str]]) -> list[Relation]:
    return [
        r
        for r in catalog.relations
        if r.identity not in own and _nearest(r, own) == relation.identity and r.persistence != "t"
    ]


def _read_sites(resolution: Resolution, catalog: Catalog) -> Iterator[ReadSite]:
    """Yield every relation whose reads must be recorded."""
    own = {relation.identity for relation, _ in resolution.covered}
    for relation, rule in resolution.covered:
        if Action.READ in rule.actions:
            yield from read_policies.sites(relation, _members(relation, catalog, own), rule)


def _compare_reading(resolution: Resolution, catalog: Catalog) -> Iterator[Change]:
    """Yield what the policies of reading need: those that must go come first."""
    wanted = {site.relation.identity: site for site in _read_sites(resolution, catalog)}
    for relation in catalog.relations:
        if relation.identity not in wanted and relation.reading is not None and relation.reading.is_ours:
            yield read_policies.drop(relation, relation.reading)
    for site in sorted(
        wanted.values(), key=lambda s: (s.target, s.relation is not s.root, qualified(*s.relation.identity))
    ):
        yield read_policies.compare(site)


def _sites(spots: Sequence[_Spot], generate: Generate) -> Iterator[Site]:
    requests = list(dict.fromkeys(spot.request for spot in spots))
    functions = dict(zip(requests, generate(requests), strict=True))
    for spot in spots:
        function = functions[spot.request]
        yield Site(spot.request.target, spot.captured, spot.relation, function, spot.is_clone, spot.shares_function)


def _fits(site: Site, trigger: Trigger) -> bool:
    """Whether a trigger stays: a clone goes and comes with its parent's, and only by that."""
    if not site.is_clone:
        return not trigger.is_clone
    return trigger.is_clone and trigger.function == (TRIGGER_SCHEMA, site.function.name)


def _nearest(relation: Relation, own: set[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the closest ancestor with a rule of its own."""
    return next((parent for parent in relation.parents if parent in own), None)


def _declared_key(rule: Rule, relation: Relation) -> tuple[str, ...]:
    return rule.key if set(relation.columns).issuperset(rule.key) else ()


def _drop_triggers(wanted: dict[tuple[str, str, str], Site], catalog: Catalog) -> Iterator[Change]:
    for relation in catalog.relations:
        for trigger in relation.triggers:
            site = wanted.get((*relation.identity, trigger.name))
            if (site is None or site.is_clone) and not trigger.is_clone and _is_ours(trigger):
                target = installed_target(relation, catalog) or qualified(*relation.identity)
                yield triggers.drop_trigger(relation, trigger, target)


def _drop_functions(wanted: dict[tuple[str, str, str], Site], catalog: Catalog) -> Iterator[Change]:
    used = {site.function.name for site in wanted.values()}
    for name in sorted(catalog.functions):
        if name not in used:
            yield triggers.drop_function(catalog.functions[name])


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
    # A table that was a part of another one carries the other's target: that is still there, and no former name.
    is_former = before not in (None, name) and not any(
        qualified(*other.identity) == before and installed_target(other, catalog) == before
        for other in catalog.relations
        if other.triggers or other.reading
    )
    renamed_from = before if is_former else None
    return Target(name, label, key, relation.oid, rule, renamed_from)
