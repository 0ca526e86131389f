"""What the tests of `doctor` share: one thing is broken, exactly it is found, its remedy is carried out."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from auditctl import database
from auditctl.doctor.examine import examine
from auditctl.doctor.model import AS_SUPERUSER, Finding
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fixtures.command import RunAuditctl

STATEMENTS = re.compile(r"""((?:[^;'"]|'[^']*'|"[^"]*")+);""")
"""Each statement of a script, as psql splits it: a semicolon inside quotes ends none."""


IF_UNNEEDED = "If an application needs the rule, accept the finding; if none does: "
"""How the remedy of a rewrite rule starts."""

UNGUARDED = """
    alter event trigger auditctl_guard_ddl disable; alter event trigger auditctl_guard_drop disable;
    {};
    alter event trigger auditctl_guard_ddl enable always; alter event trigger auditctl_guard_drop enable always
"""
"""Breaks something that the coverage guard would prevent."""


def found(dsn: str) -> list[Finding]:
    """What the examination of a database finds, by whoever logs in."""
    with database.connect(dsn) as conn:
        return list(examine(conn).findings)


def carry_out(remedy: str, dsn: str, auditctl: RunAuditctl) -> None:
    """Do what a remedy says, to the letter: in a shell, or statement by statement in one session, as in psql."""
    remedy = remedy.removeprefix(AS_SUPERUSER)
    if remedy.startswith(IF_UNNEEDED):
        remedy = f"{remedy.removeprefix(IF_UNNEEDED)};"
    if remedy.startswith("auditctl "):
        auditctl(*shlex.split(remedy)[1:], dsn=dsn, check=0)
        return
    statements = STATEMENTS.findall(remedy)
    assert "".join(f"{statement};" for statement in statements) == remedy, remedy
    with connect(dsn) as conn:
        for statement in statements:
            conn.execute(statement)


def examine_and_repair(
    dsn: str, broken: str | Callable[[], None], expected: list[Finding], auditctl: RunAuditctl, *, by: str | None = None
) -> None:
    """Break something, see exactly what is expected of it, carry out the remedies in their order, see it gone.

    Args:
        dsn: The database, as superuser.
        broken: What breaks it: SQL, for which the coverage guard looks away, or a function.
        expected: What is found then, and was not found before.
        auditctl: The command.
        by: The DSN of whoever carries the remedies out; None for the superuser.
    """
    before = found(dsn)
    if callable(broken):
        broken()
    else:
        with connect(dsn) as conn:
            conn.execute(UNGUARDED.format(broken).encode())
    after = found(dsn)
    assert [finding for finding in after if finding not in before] == expected
    assert [finding for finding in before if finding not in after] == []
    for remedy in dict.fromkeys(finding.remedy for finding in expected):
        carry_out(remedy, by or dsn, auditctl)
    assert found(dsn) == before
