"""`auditctl doctor`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import click

from auditctl.cli.session import Session, pass_session
from auditctl.doctor.check import Finding
from auditctl.doctor.examination import examine
from auditctl.doctor.registry import CHECKS
from auditctl.errors import DriftError
from auditctl.log.formats.harmless import harmless

EPILOG = "\b\nChecks:\n" + "\n".join(f"  {check.name:<20}{check.title}" for check in CHECKS)


@click.command(short_help="Find what weakens the log's promises, with its remedy.", epilog=EPILOG)
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print the findings.",
)
@pass_session
def doctor(session: Session, output: str) -> None:
    """Find everything on this server that weakens what the log promises, each with its remedy.

    Exits with 3 if it finds anything, with 0 if not. A superuser sees everything, a reader nearly everything: what the
    login may not look at is said. Changes nothing.

    \b
    Examples:
      auditctl doctor
      auditctl doctor --format json
    """
    with session.connect() as conn:
        examined = examine(conn)
    if output == "json":
        rows = [dataclasses.asdict(finding) for finding in examined.findings]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        _print(examined.findings)
    for check, reason in examined.unseen:
        session.say(f"not looked at: {check}, because {reason}")
    if examined.findings:
        what = "1 finding" if len(examined.findings) == 1 else f"{len(examined.findings)} findings"
        raise DriftError(what, hint="Carry out the remedies in their order, then run: auditctl doctor")
    session.say("nothing found")


def _print(findings: Sequence[Finding]) -> None:
    """Print the findings as a table, and below it each remedy once, on a line of its own that can be copied."""
    from auditctl.cli.console import print_table  # rich is slow to load

    cells = [[str(n), f.severity.value, f.check, f.object, f.meaning] for n, f in enumerate(findings, 1)]
    print_table(["No.", "Severity", "Check", "Object", "What it means"], cells)
    remedies: dict[str, list[str]] = {}
    for number, finding in enumerate(findings, 1):
        remedies.setdefault(finding.remedy, []).append(str(number))
    if remedies:
        click.echo("\nRemedies, in their order:")
    for remedy, numbers in remedies.items():
        click.echo(f"{', '.join(numbers)}:\n    {harmless(remedy)}")
