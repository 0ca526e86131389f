"""A rule, and the registry of its keys: each field of `Rule` with a `RuleKey` is one row. See CONTRIBUTING.md.

The configuration file, the options of `enable`, the form of the page, the columns in auditctl.rule and
auditctl.capture, and the table in docs/reference/configuration.md follow from the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from auditctl.actions import Action


class Kind(StrEnum):
    """What a key holds, in the order of the options."""

    ACTIONS = "actions"
    COLUMNS = "columns"
    TEXT = "text"
    CHOICE = "choice"
    SWITCH = "switch"


@dataclass(frozen=True, slots=True)
class RuleKey:
    """One key of a rule.

    Attributes:
        kind: What it holds.
        title: Its title in the page's form.
        summary: Its short name in a summary of a rule, before its value if it has one.
        help: What it does, as one sentence; for options, the page's form and the documentation.
        otherwise: The value without it, for the documentation.
        needs: The action without which it must not be set; None for none.
        is_inherited: Whether a rule that does not state it takes it from the next rule that matches the table.
        choices: The values of a choice, the default first; empty for the other kinds.
        is_captured: Whether it decides what capture does with a table, so that auditctl.capture has it, too.
        name: The name of the field, which is its name in files and that of its column.
        default: The value if it is not set; None for a key that every rule has, and for one that is inherited.
    """

    kind: Kind
    title: str
    summary: str
    help: str
    otherwise: str
    needs: Action | None = None
    is_inherited: bool = False
    choices: tuple[str, ...] = ()
    is_captured: bool = True
    name: str = ""
    default: Any = None

    @property
    def option(self) -> str:
        """The option of `enable`, such as `--require-actor`."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def negation(self) -> str:
        """The option of `enable` that switches it off, such as `--no-auto`; only for a switch that is on by default."""
        return f"--no-{self.name.replace('_', '-')}"

    def parse(self, value: Any) -> Any:
        """Return the value for a rule from the value in a row."""
        if self.kind is Kind.ACTIONS:
            return tuple(map(Action, value))
        return tuple(value) if self.kind is Kind.COLUMNS and value is not None else value


def _text(title: str, help: str, otherwise: str) -> Mapping[str, RuleKey]:  # noqa: A002 - as click has it
    return {"key": RuleKey(Kind.TEXT, title, title.lower(), help, otherwise, is_captured=False)}


def _columns(title: str, summary: str, help: str, otherwise: str = "") -> Mapping[str, RuleKey]:  # noqa: A002
    inherited = "those of the next rule that matches the table and states them, else none"
    key = RuleKey(Kind.COLUMNS, title, summary, help, otherwise or inherited, is_inherited=not otherwise)
    return {"key": key}


def _choice(title: str, summary: str, help: str, *choices: str) -> Mapping[str, RuleKey]:  # noqa: A002
    return {"key": RuleKey(Kind.CHOICE, title, summary, help, f"`{choices[0]}`", choices=choices)}


def _switch(
    title: str,
    summary: str,
    help: str,  # noqa: A002
    needs: Action | None = None,
    otherwise: str = "`false`",
    is_captured: bool = True,
) -> Mapping[str, RuleKey]:
    return {"key": RuleKey(Kind.SWITCH, title, summary, help, otherwise, needs, is_captured=is_captured)}


