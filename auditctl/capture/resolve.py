"""Matches the names and globs of rules with the tables of the catalog, and collects what does not fit.

Exact names come before globs, earlier globs before later ones. A partition or child of a covered table is covered
through it. Pure; problems are collected, not raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from auditctl import table_names
from auditctl.capture import validate
from auditctl.capture.model import Audited, Catalog, Relation
from auditctl.capture.rule_keys import Rule
from auditctl.names import TRIGGER_SCHEMA
from auditctl.table_names import Pattern, commented_target, qualified
from auditctl.text import did_you_mean


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a rule that does not fit the database.

    Attributes:
        rule: The rule.
        message: What is wrong, as a sentence that starts with the place.
        is_missing: Whether the problem is that the table does not exist.
    """

    rule: Rule
    message: str
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """Rules matched against the catalog.

    Attributes:
        audited: Each audited table that is not a member of another, with the rule in force and its members.
        rules: The rules with registered names, renames followed; in the order given.
        problems: What does not fit; a rule with a problem covers nothing.
    """

    audited: tuple[Audited, ...]
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]

    @property
    def covered(self) -> tuple[tuple[Relation, Rule], ...]:
        """The audited tables with their rules."""
        return tuple((audited.root, audited.rule) for audited in self.audited)


def resolve(rules: Iterable[Rule], catalog: Catalog, *, follow_renames: bool) -> Resolution:
    """Match rules against the catalog.

    Args:
        rules: The rules, in order.
        catalog: The catalog.
        follow_renames: Whether a former name means the table that was registered under it: true for the rules stored
            in the database, false for those of a file.
    """
    problems: list[Problem] = []
    named: dict[tuple[str, str], Rule] = {}
    globs: list[tuple[Pattern, Rule]] = []
    registered: list[Rule] = []
    for rule in rules:
        pattern = table_names.parse(rule.name)
        if pattern.is_glob:
            pattern = _in_schema(pattern, catalog)
            rule = replace(rule, name=str(pattern))
            problems += [Problem(rule, text) for text in validate.glob_rule(rule)]
            globs.append((pattern, rule))
        else:
            relation, rule, fault = _find(rule, pattern, catalog, follow_renames)
            problems += [fault] if fault else []
            if relation is not None:
                problems += _refusals(rule, relation, already=relation.identity in named)
                named.setdefault(relation.identity, rule)
        registered.append(rule)
    problems += _shared_labels(registered)
    covered = _cover(catalog, named, globs)
    for relation, rule in covered:
        problems += [
            Problem(rule, text) for text in (*validate.columns(rule, relation), *validate.reads(rule, relation))
        ]
    problems += _glob_problems(globs, catalog, covered)
    problems += _partitions_of_covered(named, covered)
    faulty = {problem.rule.name for problem in problems}
    sound = [(relation, rule) for relation, rule in covered if rule.name not in faulty]
    return Resolution(_with_members(sound, catalog), tuple(registered), tuple(problems))


def needs(rules: Iterable[Rule], relation: Relation) -> bool:
    """Whether the planner needs the columns and the key of a relation for these rules (for `catalog.read`)."""
    patterns = [table_names.parse(rule.name) for rule in rules]
    family = [relation.identity, *relation.parents]
    return any(
        candidate.matches(*identity)
        for pattern in patterns
        for candidate in (pattern, pattern.lowered())
        for identity in family
    )


def installed_target(relation: Relation, catalog: Catalog) -> str | None:
    """Return the name under which a relation's triggers or policies record, or None if it has none of ours."""
    for trigger in relation.triggers:
        schema, name = trigger.function
        function = catalog.functions.get(name)
        if schema == TRIGGER_SCHEMA and function is not None:
            return commented_target(function.comment)
    return relation.reading.target if relation.reading else None


def _in_schema(pattern: Pattern, catalog: Catalog) -> Pattern:
    if pattern.schema is not None:
        return pattern
    return Pattern(table_names.Part(catalog.current_schema, is_quoted=True), pattern.table)


def _find(
    rule: Rule, pattern: Pattern, catalog: Catalog, follow_renames: bool
) -> tuple[Relation | None, Rule, Problem | None]:
    place = validate.where(rule, "name")
    # A stored name is exact: in lower case it would be another table.
    for candidate in (pattern,) if rule.origin == validate.STORED else (pattern, pattern.lowered()):
        matches = [r for r in catalog.relations if candidate.matches(*r.identity)]
        if pattern.schema is None:
            matches = [r for r in matches if r.is_visible] or matches
        if len(matches) == 1:
            return matches[0], replace(rule, name=qualified(*matches[0].identity)), None
        if matches:
            names = ", ".join(qualified(*r.identity) for r in matches)
            return None, rule, Problem(rule, f"{place}: {rule.name} may mean {names}; write the schema too")
    # It excludes a table that no longer exists from a glob, or it waits for the table to be created again.
    if rule.is_in_force and (not rule.actions or rule.on_drop == "record"):
        return None, rule, None
    renamed = [r for r in catalog.relations if not r.parents and installed_target(r, catalog) == rule.name]
    if renamed and follow_renames:
        return renamed[0], replace(rule, name=qualified(*renamed[0].identity)), None
    advice = f"; it is now {qualified(*renamed[0].identity)}" if renamed else _advice(rule.name, catalog)
    return None, rule, Problem(rule, f"{place}: there is no table {rule.name}{advice}", is_missing=True)


