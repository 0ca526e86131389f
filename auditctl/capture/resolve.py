"""Matches the names and globs of rules with the tables of the catalog, and collects what does not fit.

Exact names come before globs, earlier globs before later ones; globs do not cover the tables of extensions. A partition
or child of a covered table is covered through it. Pure; problems are collected, not raised.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from auditctl import table_names
from auditctl.capture import precedence, validate
from auditctl.capture.known_relations import KnownRelations
from auditctl.capture.model import Audited, Catalog, Relation
from auditctl.capture.precedence import Covering, Globs
from auditctl.capture.rule_keys import Rule
from auditctl.table_names import Part, Pattern, Patterns, qualified


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
        coverings: For each table that can be audited and that a rule matches, all such rules; by its registered name.
        notes: What may surprise, each with its rule: it matches no table, or earlier rules hide it.
        doubtful: The registered names of the tables that a rule with a problem covers.
    """

    audited: tuple[Audited, ...]
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    coverings: Mapping[str, Covering] = field(default_factory=dict)
    notes: tuple[tuple[Rule, str], ...] = ()
    doubtful: frozenset[str] = frozenset()

    @property
    def covered(self) -> tuple[tuple[Relation, Rule], ...]:
        """The audited tables with their rules."""
        return tuple((audited.root, audited.rule) for audited in self.audited)


def resolve(
    rules: Iterable[Rule],
    catalog: Catalog,
    *,
    follow_renames: bool,
    within: Collection[tuple[str, str]] | None = None,
) -> Resolution:
    """Match rules against the catalog.

    Args:
        rules: The rules, in order.
        catalog: The catalog.
        follow_renames: Whether a former name means the table that was registered under it: true for the rules stored
            in the database, false for those of a file.
        within: The schemas and names of the relations to match; None for all. The others count as covered by no rule.
    """
    registered, named, problems = _registered(rules, catalog, follow_renames)
    globs = Globs(registered)
    candidates = [
        r
        for r in catalog.relations
        if validate.refusal(r) is None
        and (within is None or r.identity in within)
        and (not r.is_of_extension or r.identity in named)
    ]
    coverings = precedence.cover(((qualified(*r.identity), r.identity) for r in candidates), named, globs)
    active = {identity for identity, covering in coverings.items() if covering.rule.actions}
    members = {r.identity for r in candidates if active.intersection(r.parents) and r.identity not in named}
    coverings = {identity: covering for identity, covering in coverings.items() if identity not in members}
    roots = active - members
    covered = [(r, coverings[r.identity].rule) for r in candidates if r.identity in roots]
    for relation, _ in covered:
        stated = coverings[relation.identity].stated
        problems += [
            Problem(stated, text) for text in (*validate.columns(stated, relation), *validate.reads(stated, relation))
        ]
    others = [] if within is None else [r for r in catalog.relations if r.identity not in within]
    problems += _glob_problems(globs, [(r, coverings[r.identity]) for r, _ in covered], others)
    problems += _partitions_of_covered(named, covered)
    faulty = {problem.rule.name for problem in problems}
    sound = [(relation, rule) for relation, rule in covered if rule.name not in faulty]
    return Resolution(
        _with_members(sound, catalog),
        tuple(registered),
        tuple(problems),
        {covering.table: covering for covering in coverings.values()},
        tuple(_notes(globs, coverings.values())) if within is None else (),
        frozenset(qualified(*relation.identity) for relation, rule in covered if rule.name in faulty),
    )


def _registered(
    rules: Iterable[Rule], catalog: Catalog, follow_renames: bool
) -> tuple[list[Rule], dict[tuple[str, str], Rule], list[Problem]]:
    """Return the rules with registered names, those of single tables by schema and name, and what does not fit."""
    names = KnownRelations(catalog)
    problems: list[Problem] = []
    named: dict[tuple[str, str], Rule] = {}
    registered: list[Rule] = []
    for rule in rules:
        pattern = table_names.parse(rule.name)
        if pattern.is_glob:
            rule = replace(rule, name=str(_registered_glob(rule, pattern, catalog, names)))
            problems += [Problem(rule, text) for text in validate.glob_rule(rule)]
        else:
            relation, rule, fault = _find(rule, pattern, names, follow_renames)
            problems += [fault] if fault else []
            if relation is not None:
                problems += _refusals(rule, relation, already=relation.identity in named)
                named.setdefault(relation.identity, rule)
        registered.append(rule)
    return registered, named, [*problems, *_shared_labels(registered)]


