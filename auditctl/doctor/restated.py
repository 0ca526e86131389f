"""Rules changed so that they fit their table, and as the command that states them."""

from __future__ import annotations

from dataclasses import replace

from auditctl.capture import identifiers, resolve, validate
from auditctl.capture.actions import BY_ACTION, DEFAULT
from auditctl.capture.identifiers import qualified
from auditctl.model import Catalog, Relation, Rule


def command(rule: Rule) -> list[str]:
    """Return the words of the `auditctl enable` that states a rule."""
    words = ["auditctl", "enable", rule.name]
    if rule.actions != DEFAULT:
        words += ["--actions", ",".join(BY_ACTION[action].option for action in rule.actions)]
    for option, columns in (("--exclude", rule.exclude), ("--mask", rule.mask), ("--key", rule.key)):
        for column in columns:
            words += [option, column]
    if rule.label is not None:
        words += ["--label", rule.label]
    return [*words, "--require-actor"] if rule.require_actor else words


def fitting(rule: Rule, catalog: Catalog) -> Rule | None:
    """Return the rule without what does not fit its tables, or None where that does not mend it."""
    pattern = identifiers.parse(rule.name)
    tables = [r for r in catalog.relations if pattern.matches(*r.identity) and validate.refusal(r) is None]
    if not rule.actions or not tables:
        return None
    names = {column for table in tables for column in table.columns}
    keys = {column for table in tables for column in table.primary_key or rule.key}
    keyed = pattern.is_glob or not any(table.primary_key for table in tables)
    exclude = tuple(name for name in rule.exclude if name in names - keys)
    mended = replace(
        rule,
        exclude=exclude,
        mask=tuple(name for name in rule.mask if name in names - keys and name not in exclude),
        key=tuple(name for name in rule.key if name in names) if keyed else (),
    )
    for candidate in (mended, replace(mended, label=None)):
        if not resolve.resolve([candidate], catalog, follow_renames=True).problems and candidate != rule:
            return candidate
    return None


def keyed(rule: Rule, relation: Relation) -> Rule:
    """Return the rule for one table, with every column that it records as the key."""
    hidden = {*rule.exclude, *rule.mask}
    names = tuple(name for name in relation.columns if name not in hidden)
    known = set(relation.columns)
    return replace(
        rule,
        name=qualified(*relation.identity),
        exclude=tuple(name for name in rule.exclude if name in known),
        mask=tuple(name for name in rule.mask if name in known),
        key=names,
    )