@dataclass(frozen=True, slots=True)
class Rule:
    """What is to be audited: one [[table]] of a file, or one `enable`. A field with metadata is a key.

    Attributes:
        name: `schema.table` or a glob over both parts, in the form of `table_names.Pattern.text`.
        actions: The captured actions in the order of `actions.OPTIONS`; empty for a table that must not be audited
            although a glob matches it.
        label, exclude, mask, key, require_actor, require_reason, read_query, read_force, on_drop, auto: See the `help`
            of the row. `exclude` and `mask` are None where the rule does not state them, and empty where it states that
            nothing is hidden.
        origin: The rule's place, for messages, such as `audit.toml: table[2]`; not compared.
        is_in_force: Whether the database has the same rule already, so that a name that no longer exists is not
            an error; not compared.
    """

    name: str
    actions: tuple[Action, ...] = field(
        metadata={
            "key": RuleKey(
                Kind.ACTIONS,
                "Actions",
                "actions",
                "Any of create, update, delete, truncate and read; an empty list switches the table off.",
                "those of `defaults`",
            )
        }
    )
    label: str | None = field(
        default=None,
        metadata=_text(
            "Label",
            "What people see as the target, such as Customer; not for globs, and no two tables may share it.",
            "the name",
        ),
    )
    exclude: tuple[str, ...] | None = field(
        default=None,
        metadata=_columns(
            "Excluded columns", "excluded", "Columns that are never stored; an update of nothing else is not recorded."
        ),
    )
    mask: tuple[str, ...] | None = field(
        default=None,
        metadata=_columns(
            "Masked columns", "masked", 'Columns whose change is recorded, with {"$masked": true} for the value.'
        ),
    )
    key: tuple[str, ...] = field(
        default=(),
        metadata=_columns(
            "Key",
            "key",
            "Columns that name a row, only for a table without a primary key.",
            "the primary key, or else a unique index",
        ),
    )
    require_actor: bool = field(
        default=False,
        metadata=_switch(
            "Require a user",
            "requires a user",
            "Refuse writes of applications that name no user, with SQLSTATE UA002.",
        ),
    )
    require_reason: bool = field(
        default=False,
        metadata=_switch(
            "Require a reason",
            "requires a reason",
            "Refuse writes of anybody who gives no reason, with SQLSTATE UA004.",
        ),
    )
    read_query: bool = field(
        default=False,
        metadata=_switch(
            "Text of queries",
            "text of queries",
            "Record the query's text with each read, up to 10 kB; it may hold secrets.",
            needs=Action.READ,
        ),
    )
    read_force: bool = field(
        default=False,
        metadata=_switch(
            "Reads by the owner", "reads by the owner", "Record reads by the table's owner, too.", needs=Action.READ
        ),
    )
    on_drop: str = field(
        default="refuse",
        metadata=_choice(
            "When dropped",
            "when dropped",
            "What the guard does if DDL drops the table: refuse it, or record it with the size of its log.",
            "refuse",
            "record",
        ),
    )
    auto: bool = field(
        default=True,
        metadata=_switch(
            "New tables join",
            "new tables do not join",
            "The guard audits a table that is created under the glob at once; no effect on the rule of a single table.",
            otherwise="`true`",
            is_captured=False,
        ),
    )
    origin: str = field(default="", compare=False)
    is_in_force: bool = field(default=False, compare=False)

    def explicit_values(self) -> dict[RuleKey, Any]:
        """Return the keys whose value differs from the default, in the order of `KEYS`, with their values."""
        values = {key: getattr(self, key.name) for key in KEYS}
        return {key: value for key, value in values.items() if value != key.default}

    @property
    def records_values(self) -> bool:
        """Whether its events hold values of columns."""
        return not {Action.CREATE, Action.UPDATE, Action.DELETE}.isdisjoint(self.actions)

    @property
    def hidden(self) -> tuple[str, ...]:
        """The columns that it excludes or masks."""
        return (*(self.exclude or ()), *(self.mask or ()))

    def row(self) -> dict[str, Any]:
        """Return its columns in auditctl.rule and their values, as JSON; without its position."""
        return {"name": self.name} | {key.name: getattr(self, key.name) for key in KEYS}

    def captured(self) -> dict[str, Any]:
        """Return its columns in auditctl.capture and their values, as JSON; for a rule in force."""
        values = {key.name: getattr(self, key.name) for key in CAPTURED}
        return {name: () if value is None else value for name, value in values.items()}


def _key(rule_field: Field[Any]) -> RuleKey:
    key: RuleKey = rule_field.metadata["key"]
    return replace(key, name=rule_field.name, default=None if rule_field.default is MISSING else rule_field.default)


KEYS = tuple(
    sorted(
        (_key(rule_field) for rule_field in fields(Rule) if "key" in rule_field.metadata),
        key=lambda key: list(Kind).index(key.kind),
    )
)
"""Every key but the name, in the order of the options."""

NAMES = ("name", *(key.name for key in KEYS))
"""The columns of auditctl.rule, all but the position."""

CAPTURED = tuple(key for key in KEYS if key.is_captured)
"""The keys that decide what capture does; auditctl.capture has them, too."""

TEXTS = tuple(key for key in KEYS if key.kind is Kind.TEXT)
"""The keys that hold a text."""

COLUMNS = tuple(key for key in KEYS if key.kind is Kind.COLUMNS)
"""The keys that list columns."""

CHOICES = tuple(key for key in KEYS if key.kind is Kind.CHOICE)
"""The keys that are one of a few words."""

SWITCHES = tuple(key for key in KEYS if key.kind is Kind.SWITCH)
"""The keys that are true or false."""

TITLES = {"name": "Table"} | {key.name: key.title for key in KEYS}
"""The title of each key in the page's form."""


def from_row(row: Mapping[str, Any], origin: str = "") -> Rule:
    """Return the rule of a row of auditctl.rule as to_jsonb shows it; a key that the row lacks has its default."""
    values = {key.name: key.parse(row[key.name]) for key in KEYS if key.name in row}
    return Rule(row["name"], origin=origin, **values)


def keep_columns(rule: Rule, columns: Iterable[str]) -> Rule:
    """Return the rule without the columns that are not among these."""
    names = frozenset(columns)
    lists: dict[str, Any] = {
        key.name: listed and tuple(name for name in listed if name in names)
        for key in COLUMNS
        for listed in [getattr(rule, key.name)]
    }
    return replace(rule, **lists)


def useless(rule: Rule) -> list[RuleKey]:
    """Return the keys that a rule sets although it does not capture the action that they need."""
    return [key for key in rule.explicit_values() if key.needs is not None and key.needs not in rule.actions]


def drop_useless(rule: Rule) -> Rule:
    """Return the rule without the keys that are useless in it."""
    defaults: dict[str, Any] = {key.name: key.default for key in useless(rule)}
    return replace(rule, **defaults)
