"""`auditctl doctor`: finds what weakens the log's promises, with a remedy for each."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from auditctl import metrics
from auditctl.capture import roles
from auditctl.cli.options import only_option, table_or_json
from auditctl.cli.printing import print_json, print_text
from auditctl.cli.session import Session, pass_session
from auditctl.display import harmless
from auditctl.doctor import clear_values
from auditctl.doctor.acceptance import AcceptedFinding
from auditctl.doctor.checks.log import PLACE
from auditctl.doctor.examine import STORE_CODE, examine
from auditctl.doctor.model import Finding, Severity
from auditctl.doctor.registry import CHECKS
from auditctl.errors import DriftError
from auditctl.text import plural

EPILOG = "\b\nChecks:\n" + "\n".join(f"  {check.name:<20}{check.title}" for check in CHECKS)

SILENT = {"table_uncaptured", "trigger_missing", "member_uncaptured", "trigger_silent", "capture_changed"}
"""Checks whose findings mean that rows may have been written without an event."""


@click.command(short_help="Find what weakens the log's promises, with its remedy.", epilog=EPILOG)
@table_or_json("How to print the findings.")
@click.option(
    "--severity",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.NOTICE.value,
    show_default=True,
    help="Minimum severity of the findings.",
)
@click.option("--all-events", is_flag=True, help="Search every event for hidden values, not only the newest million.")
@only_option
@pass_session
def doctor(session: Session, output: str, severity: str, all_events: bool, only: tuple[str, ...]) -> None:
    """Find everything on this server that weakens what the log promises, each with its remedy.

    Exits with 3 if it finds anything of this severity or worse, with 0 if not. A superuser can run every check, a
    reader nearly all of them; those that the login may not run are listed. Changes nothing. With --only it reports
    what it finds about these tables, and nothing about the log, roles or the server. What [[doctor.accept]] of the
    configuration file accepts is shown apart, and does not count.

    \b
    Examples:
      auditctl doctor
      auditctl doctor --format json
      auditctl --quiet doctor --severity warning
    """
    with session.connect(is_examined=True) as conn:
        examined = examine(conn, limit=None if all_events else clear_values.LIMIT, only=only, reads_files=True)
        dumpers = roles.dumpers(conn)
        # A superuser runs nothing of a store that is changed, or not in its place.
        found = {f.check for f in (*examined.findings, *(one.finding for one in examined.accepted))}
        if not only and not {STORE_CODE, PLACE.name} & found:
            metrics.record_run(conn, "doctor", len(examined.findings))
    severities = list(Severity)[: list(Severity).index(Severity(severity)) + 1]
    findings = [finding for finding in examined.findings if finding.severity in severities]
    accepted = [one for one in examined.accepted if one.finding.severity in severities]
    if output == "json":
        print_json([dataclasses.asdict(finding) | {"accepted": None} for finding in findings] + _json(accepted))
    else:
        _print(findings)
        _print_accepted(accepted)
    for check, reason in examined.unseen:
        session.say(f"not checked: {check}, because {reason}")
    session.say(f"A whole pg_dump can be made by: {', '.join(('superusers', *dumpers))}")
    if SILENT & {finding.check for finding in findings}:
        session.say("What was written past triggers, auditctl reconcile finds once they are back.")
    if findings:
        raise DriftError(_counted(findings), hint="Carry out the remedies in their order, then run: auditctl doctor")
    apart = f", apart from {plural(len(accepted), 'accepted finding')}" if accepted else ""
    session.say(f"nothing found{apart}")


def _json(accepted: Sequence[AcceptedFinding]) -> list[dict[str, Any]]:
    """Return accepted findings as objects, each with who accepted it and why."""
    return [
        dataclasses.asdict(one.finding)
        | {
            "accepted": {
                "reason": one.acceptance.reason,
                "until": one.acceptance.until and one.acceptance.until.isoformat(),
                "by": one.acceptance.set_by,
            }
        }
        for one in accepted
    ]


def _print_accepted(accepted: Sequence[AcceptedFinding]) -> None:
    """Print accepted findings as a table of their own."""
    if not accepted:
        return
    from auditctl.cli.terminal import print_table  # rich is slow to load

    print_text("\nAccepted, and not counted:")
    cells = [
        [
            one.finding.check,
            one.finding.object,
            one.acceptance.reason,
            one.acceptance.until.isoformat() if one.acceptance.until else "",
            one.acceptance.set_by,
        ]
        for one in accepted
    ]
    print_table(["Check", "Object", "Reason", "Until", "By"], cells)


def _counted(findings: Sequence[Finding]) -> str:
    """Return how many there are, and of which severity, such as `3 findings: 2 warnings, 1 notice`."""
    number = Counter(finding.severity for finding in findings)
    parts = [plural(number[severity], severity.value, severity.plural) for severity in Severity if number[severity]]
    return f"{plural(len(findings), 'finding')}: {', '.join(parts)}"


def _print(findings: Sequence[Finding]) -> None:
    """Print the findings as a table, and below it each remedy once, on a line of its own that can be copied."""
    from auditctl.cli.terminal import print_table  # rich is slow to load

    cells = [[str(n), f.severity.value, f.check, f.object, f.meaning] for n, f in enumerate(findings, 1)]
    print_table(["No.", "Severity", "Check", "Object", "What it means"], cells)
    remedies: dict[str, list[str]] = {}
    for number, finding in enumerate(findings, 1):
        remedies.setdefault(finding.remedy, []).append(str(number))
    if remedies:
        print_text("\nRemedies, in their order:")
    for remedy, numbers in remedies.items():
        print_text(f"{', '.join(numbers)}:\n    {harmless(remedy)}")
