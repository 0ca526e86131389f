"""Plans the policies that record reads: which ones a table needs, what has to change, and what prevents them.

A restrictive policy calls auditctl.record_read: once for each statement, and again where a rollback undid the event
before the rows were read. Where row security was off, a permissive one lets every row through, so
that nobody sees fewer rows than before. Pure. `put_read_policy` (sql/bootstrap/event_triggers.sql) creates the same
policies on new partitions and children, with the rights of the login that installed the store.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from psycopg import sql

from auditctl.actions import Action
from auditctl.capture import validate
from auditctl.capture.model import Audited, Reading, Relation, Statement
from auditctl.capture.plan import Change, ChangeKind
from auditctl.capture.rule_keys import Rule
from auditctl.table_names import qualified

READ_POLICY = "auditctl_read"
"""The restrictive policy that records."""

OPEN_POLICY = "auditctl_open"
"""The permissive policy that hides nothing."""


@dataclass(frozen=True, slots=True)
class ReadSite:
    """A relation whose reads must be recorded.

    Attributes:
        relation: The audited table, or a partition or child of it.
        root: The audited table.
        rule: What is recorded.
    """

    relation: Relation
    root: Relation
    rule: Rule

    @property
    def target(self) -> str:
        """The registered name."""
        return qualified(*self.root.identity)


def sites(every: Iterable[Audited]) -> Iterator[ReadSite]:
    """Yield every relation that needs policies to record its reads; foreign tables cannot have policies."""
    for audited in every:
        if Action.READ in audited.rule.actions:
            relations = (audited.root, *audited.members)
            yield from (
                ReadSite(relation, audited.root, audited.rule) for relation in relations if relation.kind != "f"
            )


def problems(site: ReadSite, recorded: Container[tuple[str, str]]) -> Iterator[str]:
    """Yield why the reads of a relation cannot be recorded, or not without changing what somebody sees.

    Args:
        site: The relation.
        recorded: Schema and name of every relation whose reads are to be recorded.
    """
    reading, place = site.relation.reading, qualified(*site.relation.identity)
    where = validate.where(site.rule, "actions")
    for parent in site.relation.parents:
        if parent not in recorded:
            through = qualified(*parent)
            yield (f"{where}: reading {through} also reads {place} and leaves no event; audit the reads of {through}")
    if reading is None:
        return
    if not reading.has_row_security and not reading.had_row_security and reading.restrictive:
        yield (
            f"{where}: row security of {place} is off; switching it on would activate its restrictive policy "
            f"{reading.restrictive[0]}; drop that policy, or switch row security on first if that is intended"
        )
    if site.rule.read_force and not reading.is_forced and _has_own(reading):
        yield (
            f"{validate.where(site.rule, 'read_force')}: the policies of {place} would apply to its owner, too; if "
            f"that is intended, run this first: alter table {place} force row level security"
        )


def compare(site: ReadSite) -> Change:
    """Return the change that repairs the policies of one relation; KEEP if they are right."""
    reading = site.relation.reading
    if reading is None or reading.target is None:
        return _change(site, ChangeKind.CREATE, "Its reads are not recorded yet.", _install(site))
    if is_handed_over(reading):
        reason = "Row security is the table's own since policy auditctl_open was dropped."
        return _change(site, ChangeKind.REPLACE, reason, _install(site))
    if fault := next(iter(reading.faults), None):
        kind = ChangeKind.ENABLE if fault.startswith("row security") else ChangeKind.REPLACE
        return _change(site, kind, f"{fault[0].upper()}{fault[1:]}.", _install(site))
    if reading.target != site.target:
        return _change(site, ChangeKind.REPLACE, f"The table was renamed from {reading.target}.", _install(site))
    if (reading.root, reading.query, reading.force) != (site.root.oid, site.rule.read_query, site.rule.read_force):
        return _change(site, ChangeKind.REPLACE, "The rule has changed since.", _install(site))
    return _change(site, ChangeKind.KEEP, "The policies are as the rule says.")


def drop(relation: Relation, reading: Reading) -> Change:
    """Return the change that drops our policies on a relation and restores its row security."""
    table = sql.Identifier(*relation.identity)
    statements = [_drop_policy(relation, policy) for policy in reading.policies]
    # Without a row in auditctl.read_site, the open policy shows that row security was off.
    was_off = not reading.had_row_security if reading.target is not None else OPEN_POLICY in reading.policies
    if was_off and reading.has_row_security and not is_handed_over(reading):
        statements.append(_plain("alter table {} disable row level security", table))
    if reading.force and not reading.had_force and reading.is_forced:
        statements.append(_plain("alter table {} no force row level security", table))
    if reading.target is not None:
        statements.append(_as_owner("select auditctl_internal.unregister_read({}::oid)", relation))
    place = qualified(*relation.identity)
    target = reading.target or place
    return Change(ChangeKind.DROP, target, Action.READ, place, "No rule asks for it.", tuple(statements), relation.oid)


def is_handed_over(reading: Reading) -> bool:
    """Whether somebody dropped the policy that lets every row through, so that the table's own policies decide."""
    return (
        reading.target is not None
        and not reading.had_row_security
        and reading.has_row_security
        and OPEN_POLICY not in reading.policies
        and bool(reading.permissive or reading.restrictive)
    )


