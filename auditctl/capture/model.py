"""The data classes of capture: tables, triggers, functions and policies as the database has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditctl.actions import Action
from auditctl.capture.rule_keys import Rule
from auditctl.table_names import qualified


@dataclass(frozen=True, slots=True)
class EventType:
    """How business events of a name are recorded and shown, as one [[event]] of a file states it.

    Attributes:
        name: The target they are recorded for, or a glob over such names (`*` and `?`).
        label: The displayed name of the target; None for the name itself.
        enabled: Whether they are recorded.
        origin: Its place, for messages, such as `audit.toml: event[2]`; not compared.
    """

    name: str
    label: str | None = None
    enabled: bool = True
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of ours on a table, as pg_trigger has it.

    Attributes:
        name: Such as `auditctl_update`.
        function: Schema and name of the function it calls.
        is_clone: Whether PostgreSQL made it from the trigger of a partitioned parent.
    """

    name: str
    function: tuple[str, str]
    is_clone: bool


@dataclass(frozen=True, slots=True)
class Function:
    """A function in the schema of generated functions, as pg_proc has it.

    Attributes:
        name: Its name, with its arguments if it has any.
        comment: Its comment, which names target and action; empty without one.
        drop_statement: The statement that drops it.
    """

    name: str
    comment: str
    drop_statement: str


LOCKING = 10
"""The first step of statements that lock a table; see sql/functions/40_guard/repairs.sql."""

OTHER = 20
"""The step of statements that are not about triggers."""

DROPPING = 30
"""The step of dropping functions that nothing calls any more."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a plan.

    Attributes:
        sql: Its text, without a semicolon.
        as_owner: Whether auditctl_owner runs it (functions), or the login itself (triggers need the table's owner).
        step: Its place among the statements of several changes: those below `LOCKING` lock no table.
    """

    sql: str
    as_owner: bool = False
    step: int = OTHER


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a capture trigger or its function.

    Attributes:
        kind: A word of sql/functions/40_guard/faults.sql: `missing`, `uncloned`, `unknown`, `renamed`, `calls`,
            `redefined`, `comment`, `security`, `privileges`, `outdated`, `forged` or `firing`.
        reason: The same as a sentence.
    """

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class TriggerState:
    """A trigger that a rule needs, as `auditctl.capture_triggers` returns it.

    Attributes:
        root: Object id of the audited table.
        relation: Object id of the table with the trigger: the same, or a partition or child of it.
        action: The captured action.
        trigger: The trigger's name, such as `auditctl_update`.
        function: Name of the function that the trigger must call.
        grantee: Who must be allowed to execute the function besides its owner; None for nobody.
        is_clone: Whether PostgreSQL puts the trigger there itself, from a partitioned parent.
        faults: What is wrong, the gravest first; empty where the trigger is as the rule says.
        statements: What repairs it; empty without faults, and for a clone that is missing.
        digest: What auditctl.function_digest has once the function is sound; None where it has that already.
    """

    root: int
    relation: int
    action: Action
    trigger: str
    function: str
    grantee: str | None
    is_clone: bool
    faults: tuple[Fault, ...]
    statements: tuple[Statement, ...]
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What records the reads of a table, from auditctl.read_site and the catalog.

    Attributes:
        target: The registered name under which they are recorded; None where they are not.
        root: Object id of the audited table: the same, or what it is a partition or child of; None likewise.
        query: Whether the text of queries is recorded.
        force: Whether the owner's reads are recorded, too.
        had_row_security, had_force: Whether row security is the table's own, and was forced on the owner before.
        has_row_security, is_forced: Whether row security is on, and forced on the owner, now.
        policies: Our policies that are there, sorted.
        permissive, restrictive: Names of the table's own policies of either kind, sorted.
        faults: What is wrong, each a phrase of auditctl.read_faults.
    """

    target: str | None
    root: int | None
    query: bool
    force: bool
    had_row_security: bool
    had_force: bool
    has_row_security: bool
    is_forced: bool
    policies: tuple[str, ...]
    permissive: tuple[str, ...]
    restrictive: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        """Whether anything of ours is there."""
        return self.target is not None or bool(self.policies)


@dataclass(frozen=True, slots=True)
class Registration:
    """What auditctl.capture and auditctl.target have of an audited table.

    Attributes:
        rule: The rule that was applied, under the table's registered name; without a label that the log does not have.
        key: Columns of the key, in order.
    """

    rule: Rule
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, or something that looks like one.

    Attributes:
        oid: Its object id.
        schema: Its schema.
        table: Its name in the schema.
        kind: pg_class.relkind: `r` table, `p` partitioned, `f` foreign, `v` view, `m` materialized view.
        persistence: pg_class.relpersistence: `p` permanent, `u` unlogged, `t` temporary.
        is_visible: Whether its name alone finds it on the search path.
        parents: Tables it is a partition or child of, nearest first, as (schema, table).
        is_partition: Whether it is a partition.
        is_of_extension: Whether an extension created it: no glob covers it, only a rule of its own.
        columns: Names of its columns in order; empty unless they were read.
        primary_key: Columns of the primary key, in order.
        triggers: Our triggers on it, by name.
        reading: What records its reads, and its row security; None unless that was read.
        registration: What is known of it as an audited table; None of others.
    """

    oid: int
    schema: str
    table: str
    kind: str
    persistence: str = "p"
    is_visible: bool = False
    parents: tuple[tuple[str, str], ...] = ()
    is_partition: bool = False
    is_of_extension: bool = False
    columns: tuple[str, ...] = ()
    primary_key: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    reading: Reading | None = None
    registration: Registration | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """Schema and name."""
        return self.schema, self.table


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the database has: every relation, and the generated functions.

    Attributes:
        relations: All relations, sorted by schema and name; the relevant ones with their columns and key.
        functions: The generated functions by name.
        current_schema: The first schema in which an unqualified name is searched.
    """

    relations: tuple[Relation, ...]
    functions: Mapping[str, Function]
    current_schema: str = "public"


@dataclass(frozen=True, slots=True)
class Audited:
    """A table that a rule covers and that captures something.

    Attributes:
        root: The table, which is not a member of another audited table.
        rule: The rule in force.
        members: Its partitions and children that are audited through it, sorted by schema and name.
    """

    root: Relation
    rule: Rule
    members: tuple[Relation, ...] = ()

    @property
    def target(self) -> str:
        """The name under which the table's events are recorded."""
        return qualified(*self.root.identity)
