"""What `--only` names: the tables that a command reads, plans and judges, and how rules of a file are merged for them.

Pure: the catalog says what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from auditctl import table_names
from auditctl.capture import validate
from auditctl.capture.known_relations import KnownRelations
from auditctl.capture.model import Catalog, Relation
from auditctl.capture.rule_keys import Rule
from auditctl.errors import UsageError
from auditctl.table_names import Part, Pattern, Patterns, commented_target, qualified

Identity = tuple[str, str]
"""Schema and name of a relation."""


@dataclass(frozen=True)
class Scope:
    """What some names and globs mean in a database.

    Attributes:
        patterns: The names and globs, each with its schema.
        relations: What they match, with all partitions and children, and with the tables that these belong to.
        targets: The registered names of these, and of former tables that still have functions of ours.
    """

    patterns: tuple[Pattern, ...]
    relations: frozenset[Identity]
    targets: frozenset[str]

    @cached_property
    def _matching(self) -> Patterns:
        return Patterns(self.patterns)

    def includes(self, name: str) -> bool:
        """Return whether a registered name is within the scope; quotes as in SQL do not matter."""
        return table_names.canonical(name) in self.targets or self.covers(name)

    def covers(self, name: str) -> bool:
        """Return whether all that a rule's name or a table's may match is within the scope."""
        pattern = _parsed(name)
        if pattern is None or pattern.schema is None:
            return False
        if not pattern.is_glob:
            identity = (pattern.schema.text, pattern.table.text)
            return identity in self.relations or bool(self._matching.matching(*identity))
        return any(each.covers(pattern) for each in self.patterns)

    def concerns(self, name: str) -> bool:
        """Return whether a rule of that name may cover something within the scope."""
        pattern = table_names.parse(name)
        if not pattern.is_glob:
            return self.covers(name)
        return any(each.overlaps(pattern) for each in self.patterns) or any(
            pattern.matches(*identity) for identity in self.relations
        )

    def changed(self, before: Iterable[Rule], after: Iterable[Rule]) -> tuple[Rule, ...]:
        """Return the rules afterwards, but those that concern only other tables as they were; both are in one order."""
        return tuple(new if self.concerns(new.name) else old for old, new in zip(before, after, strict=True))


def find(only: Sequence[str], catalog: Catalog, rules: Iterable[Rule]) -> Scope:
    """Return what names and globs mean.

    Args:
        only: The names and globs.
        catalog: All relations and functions of the database.
        rules: All rules: one may name a table that no longer exists.

    Raises:
        UsageError: A name is not valid, or matches no table that can be audited and no rule.
    """
    names = KnownRelations(catalog)
    known = [table_names.parse(rule.name) for rule in rules]
    former = {target for function in catalog.functions.values() if (target := commented_target(function.comment))}
    patterns = tuple(_pattern(text, catalog, names, known, former) for text in only)
    matching = Patterns(patterns).matching
    matched = [relation for relation in catalog.relations if matching(*relation.identity)]
    family = {identity for relation in matched for identity in (relation.identity, *relation.parents)}
    relations = frozenset(
        r.identity for r in catalog.relations if r.identity in family or family.intersection(r.parents)
    )
    targets = {qualified(*identity) for identity in relations} | {name for name in former if _matches(patterns, name)}
    return Scope(patterns, relations, frozenset(targets))


def merge(stored: Sequence[Rule], wanted: Sequence[Rule], scope: Scope) -> tuple[Rule, ...]:
    """Return the stored rules with those of a file in their place, as far as these concern the scope.

    Rules that concern only other tables stay as they are, in their order. A stored glob that reaches beyond the scope
    and is not in the file stays, too; a rule without actions keeps it from the scope.
    """
    mine = [rule for rule in wanted if scope.concerns(rule.name)]
    return _kept_out(list(interleave(stored, mine, scope.covers)), mine, scope)


def interleave(stored: Sequence[Rule], mine: Sequence[Rule], covers: Callable[[str], bool]) -> tuple[Rule, ...]:
    """Return the stored rules with others in the place of those of the same names.

    Args:
        stored: The stored rules.
        mine: The others; those that are new come after the one before them.
        covers: Whether a stored rule that is not among the others goes, by its name.
    """
    names = {rule.name for rule in mine}
    known = {rule.name for rule in stored}
    waiting = list(reversed(mine))
    merged: list[Rule] = []
    for rule in stored:
        if rule.name in names:
            # The file's order: its rules up to the next that is stored.
            while waiting:
                merged.append(waiting.pop())
                if merged[-1].name in known:
                    break
        elif not covers(rule.name):
            merged.append(rule)
    return (*merged, *reversed(waiting))


def _kept_out(merged: list[Rule], mine: Sequence[Rule], scope: Scope) -> tuple[Rule, ...]:
    """Return the rules with one that leaves out what a stored glob covers in the scope, where the file does not."""
    names = {rule.name for rule in mine}
    first = next((n for n, rule in enumerate(merged) if _reaches_in(rule, names, scope)), None)
    if first is None:
        return tuple(merged)
    covered = [table_names.parse(rule.name) for rule in mine]
    reaching = [table_names.parse(rule.name) for rule in merged[first:] if _reaches_in(rule, names, scope)]
    out = [
        Rule(str(pattern), (), origin=validate.COMMAND_LINE)
        for pattern in scope.patterns
        if any(other.overlaps(pattern) for other in reaching) and not any(other.covers(pattern) for other in covered)
    ]
    late = [rule for rule in merged[first:] if rule.name in names]
    rest = [rule for rule in merged[first:] if rule.name not in names | {rule.name for rule in out}]
    return (*merged[:first], *late, *out, *rest)


def _reaches_in(rule: Rule, names: Iterable[str], scope: Scope) -> bool:
    return bool(rule.actions) and rule.name not in names and scope.concerns(rule.name)


def _pattern(
    text: str, catalog: Catalog, names: KnownRelations, known: Iterable[Pattern], former: Iterable[str]
) -> Pattern:
    """Return a name or glob with its schema, as rules are registered."""
    parsed = table_names.parse(text)
    for pattern in (parsed, parsed.lowered()):
        found = _found(pattern, catalog, names)
        if len(found) > 1 and not pattern.is_glob:
            meanings = ", ".join(qualified(*relation.identity) for relation in found)
            raise UsageError(f"{text} may mean {meanings}", hint=f"Write the schema too, or '*.{pattern}'.")
        if found:
            return _complete(pattern, found, catalog)
    complete = _complete(parsed, [], catalog)
    if any(complete.covers(rule) for rule in known) or any(_matches([complete], name) for name in former):
        return complete
    if parsed.is_glob:
        raise UsageError(f"no table matches {text}", hint="List the tables with: auditctl tables --all")
    raise UsageError(
        f"there is no table {text}{names.advice(text)}", hint="List the tables with: auditctl tables --all"
    )


def _found(pattern: Pattern, catalog: Catalog, names: KnownRelations) -> list[Relation]:
    if not pattern.is_glob:
        return [relation for relation in names.find(pattern) if validate.refusal(relation) is None]
    complete = _complete(pattern, [], catalog)
    return [r for r in catalog.relations if complete.matches(*r.identity) and validate.refusal(r) is None]


def _complete(pattern: Pattern, found: Sequence[Relation], catalog: Catalog) -> Pattern:
    if pattern.schema is not None:
        return pattern
    schema = found[0].schema if found and not pattern.is_glob else catalog.current_schema
    return Pattern(Part(schema, is_quoted=True), pattern.table)


def _matches(patterns: Iterable[Pattern], name: str) -> bool:
    parsed = _parsed(name)
    if parsed is None or parsed.schema is None:
        return False
    return any(pattern.matches(parsed.schema.text, parsed.table.text) for pattern in patterns)


def _parsed(name: str) -> Pattern | None:
    try:
        return table_names.parse(name)
    except UsageError:  # the object of a finding may be anything
        return None