def _has_own(reading: Reading) -> bool:
    """Whether row security belongs to the table itself, and stays when its reads are no longer audited."""
    if reading.target is None:
        return reading.has_row_security
    return reading.had_row_security or is_handed_over(reading)


def _install(site: ReadSite) -> tuple[Statement, ...]:
    relation, rule = site.relation, site.rule
    table = sql.Identifier(*relation.identity)
    register = sql.SQL("select auditctl_internal.register_read({}::oid, {}::oid, {}, {}, {})").format(
        sql.Literal(relation.oid),
        sql.Literal(site.root.oid),
        sql.Literal(site.target),
        rule.read_query,
        rule.read_force,
    )
    statements = [Statement(register.as_string(None), as_owner=True)]
    reading = relation.reading
    faults = reading.faults if reading else ()
    policies = reading.policies if reading else ()
    is_own = reading is not None and _has_own(reading)
    if reading and is_handed_over(reading):
        statements.append(_as_owner("select auditctl_internal.release_row_security({}::oid)", relation))
    is_new = reading is None or reading.target is None
    for policy, create in _POLICIES.items():
        if policy == OPEN_POLICY and is_own:
            continue
        if is_new or policy not in policies or f"policy {policy} is defined differently" in faults:
            statements += [_drop_policy(relation, policy)] if policy in policies else []
            statements.append(_plain(create, table, _name(relation), _name(relation)))
    if not (reading and reading.has_row_security):
        statements.append(_plain("alter table {} enable row level security", table))
    is_forced = reading is not None and reading.is_forced
    if rule.read_force and not is_forced:
        statements.append(_plain("alter table {} force row level security", table))
    if reading and reading.force and not rule.read_force and is_forced and not reading.had_force:
        statements.append(_plain("alter table {} no force row level security", table))
    return tuple(statements)


_POLICIES = {
    READ_POLICY: "create policy auditctl_read on {} as restrictive for select to public "
    "using (pg_catalog.pg_xact_status((select auditctl.record_read({}::regclass))) is distinct from 'aborted' "
    "or pg_catalog.pg_xact_status(auditctl.record_read({}::regclass)) is distinct from 'aborted')",
    OPEN_POLICY: "create policy auditctl_open on {} for all to public using (true) with check (true)",
}


def _change(site: ReadSite, kind: ChangeKind, reason: str, statements: tuple[Statement, ...] = ()) -> Change:
    place = qualified(*site.relation.identity)
    return Change(kind, site.target, Action.READ, place, reason, statements, site.relation.oid)


def _name(relation: Relation) -> sql.Literal:
    """Return the relation's name as the text of a regclass."""
    return sql.Literal(sql.Identifier(*relation.identity).as_string(None))


def _plain(text: str, *parts: sql.Composable) -> Statement:
    return Statement(sql.SQL(text).format(*parts[: text.count("{}")]).as_string(None))


def _as_owner(text: str, relation: Relation) -> Statement:
    # By object id: auditctl_owner may have no USAGE on the table's schema.
    return Statement(sql.SQL(text).format(relation.oid).as_string(None), as_owner=True)


def _drop_policy(relation: Relation, policy: str) -> Statement:
    return _plain("drop policy {} on {}", sql.Identifier(policy), sql.Identifier(*relation.identity))
