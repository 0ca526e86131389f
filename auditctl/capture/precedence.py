"""Decides which rule covers a table, where a new rule comes among the others, and which rules earlier ones hide.

A rule of a table's own comes before every glob, and an earlier glob before a later one. A rule that does not state
which columns it excludes, or masks, takes that from the next rule that matches the table and states it.
sql/functions/40_guard/globs.sql decides the same without Python. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from auditctl import table_names
from auditctl.capture.rule_keys import COLUMNS, Rule
from auditctl.table_names import Pattern, Patterns
from auditctl.text import plural

_MAX_NAMED = 3
"""How many rules a sentence names."""

Names = tuple[str, ...]
"""Names of columns."""


def hidden(statements: Iterable[tuple[Names | None, Names | None]]) -> tuple[Names | None, Names | None]:
    """Return which columns rules exclude and mask together; None where none of them states it.

    Args:
        statements: What each rule that matches a table states to exclude and to mask, or None, in the rules' order.
    """
    stated = list(statements)
    (exclude_at, exclude), (mask_at, mask) = (_first([statement[which] for statement in stated]) for which in (0, 1))
    # Of a column that one rule excludes and another masks, the earlier rule decides.
    if exclude and mask and exclude_at != mask_at:
        if exclude_at < mask_at:
            mask = tuple(name for name in mask if name not in exclude)
        else:
            exclude = tuple(name for name in exclude if name not in mask)
    return exclude, mask


def _first(lists: Sequence[Names | None]) -> tuple[int, Names | None]:
    """Return the first list that is stated, with its position."""
    return next(((at, names) for at, names in enumerate(lists) if names is not None), (len(lists), None))


def in_force(rules: Sequence[Rule]) -> Rule:
    """Return the first of the rules that match a table, with the columns that it takes from the others."""
    exclude, mask = hidden((rule.exclude, rule.mask) for rule in rules)
    return replace(rules[0], exclude=exclude, mask=mask)


def _inherited(rules: Sequence[Rule]) -> str:
    """Return which columns the first of the rules takes from which other, as a phrase; empty for none."""
    rule = in_force(rules)
    phrases = []
    for key in (key for key in COLUMNS if key.is_inherited):
        at, _ = _first([getattr(rule, key.name) for rule in rules])
        if at > 0 and (names := getattr(rule, key.name)):
            phrases.append(f"{key.summary} as {rules[at].name} states: {', '.join(names)}")
    return "; ".join(phrases)


@dataclass(frozen=True, slots=True)
class Covering:
    """The rules that match a table.

    Attributes:
        table: The registered name of the table.
        rule: The rule in force, which may leave the table out, with the columns that it takes from others.
        stated: The same rule as it is stated.
        others: The names of further rules that match, which the rule comes before, in their order.
        inherited: Which columns it takes from which other, as a phrase; empty for none.
    """

    table: str
    rule: Rule
    stated: Rule
    others: tuple[str, ...] = ()
    inherited: str = ""

    @property
    def why(self) -> str:
        """Which rule it is and what it comes before, such as `rule billing.*, which comes before *.*`."""
        name = "its own rule" if self.rule.name == self.table else f"rule {self.rule.name}"
        taken = f"; {self.inherited}" if self.inherited and self.rule.actions else ""
        return f"{name}, which comes before {listed(self.others)}{taken}" if self.others else name

    @property
    def phrase(self) -> str:
        """What a plan says about it, such as `by rule billing.*`; empty if the only rule is the table's own."""
        if self.rule.name == self.table and not self.others:
            return ""
        return f"{'by' if self.rule.actions else 'left out by'} {self.why}"


