"""`auditctl baseline` and `auditctl reconcile`: the rows that were there, and those that went past the triggers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import click

from auditctl import reconcile as comparison
from auditctl.cli import progress
from auditctl.cli.capture import lock_timeout_option
from auditctl.cli.known_values import TARGETS, complete
from auditctl.cli.options import reason_option, table_or_json
from auditctl.cli.printing import print_json, print_text
from auditctl.cli.session import ADMIN, READER, Session, pass_session
from auditctl.database import Connection
from auditctl.display import harmless_json
from auditctl.errors import DriftError
from auditctl.log import target_names
from auditctl.reconcile import RowFinding, Scope
from auditctl.text import plural


@click.command(short_help="Record the rows that a table had before it was audited.")
@click.argument("table", shell_complete=complete(TARGETS))
@table_or_json("How to print the result.")
@lock_timeout_option
@reason_option
@pass_session
def baseline(session: Session, table: str, output: str, lock_timeout: str) -> None:
    """Record the rows that TABLE had before it was audited, so that the log has the whole life of each row.

    Each row without events gets an event of action CREATE with your login as its user and `"baseline": true` in its
    context. It is shown as "was there" and never counted as created. Run it again at any time: rows with events are
    skipped, so an interrupted run goes on. Writers wait for at most one batch, about half a second.

    \b
    Examples:
      auditctl baseline billing.customer
      auditctl baseline billing.customer --reason 'ticket 4711'
    """
    with session.connect(ADMIN) as conn:
        (scope,) = _one(comparison.scopes(conn, [table]), table)
        with progress.bar(session, f"recording {scope.target}") as show:
            rows = comparison.record_baseline(conn, scope.target, lock_timeout=lock_timeout, report=show)
    if output == "json":
        print_json({"target": scope.target, "rows": rows})
    else:
        session.say(f"Recorded {plural(rows, 'row')} of {scope.target} as there.")


def _one(found: list[Scope], text: str) -> list[Scope]:
    if len(found) > 1:
        target_names.resolve_one(text, [target_names.KnownTarget(scope.target, None) for scope in found])
    return found


@click.command(short_help="Find rows that are not as their events say.")
@click.argument("tables", metavar="[TABLE]...", nargs=-1, shell_complete=complete(TARGETS))
@table_or_json("How to print the findings.")
@lock_timeout_option
@pass_session
def reconcile(session: Session, tables: tuple[str, ...], output: str, lock_timeout: str) -> None:
    """Find rows that are not as their events say: what was written past the triggers.

    TABLE is a name, a label, or a glob in quotes. Without it, all audited tables are compared. A row is altered if a
    column differs from what its events add up to, vanished if its events do not end, and unknown if it has none. It
    ends with exit code 3 if it finds any. Columns are compared in what the log holds of them: excluded and masked ones
    are left out.

    Each table is read in one snapshot with its events, with the rights of the login that installed auditctl; nobody
    waits for it. You need no right on the table.

    \b
    Examples:
      auditctl reconcile
      auditctl reconcile billing.customer
      auditctl reconcile 'billing.*' --format json
    """
    found: dict[str, int] = {}
    with session.connect(READER) as conn:
        chosen = comparison.scopes(conn, tables)
        findings = _findings(session, conn, chosen, found, lock_timeout)
        if output == "json":
            _print_json(findings, chosen, found)
        else:
            for finding in findings:
                print_text(_line(finding))
    _say_scope(session, chosen, found)
    if total := sum(found.values()):
        raise DriftError(
            f"{plural(total, 'row')} of {plural(sum(map(bool, found.values())), 'table')} not as the log says",
            hint=_hint(chosen, found),
        )
    session.say(f"{plural(len(found), 'table')} compared: nothing found")


def _findings(
    session: Session, conn: Connection, chosen: list[Scope], found: dict[str, int], lock_timeout: str
) -> Iterator[RowFinding]:
    """Yield what is found, table by table; count it in `found`, by the targets that were compared."""
    for scope in chosen:
        if scope.obstacle:
            session.say(f"not compared: {scope.obstacle}")
            continue
        found[scope.target] = 0
        with progress.counter(session, "findings") as show:
            report = partial(_show_reading, show, scope.target)
            for finding in comparison.reconcile(conn, scope, lock_timeout=lock_timeout, report=report):
                found[scope.target] += finding.rows
                yield finding


def _show_reading(show: Callable[[int, str], None], target: str, read: str) -> None:
    show(0, f"{target}: {read} read")


def _line(finding: RowFinding) -> str:
    if finding.target_id is None:
        return f"{finding.finding:<9} {finding.target} {finding.rows:,} more rows, which have no events either"
    columns = f": {', '.join(finding.columns)}" if finding.columns else ""
    return f"{finding.finding:<9} {finding.target} {finding.target_id}{columns}"


def _print_json(findings: Iterator[RowFinding], chosen: list[Scope], found: dict[str, int]) -> None:
    """Print one document piece by piece, so that any number of findings takes the same memory."""
    print_text('{\n  "findings": [', harmless_json, end="")
    comma = ""
    for finding in findings:
        text = json.dumps(dataclasses.asdict(finding), ensure_ascii=False)
        print_text(f"{comma}\n    {text}", harmless_json, end="")
        comma = ","
    tables = json.dumps([_described(scope, found) for scope in chosen], ensure_ascii=False, indent=2)
    rest = "\n".join(f"  {line}" for line in tables.splitlines()).lstrip()
    end = "\n  " if comma else ""
    print_text(f'{end}],\n  "tables": {rest}\n}}', harmless_json)


def _described(scope: Scope, found: dict[str, int]) -> dict[str, Any]:
    return {
        "target": scope.target,
        "rows_found": found.get(scope.target),
        "excluded": scope.excluded,
        "masked": scope.masked,
        "unrecorded_actions": [action.lower() for action in scope.unrecorded],
        "has_baseline": scope.has_baseline,
        "obstacle": scope.obstacle,
    }


_MISSED = {"CREATE": "unknown rows", "UPDATE": "altered rows", "DELETE": "vanished rows"}
"""What cannot be found without the events of an action."""


def _say_scope(session: Session, chosen: list[Scope], found: dict[str, int]) -> None:
    for scope in chosen:
        left_out = [
            f"{kind} {', '.join(columns)}"
            for kind, columns in (("excluded", scope.excluded), ("masked", scope.masked))
            if columns
        ]
        missed = [_MISSED[action] for action in scope.unrecorded if action in _MISSED]
        if missed:
            left_out.append(f"{', '.join(missed)}, as the rule does not record {', '.join(scope.unrecorded).lower()}")
        elif scope.unrecorded:
            left_out.append("which rows a truncate removed, as the rule does not record it")
        if left_out and scope.target in found:
            session.say(f"not compared in {scope.target}: {'; '.join(left_out)}")


def _hint(chosen: list[Scope], found: dict[str, int]) -> str:
    without = [scope.target for scope in chosen if found.get(scope.target) and not scope.has_baseline]
    if without:
        return (
            f"Rows that {without[0]} had before it was audited have no events until you run: "
            f"auditctl baseline {without[0]}"
        )
    return "See what the log says of a row with: auditctl history TABLE KEY"
