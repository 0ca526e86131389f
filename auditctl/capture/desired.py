"""What somebody wants, as rules: those stored or of a file, one more rule, or one less.

A wish is made inside the transaction that plans it, from what the database says there. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from auditctl.actions import Action
from auditctl.capture import catalog, resolve, rule_store, table_names
from auditctl.capture.config.document import Document
from auditctl.capture.model import Catalog, EventType, Rule
from auditctl.capture.table_names import qualified
from auditctl.capture.validate import COMMAND_LINE
from auditctl.database import Connection
from auditctl.errors import ConfigurationError, UsageError
from auditctl.retention.times import Retention


@dataclass(frozen=True, slots=True)
class Wish:
    """The rules somebody wants, and how far they reach.

    Attributes:
        rules: All rules, in order.
        only: Registered names of the rules to act on; None for all.
        follow_renames: Whether the rules come from the database, so that they follow a renamed table.
        problems: What is wrong with them already.
        event_types: The types of business events that are wanted; None for those there are.
        retention: How long events shall be kept; None for as long as is stated.
        has_file: Whether the rules come from a file, which may be silent about something that the database has.
    """

    rules: tuple[Rule, ...]
    only: frozenset[str] | None = None
    follow_renames: bool = True
    problems: tuple[str, ...] = ()
    event_types: tuple[EventType, ...] | None = None
    retention: Retention | None = None
    has_file: bool = False


MakeWish = Callable[[Connection], Wish]
"""Makes a wish of what the database says; called inside a transaction, once for each plan."""


def document(stated: Document | None) -> MakeWish:
    """Wish for what a file states; None for the rules stored in the database."""

    def wish(conn: Connection) -> Wish:
        stored = rule_store.read(conn)
        if stated is None:
            return Wish(stored)
        return Wish(
            tuple(replace(rule, is_in_force=rule in stored) for rule in stated.rules),
            follow_renames=False,
            problems=stated.problems,
            event_types=stated.event_types,
            retention=stated.retention,
            has_file=True,
        )

    return wish


def enabled(rule: Rule) -> MakeWish:
    """Wish for a rule, in place of the one that its table had; all others stay.

    Args:
        rule: The rule; without an `origin` it is one of the command line.

    Raises:
        UsageError: The label is empty, or the name is none.
    """
    if rule.label is not None and (not rule.label.strip() or "\0" in rule.label):
        raise UsageError("a label must be text that is not empty", hint="Leave --label out for the table's own name.")
    table_names.parse(rule.name)

    def wish(conn: Connection) -> Wish:
        named = replace(rule, origin=rule.origin or COMMAND_LINE)
        stored = rule_store.read(conn)
        found = looked_up(conn, [*stored, named])
        now = resolve.resolve(stored, found, follow_renames=True).rules
        resolution = resolve.resolve([named], found, follow_renames=False)
        name = resolution.rules[0].name
        named = replace(named, name=name)
        kept = tuple(named if known.name == name else known for known in now)
        missing = tuple(problem.message for problem in resolution.problems if problem.is_missing)
        return Wish(kept if named in kept else (*kept, named), frozenset({name}), problems=missing)

    return wish


def disabled(name: str, actions: tuple[Action, ...] = ()) -> MakeWish:
    """Wish that a table, or some of its actions, be captured no more; all other rules stay.

    A table that a glob covers gets a rule of its own that leaves out these actions. The wish raises
    `ConfigurationError` where no rule covers the table.

    Args:
        name: The table, or a glob as it stands in a rule.
        actions: The actions to stop; empty for all.

    Raises:
        UsageError: The name is none.
    """
    table_names.parse(name)

    def wish(conn: Connection) -> Wish:
        now = rule_store.read(conn)
        asked = Rule(name, (), origin=COMMAND_LINE)
        found = looked_up(conn, [*now, asked])
        registered = resolve.resolve([asked], found, follow_renames=False).rules[0].name
        covering = resolve.resolve(now, found, follow_renames=True)
        over = in_force(covering, registered)
        if over is None or not over.actions:
            raise ConfigurationError(
                [f"TABLE: {registered} is not audited"], hint="List what is audited with: auditctl tables"
            )
        left = tuple(action for action in over.actions if actions and action not in actions)
        return _without(covering, over, registered, left)

    return wish


def looked_up(conn: Connection, wanted: Iterable[Rule]) -> Catalog:
    """Return the catalog, looked into wherever these rules reach."""
    chosen = tuple(wanted)
    return catalog.read(conn, lambda relation: resolve.wants(chosen, relation))


def in_force(covering: resolve.Resolution, name: str) -> Rule | None:
    """Return the rule for a registered name: its own, else the glob that covers the table; None for none."""
    own = next((rule for rule in covering.rules if rule.name == name), None)
    return own or next((rule for relation, rule in covering.covered if qualified(*relation.identity) == name), None)


def narrowed(over: Rule, name: str, covering: resolve.Resolution) -> Rule:
    """Return what a rule says about one table: a glob may name columns that this table has not."""
    relation = next((r for r, _ in covering.covered if qualified(*r.identity) == name), None)
    if relation is None or over.name == name:
        return replace(over, name=name)
    columns = set(relation.columns)
    return replace(
        over,
        name=name,
        exclude=tuple(column for column in over.exclude if column in columns),
        mask=tuple(column for column in over.mask if column in columns),
        key=() if relation.primary_key or not columns.issuperset(over.key) else over.key,
    )


def _without(covering: resolve.Resolution, over: Rule, name: str, left: tuple[Action, ...]) -> Wish:
    others = tuple(rule for rule in covering.rules if rule.name != name)
    reached = {qualified(*relation.identity) for relation, rule in covering.covered if rule.name == over.name}
    pattern = table_names.parse(name)
    shadowed = any(
        other.actions and table_names.parse(other.name).is_glob and _names(other.name, name) for other in others
    )
    if left or (shadowed and not pattern.is_glob):
        keep = _without_reading(replace(narrowed(over, name, covering), actions=left, origin=COMMAND_LINE))
        rest = tuple(keep if rule.name == name else rule for rule in covering.rules)
        return Wish(
            rest if keep in rest else (*rest, keep), frozenset({name} | (reached if pattern.is_glob else set()))
        )
    return Wish(others, frozenset({name} | (reached if pattern.is_glob else set())))


def _without_reading(rule: Rule) -> Rule:
    """Return the rule without what only says how reads are recorded, if it records none."""
    return rule if Action.READ in rule.actions else replace(rule, read_query=False, read_force=False)


def _names(glob: str, name: str) -> bool:
    pattern, exact = table_names.parse(glob), table_names.parse(name)
    return exact.schema is not None and pattern.matches(exact.schema.text, exact.table.text)
