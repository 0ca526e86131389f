"""`auditctl enable`, `disable` and `tables`: start, stop and list capture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import click

from auditctl import actions, durations
from auditctl.actions import parse_actions
from auditctl.capture import apply, plan_summary, rule_keys, table_keys, table_status
from auditctl.capture.plan import Change, ChangeKind, Plan, action_names
from auditctl.capture.rule_keys import Kind, Rule, RuleKey
from auditctl.cli.agreement import agreement, uncover_option
from auditctl.cli.batch_progress import batch_progress
from auditctl.cli.known_values import ACTIONS, COLUMNS, RULES, TABLES, complete
from auditctl.cli.options import only_option, reason_option, table_or_json
from auditctl.cli.printing import print_json
from auditctl.cli.session import INSTALLER, READER, Session, pass_session
from auditctl.text import in_quotes, plural

_VERBS = {
    ChangeKind.CREATE: "now captures",
    ChangeKind.REPLACE: "captures anew",
    ChangeKind.ENABLE: "captures again",
    ChangeKind.DROP: "no longer captures",
}


TIMEOUT_UNITS = {"": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Milliseconds of the units that PostgreSQL takes for `lock_timeout`, which counts in milliseconds."""

LONGEST_TIMEOUT = 2**31 - 1
"""Milliseconds, just under 25 days."""


