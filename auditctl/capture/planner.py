"""Compares the rules with the state of the database: `plan(...) -> Plan`. Pure: no database, no files.

The same input gives the same bytes. Triggers to drop come first, functions that nothing calls any more last.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from auditctl.actions import DEFAULT
from auditctl.capture import event_types, read_policies, registration, triggers, validate
from auditctl.capture.event_types import NO_TYPES, Types
from auditctl.capture.known_relations import installed_target
from auditctl.capture.model import Audited, Catalog, TriggerState
from auditctl.capture.plan import Change, ChangeKind, Plan, Target
from auditctl.capture.resolve import Resolution
from auditctl.capture.table_keys import TableKey
from auditctl.errors import ConfigurationError
from auditctl.names import TRIGGER_SCHEMA
from auditctl.table_names import qualified

_LIST = "List the tables with: auditctl tables --all"
_CORRECT = "Nothing was changed. Correct what is named, then try again."


def plan(
    resolution: Resolution,
    catalog: Catalog,
    states: Sequence[TriggerState],
    *,
    only: frozenset[str] | None = None,
    keys: Mapping[int, TableKey],
    types: Types = NO_TYPES,
) -> Plan:
    """Plan how to get from what the database has to the rules; rules with problems count as absent.

    Args:
        resolution: The rules, and the tables they cover.
        catalog: What the database has.
        states: The triggers that the rules need, of those tables (`catalog.read_triggers`).
        only: Registered names of the rules or tables to act on; None for all. Others are not changed.
        keys: The keys of the covered tables without a primary key, by object id (`table_keys.read`).
        types: The types of business events.
    """
    covered, names, whole = resolution.audited, frozenset[str](), catalog
    if only is not None:
        covered = affected(resolution, only)
        names = only | {audited.target for audited in covered}
        names |= {before for audited in covered if (before := installed_target(audited.root, catalog))}
        catalog = _narrowed(catalog, resolution, covered, names)
    used = {state.function for state in states} | _called_elsewhere(whole, catalog)
    targets = tuple(_target(audited, catalog, keys) for audited in covered)
    steps = [
        *_drop_triggers(states, catalog),
        *_repair_triggers(states, covered, catalog),
        *_compare_reading(covered, catalog),
        *(change for change in _drop_functions(used, catalog) if only is None or change.target in names),
    ]
    steps += registration.compare(covered, targets, {step.target for step in steps if step.kind is not ChangeKind.KEEP})
    return Plan(
        (*steps, *event_types.changes(types)),
        resolution.rules,
        targets,
        (
            *(note for rule, note in resolution.notes if only is None or rule.name in only),
            *validate.warnings((one.root, one.rule, target.key) for one, target in zip(covered, targets, strict=True)),
        ),
        coverings=resolution.coverings,
    )


def affected(resolution: Resolution, only: frozenset[str] | None) -> tuple[Audited, ...]:
    """Return the audited tables that a plan acts on: all, or those of the rules or tables that `only` names."""
    if only is None:
        return resolution.audited
    return tuple(audited for audited in resolution.audited if audited.target in only or audited.rule.name in only)


def _narrowed(catalog: Catalog, resolution: Resolution, covered: Iterable[Audited], names: Collection[str]) -> Catalog:
    """Return what the catalog has of some tables: those covered with their members, and what records as theirs."""
    own = {relation.oid for audited in covered for relation in (audited.root, *audited.members)}
    others = {relation.oid for audited in resolution.audited for relation in (audited.root, *audited.members)} - own
    return replace(
        catalog,
        relations=tuple(
            relation
            for relation in catalog.relations
            if relation.oid in own
            or (
                relation.oid not in others
                and (
                    qualified(*relation.identity) in names
                    or ((relation.triggers or relation.reading) and installed_target(relation, catalog) in names)
                )
            )
        ),
    )


def misfit(
    resolution: Resolution, *, only: frozenset[str] | None, problems: Sequence[str] = (), types: Types = NO_TYPES
) -> ConfigurationError | None:
    """Return what does not fit the database, every problem listed; None if all rules (of those acted on) fit.

    Args:
        resolution: The rules, and the tables they cover.
        only: Registered names of the rules to act on; None for all. Problems of others do not count.
        problems: Earlier problems of the rules; reported together with what does not fit.
        types: The types of business events.
    """
    mismatches = [p.message for p in resolution.problems if only is None or p.rule.name in only]
    mismatches += event_types.find_problems(types, resolution.rules, (audited.target for audited in resolution.audited))
    read_sites = tuple(read_policies.sites(resolution.audited))
    recorded = {site.relation.identity for site in read_sites}
    for site in read_sites:
        if only is None or site.rule.name in only:
            mismatches += read_policies.problems(site, recorded)
    if not problems and not mismatches:
        return None
    is_missing = any(problem.is_missing for problem in resolution.problems)
    return ConfigurationError(list(dict.fromkeys([*problems, *mismatches])), hint=_LIST if is_missing else _CORRECT)


def without_doubtful(planned: Plan, resolution: Resolution, problems: Sequence[str], types: Types = NO_TYPES) -> Plan:
    """Return a plan without the tables of rules with problems, and without event types with problems.

    Such tables only look as if no rule asked for their capture.
    """
    origins = {*(rule.origin for rule in resolution.rules), *(one.origin for one in types.from_file or ())}
    faulty = {origin for origin in origins if any(text.startswith(f"{origin}.") for text in problems)}
    unfit_types = {one.name for one in types.from_file or () if one.origin in faulty}
    mistaken = {name for name, covering in resolution.coverings.items() if covering.rule.origin in faulty}
    names = {rule.name for rule in resolution.rules if rule.origin in faulty}
    names |= {problem.rule.name for problem in resolution.problems}
    doubtful = resolution.doubtful | mistaken
    changes = (
        change
        for change in planned.changes
        if not doubtful.intersection((change.target, change.relation))
        and not (change.records_itself and change.target in unfit_types)
    )
    return replace(planned, changes=tuple(changes), faulty=frozenset(names))


def _compare_reading(covered: Iterable[Audited], catalog: Catalog) -> Iterator[Change]:
    """Yield the changes of the policies that record reads: those to drop come first."""
    needed = {site.relation.oid: site for site in read_policies.sites(covered)}
    for relation in catalog.relations:
        if relation.oid not in needed and relation.reading is not None and relation.reading.is_ours:
            yield read_policies.drop(relation, relation.reading)
    for site in sorted(
        needed.values(), key=lambda s: (s.target, s.relation is not s.root, qualified(*s.relation.identity))
    ):
        yield read_policies.compare(site)


def _drop_triggers(states: Iterable[TriggerState], catalog: Catalog) -> Iterator[Change]:
    """Yield the triggers that no rule asks for. A clone can only be dropped with its parent's trigger."""
    own = {(state.relation, state.trigger) for state in states if not state.is_clone}
    for relation in catalog.relations:
        unneeded = [
            trigger
            for trigger in relation.triggers
            if trigger.function[0] == TRIGGER_SCHEMA
            and not trigger.is_clone
            and (relation.oid, trigger.name) not in own
        ]
        if unneeded:
            target = installed_target(relation, catalog) or qualified(*relation.identity)
            drops = (triggers.drop_trigger(relation, trigger, target) for trigger in unneeded)
            yield from sorted(drops, key=_place)