def relevant(rules: Iterable[Rule]) -> Callable[[Relation], bool]:
    """Return whether the planner needs the columns and the key of a relation for these rules (for `catalog.read`)."""
    patterns = {candidate for rule in rules for candidate in _spellings(table_names.parse(rule.name))}
    matching = Patterns(patterns).matching
    return lambda relation: any(matching(*identity) for identity in (relation.identity, *relation.parents))


def _spellings(pattern: Pattern) -> tuple[Pattern, ...]:
    return pattern, pattern.lowered()


def _registered_glob(rule: Rule, pattern: Pattern, catalog: Catalog, names: KnownRelations) -> Pattern:
    """Return a glob with its schema, and in lower case if only that matches something: a stored one is exact."""
    if pattern.schema is None:
        pattern = Pattern(Part(catalog.current_schema, is_quoted=True), pattern.table)
    lowered = pattern.lowered()
    is_exact = rule.origin == validate.STORED or lowered == pattern or names.matches_any(pattern)
    return lowered if not is_exact and names.matches_any(lowered) else pattern


def _find(
    rule: Rule, pattern: Pattern, names: KnownRelations, follow_renames: bool
) -> tuple[Relation | None, Rule, Problem | None]:
    place = validate.where(rule, "name")
    # A stored name is exact: in lower case it would be another table.
    for candidate in (pattern,) if rule.origin == validate.STORED else _spellings(pattern):
        matches = names.find(candidate)
        if len(matches) == 1:
            return matches[0], replace(rule, name=qualified(*matches[0].identity)), None
        if matches:
            found = ", ".join(qualified(*r.identity) for r in matches)
            return None, rule, Problem(rule, f"{place}: {rule.name} may mean {found}; write the schema too")
    # It excludes a table that no longer exists from a glob, or it waits for the table to be created again.
    if rule.is_in_force and (not rule.actions or rule.on_drop == "record"):
        return None, rule, None
    renamed = names.renamed(rule.name)
    if renamed and follow_renames:
        return renamed, replace(rule, name=qualified(*renamed.identity)), None
    advice = f"; it is now {qualified(*renamed.identity)}" if renamed else names.advice(rule.name)
    return None, rule, Problem(rule, f"{place}: there is no table {rule.name}{advice}", is_missing=True)


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
    globs: Globs, covered: Sequence[tuple[Relation, Covering]], others: Sequence[Relation]
) -> Iterator[Problem]:
    tables: dict[str, list[Relation]] = {}
    for relation, covering in covered:
        # A rule may name a column for tables whose own rules take from it what they hide.
        for name in (covering.rule.name, *covering.others):
            tables.setdefault(name, []).append(relation)
    for pattern, rule in globs.pairs:
        # One of the tables whose columns were not read may have the column.
        if not rule.is_in_force and not any(pattern.matches(*relation.identity) for relation in others):
            yield from (Problem(rule, text) for text in validate.glob_columns(rule, tables.get(rule.name, [])))


def _notes(globs: Globs, coverings: Collection[Covering]) -> Iterator[tuple[Rule, str]]:
    matched = {name for covering in coverings for name in (covering.rule.name, *covering.others)}
    for _, rule in globs.pairs:
        if rule.name not in matched and rule.origin != validate.STORED:
            yield rule, f"{validate.where(rule, 'name')}: no table matches {rule.name} yet"
    yield from globs.hiding(coverings)


def _partitions_of_covered(
    named: Collection[tuple[str, str]], covered: Sequence[tuple[Relation, Rule]]
) -> Iterator[Problem]:
    roots = {relation.identity for relation, _ in covered}
    for relation, rule in covered:
        parents = [parent for parent in relation.parents if parent in roots]
        if relation.is_partition and relation.identity in named and parents:
            place = validate.where(rule, "name")
            parent = qualified(*parents[0])
            yield Problem(rule, f"{place}: {rule.name} is a partition of {parent}, which is audited already")