class Globs:
    """The globs among rules, in their order."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        pairs = [(table_names.parse(rule.name), rule) for rule in rules]
        self.pairs: list[tuple[Pattern, Rule]] = [pair for pair in pairs if pair[0].is_glob]
        self._patterns = Patterns(pattern for pattern, _ in self.pairs)

    def matching(self, schema: str, table: str) -> list[Rule]:
        """Return the rules that match a table, in their order: the first covers it."""
        return [self.pairs[number][1] for number in self._patterns.matching(schema, table)]

    def hiding(self, coverings: Iterable[Covering]) -> Iterator[tuple[Rule, str]]:
        """Yield each rule that earlier ones hide from some of its tables, with a sentence about it.

        A narrower rule before a wider one is an exception from it, and hides nothing.

        Args:
            coverings: The rules of each table.
        """
        matched, hidden = _matches(coverings)
        for number, (pattern, rule) in enumerate(self.pairs):
            tables = matched.get(rule.name, [])
            wide = next((other for glob, other in self._before(number) if glob.covers(pattern)), None)
            if wide is not None:
                yield rule, _wholly_hidden(rule, wide, tables)
                continue
            for first, some in hidden.get(rule.name, {}).items():
                if not is_narrower(table_names.parse(first), pattern):
                    yield rule, _partly_hidden(rule.name, len(tables), first, some)

    def _before(self, number: int) -> Iterator[tuple[Pattern, Rule]]:
        """Yield the globs before one that match an example of it, as those that cover it do."""
        example = self.pairs[number][0].example()
        for earlier in self._patterns.matching(*example) if example else []:
            if earlier < number:
                yield self.pairs[earlier]


def _matches(coverings: Iterable[Covering]) -> tuple[dict[str, list[str]], dict[str, dict[str, list[str]]]]:
    """Return for each rule the tables that it matches, and those that a glob before it covers, by that glob."""
    matched: dict[str, list[str]] = {}
    hidden: dict[str, dict[str, list[str]]] = {}
    for covering in coverings:
        for name in (covering.rule.name, *covering.others):
            matched.setdefault(name, []).append(covering.table)
        if covering.rule.name != covering.table:
            for name in covering.others:
                hidden.setdefault(name, {}).setdefault(covering.rule.name, []).append(covering.table)
    return matched, hidden


def _wholly_hidden(rule: Rule, wide: Rule, tables: Sequence[str]) -> str:
    is_heard = (wide.exclude is None and rule.exclude) or (wide.mask is None and rule.mask)
    effect = "no effect but for the columns that it hides" if is_heard else "no effect"
    example = f", such as {tables[0]}" if tables else ""
    return f"rule {rule.name} has {effect}: rule {wide.name}, which comes first, covers all that it matches{example}"


def _partly_hidden(name: str, number: int, first: str, tables: Sequence[str]) -> str:
    share = f"{len(tables):,} of the {plural(number, 'table')}"
    return f"rule {first}, which comes first, covers {share} that rule {name} matches, such as {tables[0]}"


def outcome(subject: Rule, coverings: Iterable[Covering]) -> Iterator[tuple[bool, str]]:
    """Yield what covers the tables that a changed rule matches: whether that may surprise, and a sentence.

    Nothing if no other rule matches any of them.

    Args:
        subject: The rule, or one without actions for a name that should not be audited.
        coverings: The rules of each table.
    """
    pattern = table_names.parse(subject.name)
    groups: dict[tuple[str, bool, tuple[str, ...]], list[Covering]] = {}
    for covering in coverings:
        if pattern.matches(*_identity(covering.table)):
            own = "" if covering.rule.name == covering.table else covering.rule.name
            groups.setdefault((own, bool(covering.rule.actions), covering.others), []).append(covering)
    if all(rule in ("", subject.name) and not others for rule, _, others in groups):
        return
    for same in groups.values():
        first = same[0]
        tables = f"{first.table} is" if len(same) == 1 else f"{len(same):,} tables, such as {first.table}, are"
        verb = "audited" if first.rule.actions else "left out"
        is_surprise = first.rule.name != subject.name and bool(first.rule.actions or subject.actions)
        why = first.why if len(same) == 1 else first.why.replace("its own rule", "rules of their own")
        yield is_surprise, f"{tables} {verb} by {why}."


def _identity(name: str) -> tuple[str, str]:
    pattern = table_names.parse(name)
    return pattern.schema.text if pattern.schema else "", pattern.table.text


def is_narrower(one: Pattern, other: Pattern) -> bool:
    """Return whether a pattern matches only some of what the other matches."""
    return other.covers(one) and not one.covers(other)


def cover(
    tables: Iterable[tuple[str, tuple[str, str]]], named: Mapping[tuple[str, str], Rule], globs: Globs
) -> dict[tuple[str, str], Covering]:
    """Return the rules of each table that some rule matches, by schema and name.

    Args:
        tables: The registered name of each table, and its schema and name.
        named: The rules of single tables, by schema and name.
        globs: The globs.
    """
    coverings = {}
    for name, identity in tables:
        own = named.get(identity)
        rules = [*([own] if own else []), *globs.matching(*identity)]
        if rules:
            others = tuple(rule.name for rule in rules[1:])
            coverings[identity] = Covering(name, in_force(rules), rules[0], others, _inherited(rules))
    return coverings


def wider(rules: Sequence[Rule], rule: Rule) -> list[Rule]:
    """Return the globs that a rule among others takes columns from, in their order: those that match all it matches.

    Args:
        rules: All rules, with registered names.
        rule: One of them.
    """
    pattern = table_names.parse(rule.name)
    after = rules[[other.name for other in rules].index(rule.name) + 1 :] if pattern.is_glob else rules
    globs = ((table_names.parse(other.name), other) for other in after if other.name != rule.name)
    return [other for glob, other in globs if glob.is_glob and glob.covers(pattern)]


def put(rules: Sequence[Rule], rule: Rule) -> tuple[Rule, ...]:
    """Return the rules with one in place of the rule of its name, so that no glob that is not narrower comes before it.

    Narrower globs stay before it; the rules keep their order otherwise.
    """
    pattern = table_names.parse(rule.name)
    names = [other.name for other in rules]
    others = [other for other in rules if other.name != rule.name]
    position = names.index(rule.name) if rule.name in names else len(others)
    first = next((n for n, other in enumerate(others[:position]) if _would_hide(other, pattern)), position)
    moved = [
        other
        for n, other in enumerate(others[first:position], first)
        if pattern.is_glob and _is_exception(other, pattern) and not _is_hidden(other, others[:n])
    ]
    rest = [other for other in others[first:] if other not in moved]
    return (*others[:first], *moved, rule, *rest)


def _would_hide(other: Rule, pattern: Pattern) -> bool:
    if not pattern.is_glob:
        return False
    earlier = table_names.parse(other.name)
    return earlier.is_glob and earlier.overlaps(pattern) and not is_narrower(earlier, pattern)


def _is_exception(other: Rule, pattern: Pattern) -> bool:
    later = table_names.parse(other.name)
    return later.is_glob and is_narrower(later, pattern)


def _is_hidden(rule: Rule, earlier: Iterable[Rule]) -> bool:
    pattern = table_names.parse(rule.name)
    globs = (other for other in (table_names.parse(each.name) for each in earlier) if other.is_glob)
    return any(other.covers(pattern) for other in globs)


def listed(names: Sequence[str]) -> str:
    """Return the first of these names, and how many more there are."""
    more = len(names) - _MAX_NAMED
    text = ", ".join(names[:_MAX_NAMED])
    return f"{text} and {plural(more, 'other')}" if more > 0 else text