def _time(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    duration = durations.parse(value, TIMEOUT_UNITS)
    if duration is None:
        raise click.BadParameter(f"{in_quotes(value)} is not a duration such as 500ms, 5s or 1min")
    milliseconds = duration[0] * TIMEOUT_UNITS[duration[1]]
    if milliseconds == 0:
        raise click.BadParameter("0 would wait without limit, and with it all who come after; the shortest is 1ms")
    if milliseconds > LONGEST_TIMEOUT:
        raise click.BadParameter(f"{in_quotes(value)} is longer than PostgreSQL can wait; the longest is 24d")
    return value


lock_timeout_option = click.option(
    "--lock-timeout",
    metavar="TIME",
    callback=_time,
    default=apply.DEFAULT_LOCK_TIMEOUT,
    show_default=True,
    help="How long to wait for a lock on a busy table.",
)


def _split(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(part.strip() for text in value for part in text.split(",") if part.strip())
    if value and not names:
        raise click.BadParameter("names no action")
    return names


def _actions_option(default: str) -> Callable[[Any], Any]:
    return click.option(
        "--actions",
        metavar="LIST",
        multiple=True,
        callback=_split,
        help=f"Comma-separated: {', '.join(actions.OPTIONS)}. Default: {default}.",
        shell_complete=complete(ACTIONS),
    )


def _rule_option(key: RuleKey) -> Callable[[Any], Any]:
    match key.kind:
        case Kind.TEXT:
            return click.option(key.option, metavar="NAME", help=key.help)
        case Kind.ACTIONS:
            return _actions_option("all but read")
        case Kind.COLUMNS:
            callback = _stated if key.is_inherited else _each_once
            return click.option(
                key.option,
                metavar="COL",
                multiple=True,
                callback=callback,
                help=f"{key.help} Repeatable.",
                shell_complete=complete(COLUMNS),
            )
        case Kind.CHOICE:
            return click.option(
                key.option,
                type=click.Choice(key.choices),
                default=key.default,
                help=f"{key.help} Default: {key.default}.",
            )
        case Kind.SWITCH:
            names = f"{key.option}/{key.negation}" if key.default else key.option
            return click.option(names, is_flag=True, default=key.default, help=key.help)


def _each_once(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value))


def _stated(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the columns, none for an empty text; None without the option."""
    return tuple(name for name in _each_once(context, parameter, value) if name) if value else None


def _rule_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each key of a rule."""
    for key in reversed(rule_keys.KEYS):
        command = _rule_option(key)(command)
    return command


@click.command(short_help="Audit a table from now on.")
@click.argument("table", shell_complete=complete(TABLES))
@_rule_options
@lock_timeout_option
@uncover_option
@reason_option
@pass_session
def enable(session: Session, table: str, lock_timeout: str, uncover: bool, **options: Any) -> None:
    """Audit TABLE from now on. Sets the whole rule and starts at once.

    TABLE is schema.table, or a glob in quotes such as 'billing.*'. Enabling it again replaces the rule. A glob comes
    before all wider ones, so that it covers what it matches; rules of single tables and narrower globs stay in force.
    Without --exclude or --mask it hides what the next rule that matches hides; with an empty one, such as --mask '',
    nothing. What was hidden until now is recorded in the clear only if you say so: on a terminal, or with --uncover.

    \b
    Examples:
      auditctl enable billing.invoice
      auditctl enable billing.customer --exclude updated_at --mask card_number
      auditctl enable billing.plan --actions update,delete --label Plan
      auditctl enable billing.salary --actions create,update,delete,truncate,read
    """
    options["actions"] = parse_actions(options["actions"]) or actions.DEFAULT
    rule = Rule(table, **{key.name: key.parse(options[key.name]) for key in rule_keys.KEYS})
    with session.connect(INSTALLER) as conn, batch_progress(session) as watch:
        _report(
            session,
            apply.enable(conn, rule, lock_timeout=lock_timeout, uncover=agreement(session, uncover), watch=watch),
            "No trigger had to change; the rule is stored.",
        )


@click.command()
@click.argument("table", shell_complete=complete(RULES))
@_actions_option("all")
@lock_timeout_option
@uncover_option
@reason_option
@pass_session
def disable(session: Session, table: str, actions: tuple[str, ...], lock_timeout: str, uncover: bool) -> None:
    """Stop auditing TABLE, or some of its actions. The log stays.

    TABLE is schema.table, or a glob in quotes: what it matches is no longer audited, whatever rule covers it.

    \b
    Examples:
      auditctl disable billing.invoice
      auditctl disable 'tenant_002.*'
      auditctl disable billing.invoice --actions truncate
      auditctl disable billing.salary --actions read
    """
    with session.connect(INSTALLER) as conn, batch_progress(session) as watch:
        stopped = parse_actions(actions)
        _report(
            session,
            apply.disable(
                conn, table, stopped, lock_timeout=lock_timeout, uncover=agreement(session, uncover), watch=watch
            ),
            "No trigger had to be dropped; the rules are changed.",
        )


@click.command()
@click.option("--all", "everything", is_flag=True, help="Include tables without a rule.")
@only_option
@table_or_json("Output format.")
@pass_session
def tables(session: Session, everything: bool, only: tuple[str, ...], output: str) -> None:
    """List the audited tables with their actions and state.

    States: ok; outdated (apply would change it); disabled (a trigger is switched off); missing (a trigger or the
    table does not exist); unaudited.
    """
    with session.connect(READER) as conn:
        statuses = table_status.read(conn, include_unaudited=everything, only=only)
    if output == "json":
        rows = [
            {
                "table": row.table,
                "label": row.label,
                "actions": _options(row),
                "state": row.state,
                "reason": row.reason,
                "rule": row.rule.name if row.rule else None,
                "why": row.why,
            }
            for row in statuses
        ]
        print_json(rows)
        return
    from auditctl.cli.terminal import print_table  # rich is slow to load

    cells = [[row.table, row.label or "", ",".join(_options(row)), row.state, row.why, row.reason] for row in statuses]
    print_table(["Table", "Label", "Actions", "State", "Covered by", "Reason"], cells)
    if not statuses and not only:
        session.say("No table is audited yet. Next: auditctl enable SCHEMA.TABLE")


def _options(row: table_status.TableStatus) -> list[str]:
    return [action.value.lower() for action in row.actions]


def print_warnings(session: Session, plan: Plan, verbose: bool) -> None:
    """Print the warnings of a plan, or the first of many."""
    warnings = [f"warning: {warning}" for warning in (*plan.warnings, *plan.unseen)]
    if keyless := plan.unaccepted_keyless:
        session.say(f"warning: {table_keys.warning(keyless, is_whole=verbose)}")
        for line in table_keys.remedy(keyless[0], plan.coverings):
            session.say(f"    {line}")
    for text in plan_summary.limited(warnings, "warning", is_whole=verbose):
        session.say(text)


def _summed_up(captured: Mapping[tuple[str, str], str]) -> list[str]:
    """Return a sentence for each table, or for many that have the same in common; by table and verb, the actions."""
    if len(captured) <= plan_summary.MAX_LINES:
        return [f"{target}: {verb} {names}." for (target, verb), names in captured.items()]
    groups: dict[tuple[str, str], list[str]] = {}
    for (target, verb), names in captured.items():
        groups.setdefault((verb, names), []).append(target)
    return [
        f"{plural(len(targets), 'table')}, such as {targets[0]}: {verb} {names}."
        for (verb, names), targets in groups.items()
    ]


def _report(session: Session, plan: Plan, nothing: str) -> None:
    by_target: dict[tuple[str, str], list[Change]] = {}
    for change in plan.pending:
        if change.statements:
            by_target.setdefault((change.target, _VERBS[change.kind]), []).append(change)
    for sentence in _summed_up({key: action_names(changes) for key, changes in by_target.items()}):
        session.say(sentence)
    for note in (*plan.notes, *plan_summary.limited(plan.keys, "key")):
        session.say(note)
    print_warnings(session, replace(plan, unseen=()), verbose=False)
    if not by_target:
        session.say(nothing)
