"""Fits remedies to the login that asks: one that it cannot carry out names who can. Pure.

Providers reserve superusers for themselves. Their services are known by a role that each of them has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from auditctl.doctor.model import AS, COMMAND, Check, Finding, ResultRow, Right
from auditctl.doctor.rights import Asker, Reach, Service
from auditctl.names import ROLE_OWNER

APPLY = f"{COMMAND}apply"
"""How the remedy starts that applies all rules."""


def tables(found: Iterable[tuple[Check, ResultRow]]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that results have of tables and rules, and those of results whose remedy applies all rules."""
    pairs = [(check.remedy.startswith(APPLY), name) for check, row in found for name in _tables(row)]
    return frozenset(name for _, name in pairs), frozenset(name for is_applied, name in pairs if is_applied)


def _tables(row: ResultRow) -> Iterator[str]:
    names = (row.get(key) for key in ("table", "rule", "object"))
    yield from (str(name) for name in names if name is not None)


def fit(finding: Finding, check: Check, row: ResultRow, asker: Asker, *, is_guarded: bool = False) -> Finding:
    """Return a finding with a remedy that the asking login can carry out, or that names who can.

    Args:
        finding: The finding, with the remedy for a superuser.
        check: Its check.
        row: The row that it was made from.
        asker: Who asks.
        is_guarded: Whether the coverage guard protects the store.
    """
    needs = Right(row.get("needs", check.needs))
    if asker.is_superuser or needs is Right.NOBODY or finding.remedy.startswith(AS):
        return finding
    if needs is Right.SUPERUSER and asker.service is not None:
        return replace(finding, remedy=_on_service(finding, check, row, asker.service))
    if _may(needs, finding, row, asker, is_guarded=is_guarded):
        return finding
    return replace(finding, remedy=f"{AS}{_who(needs, finding, row, asker, is_guarded=is_guarded)}: {finding.remedy}")


def _may(needs: Right, finding: Finding, row: ResultRow, asker: Asker, *, is_guarded: bool) -> bool:
    """Return whether the asking login, which is not a superuser, can carry out a remedy."""
    match needs:
        case Right.ADMINISTRATOR:
            return asker.is_owner or asker.is_administrator
        case Right.CONFIGURATION:
            return (asker.is_owner or asker.is_administrator) and _is_within(asker.reach, finding, row)
        case Right.INSTALLER:
            return asker.is_owner and not is_guarded
        case Right.OWNER:
            return _owner(row) in asker.roles
        case Right.GRANTOR:
            return _role(row, "via") in asker.grantable and _role(row, "grantor") in {"", *asker.roles}
    return False


def _who(needs: Right, finding: Finding, row: ResultRow, asker: Asker, *, is_guarded: bool) -> str:
    """Return who can carry out a remedy that the asking login cannot; a managed service has no superuser."""
    if needs is Right.OWNER:
        return _owner(row)
    if needs is Right.ADMINISTRATOR or (
        needs is Right.CONFIGURATION and _is_within(asker.administrators, finding, row)
    ):
        return "an administrator"
    if asker.service is None or is_guarded:
        return "a superuser"
    if needs is Right.GRANTOR:
        return _role(row, "grantor") or f"a login that may grant {_role(row, 'via')}"
    return "a login that also owns the tables" if needs is Right.CONFIGURATION else "the login that installed auditctl"


def _owner(row: ResultRow) -> str:
    return str(row.get("owner", ROLE_OWNER))


def _role(row: ResultRow, key: str) -> str:
    """Return the name of a role; empty if the result has none."""
    return str(row.get(key) or "").strip('"')


def _is_within(reach: Reach, finding: Finding, row: ResultRow) -> bool:
    """Return whether somebody can change the capture that a remedy changes."""
    return reach.may_apply if finding.remedy.startswith(APPLY) else reach.outside.isdisjoint(_tables(row))


def _on_service(finding: Finding, check: Check, row: ResultRow, service: Service) -> str:
    accept = f'Accept the finding in the file: check = "{finding.check}", object = "{finding.object}"'
    role = _role(row, "role")
    if role and any(fnmatchcase(role, glob) for glob in service.own):
        return f"{service.name} itself needs the role {role}, and nobody else can change it. {accept}"
    if check.otherwise:
        return check.otherwise.format_map(row)
    return f"Nobody but {service.name} is a superuser there: ask its support, or leave it. {accept}"