def _advice(name: str, catalog: Catalog) -> str:
    pattern = table_names.parse(name)
    sound = [r for r in catalog.relations if validate.refusal(r) is None]
    # Compared without the schema, which would make all its tables look similar.
    near = [r for r in sound if pattern.schema is None or pattern.schema.matches(r.schema)]
    tables = {r.table: qualified(*r.identity) for r in near}
    before = "; did you mean "
    return did_you_mean(pattern.table.text, tables, before=before) or did_you_mean(
        name, [qualified(*r.identity) for r in sound], before=before, cutoff=0.8
    )


def _refusals(rule: Rule, relation: Relation, *, already: bool) -> list[Problem]:
    place = validate.where(rule, "name")
    # A view may have a rule that it is not audited, but the form does not offer that.
    reason = validate.refusal(relation) if rule.actions or rule.origin == validate.FORM else None
    problems = [Problem(rule, f"{place}: {rule.name} {reason}")] if reason else []
    return problems + ([Problem(rule, f"{place}: {rule.name} has a rule already")] if already else [])


def _shared_labels(rules: list[Rule]) -> list[Problem]:
    holders = {rule.name: rule.name for rule in rules}
    problems = []
    # A stored rule wins over a new one, whatever their order.
    for rule in sorted(rules, key=lambda rule: rule.origin in (validate.COMMAND_LINE, validate.FORM)):
        if rule.label is None or rule.label == rule.name:
            continue
        if rule.label in holders:
            place = validate.where(rule, "label")
            problems.append(Problem(rule, f"{place}: {rule.label} is already used for {holders[rule.label]}"))
        holders.setdefault(rule.label, rule.name)
    return problems


def _cover(
    catalog: Catalog, named: dict[tuple[str, str], Rule], globs: list[tuple[Pattern, Rule]]
) -> list[tuple[Relation, Rule]]:
    chosen: dict[tuple[str, str], tuple[Relation, Rule]] = {}
    for relation in catalog.relations:
        if validate.refusal(relation) is not None:
            continue
        rule = named.get(relation.identity)
        if rule is None:
            rule = next((r for pattern, r in globs if pattern.matches(*relation.identity)), None)
        if rule is not None:
            chosen[relation.identity] = (relation, rule)
    active = {identity for identity, (_, rule) in chosen.items() if rule.actions}
    return [
        (relation, rule)
        for identity, (relation, rule) in chosen.items()
        if rule.actions and (not any(parent in active for parent in relation.parents) or identity in named)
    ]


def _with_members(covered: list[tuple[Relation, Rule]], catalog: Catalog) -> tuple[Audited, ...]:
    """Return the audited tables with their members: their descendants that have no nearer audited ancestor."""
    members: dict[tuple[str, str], list[Relation]] = {relation.identity: [] for relation, _ in covered}
    for relation in catalog.relations:
        if relation.identity not in members and relation.persistence != "t":
            nearest = next((parent for parent in relation.parents if parent in members), None)
            if nearest is not None:
                members[nearest].append(relation)
    return tuple(Audited(relation, rule, tuple(members[relation.identity])) for relation, rule in covered)


def _glob_problems(
    globs: list[tuple[Pattern, Rule]], catalog: Catalog, covered: list[tuple[Relation, Rule]]
) -> Iterator[Problem]:
    for pattern, rule in globs:
        if rule.is_in_force:
            continue
        if not any(pattern.matches(*r.identity) and validate.refusal(r) is None for r in catalog.relations):
            yield Problem(rule, f"{validate.where(rule, 'name')}: no table matches {rule.name}")
            continue
        tables = [relation for relation, chosen in covered if chosen is rule]
        yield from (Problem(rule, text) for text in validate.glob_columns(rule, tables))


def _partitions_of_covered(
    named: dict[tuple[str, str], Rule], covered: list[tuple[Relation, Rule]]
) -> Iterator[Problem]:
    roots = {relation.identity for relation, _ in covered}
    for relation, rule in covered:
        parents = [parent for parent in relation.parents if parent in roots]
        if relation.is_partition and relation.identity in named and parents:
            place = validate.where(rule, "name")
            parent = qualified(*parents[0])
            yield Problem(rule, f"{place}: {rule.name} is a partition of {parent}, which is audited already")