def _repair_triggers(states: Iterable[TriggerState], covered: Iterable[Audited], catalog: Catalog) -> Iterator[Change]:
    """Yield a change for each trigger that a rule needs: by target and action, the audited table's own first."""
    relations = {relation.oid: relation for relation in catalog.relations}
    targets = {audited.root.oid: audited.target for audited in covered}

    def key(state: TriggerState) -> tuple[str, int, bool, str]:
        place = qualified(*relations[state.relation].identity)
        return targets[state.root], DEFAULT.index(state.action), state.relation != state.root, place

    for state in sorted(states, key=key):
        yield triggers.repair(state, relations[state.relation], targets[state.root])


def _called_elsewhere(whole: Catalog, narrowed: Catalog) -> set[str]:
    """Return the functions that triggers call on relations which the plan does not act on."""
    own = {relation.oid for relation in narrowed.relations}
    others = (relation for relation in whole.relations if relation.oid not in own)
    return {trigger.function[1] for relation in others for trigger in relation.triggers}


def _drop_functions(used: Container[str], catalog: Catalog) -> Iterator[Change]:
    drops = [triggers.drop_function(catalog.functions[name]) for name in sorted(catalog.functions) if name not in used]
    yield from sorted(drops, key=lambda change: (change.target, _place(change)))


def _place(change: Change) -> int:
    """Return where the action of a change comes in plans."""
    return DEFAULT.index(change.action) if change.action in DEFAULT else len(DEFAULT)


def _target(audited: Audited, catalog: Catalog, keys: Mapping[int, TableKey]) -> Target:
    relation, rule, name = audited.root, audited.rule, audited.target
    before = installed_target(relation, catalog)
    key = relation.primary_key or (keys[relation.oid].columns if relation.oid in keys else ())
    label = rule.label if rule.name == name else None
    # A former partition still has the triggers of its parent's target, which is not a former name of its own.
    is_former = before not in (None, name) and not any(
        qualified(*other.identity) == before and installed_target(other, catalog) == before
        for other in catalog.relations
        if other.triggers or other.reading
    )
    renamed_from = before if is_former else None
    return Target(name, label, key, relation.oid, rule, renamed_from)
