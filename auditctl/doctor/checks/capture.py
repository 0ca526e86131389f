"""The checks of capture: what may let a write leave no event."""

from __future__ import annotations

from auditctl.doctor import coverage, lost_tables
from auditctl.doctor.model import Check, Right, Severity

APPLY = "auditctl apply --yes"
ENABLE = "auditctl enable {table}"

CAPTURE = (
    Check(
        "template_changed",
        Severity.CRITICAL,
        "a template of generated functions that is not as install wrote it",
        "Events of {action} may be missing or wrong: {object}, from which its functions are made, was changed.",
        "auditctl install",
        find=coverage.changed_templates,
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "rule_broken",
        Severity.CRITICAL,
        "a stored rule that does not fit the database: its table or a column it hides is gone",
        "The rule {rule} cannot be applied, and no other rule is applied until it is fixed: {problem}.",
        "auditctl disable {rule}",
        find=coverage.broken_rules,
        may_be_accepted=False,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "table_detached",
        Severity.CRITICAL,
        "a table that was part of an audited table and no longer is",
        "Writes to {object} are recorded under {target}, or not at all: it was a part of that table, which is audited, "
        "and is a table of its own now.",
        ENABLE,
        find=lost_tables.detached_tables,
        may_be_accepted=False,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "table_uncaptured",
        Severity.CRITICAL,
        "a table that a rule covers and that has no trigger of ours",
        "No {actions} of {object} leaves an event, although the rule {rule} covers it.",
        APPLY,
        find=coverage.uncaptured_tables,
        may_be_accepted=False,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "trigger_missing",
        Severity.CRITICAL,
        "an audited table without one of its triggers",
        "No {actions} of {object} leaves an event: the trigger is gone.",
        APPLY,
        find=coverage.missing_triggers,
        may_be_accepted=False,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "member_uncaptured",
        Severity.CRITICAL,
        "a partition or child of an audited table without one of its triggers",
        "No {actions} of {object} itself leaves an event, although it belongs to {target}, which is audited.",
        APPLY,
        find=coverage.uncaptured_members,
        may_be_accepted=False,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "trigger_silent",
        Severity.CRITICAL,
        "a trigger of ours that is switched off, or does not fire always",
        "Writes to {relation} may leave no event: the trigger is {state}.",
        APPLY,
        may_be_accepted=False,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "capture_changed",
        Severity.CRITICAL,
        "a trigger or function of ours that is not as its rule says",
        "Events of {action} on {relation} may be missing or wrong: {reason}",
        APPLY,
        find=coverage.changed_capture,
        may_be_accepted=False,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "event_clear",
        Severity.WARNING,
        "events that hold in the clear what a rule excluded or masked when they were written",
        "{events} of {object} from {since} to {until} (UTC) hold {columns} in the clear, for every reader of the log, "
        "although the rule of that time hid it.",
        "As an administrator, erase them (auditctl erase --event EVENT_ID --column COL --reason TEXT), or set a "
        "shorter retention time for {object}. Until then limit who reads the log: auditctl revoke reader LOGIN",
        find=coverage.events_in_the_clear,
        needs=Right.INSTALLER,
    ),
    Check(
        "table_renamed",
        Severity.WARNING,
        "a table or view that is not audited and has the former name of a table that is",
        "No write to {object} leaves an event: the table that was audited under this name is {target} now.",
        ENABLE,
        find=lost_tables.renamed_tables,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "table_shadowed",
        Severity.NOTICE,
        "a table or view that a search path finds before an audited table of the same name",
        "{who} may write to {object}, which is not audited, instead of {target}: its schema comes first on the search "
        "path.",
        ENABLE,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "trigger_unwanted",
        Severity.WARNING,
        "a trigger of ours on a table that no rule asks for",
        "Writes to {relation} leave events, although no rule asks for it: a rule was removed by hand, or somebody "
        "makes "
        "events of a table of theirs.",
        APPLY,
        find=coverage.unwanted_triggers,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "function_unknown",
        Severity.WARNING,
        "a function in auditctl_triggers that nothing needs",
        "Nobody knows what {function} is for; it lies where only generated functions are.",
        "auditctl apply --yes",
        needs=Right.CONFIGURATION,
    ),
    Check(
        "function_executable",
        Severity.WARNING,
        "a function of the store that a role may execute without need",
        "{who} may execute {function}: attached to a table of theirs, or called, it makes events of things that never "
        "happened.",
        "revoke all on routine {function} from {grantee} cascade;",
        needs=Right.OWNER,
    ),
    Check(
        "rule_instead",
        Severity.CRITICAL,
        "a rewrite rule on an audited table that does something instead of the write",
        "A write to {relation} may do something else than it says, and leave no event: the rule {rule} takes the place "
        "of each {command}.",
        "If an application needs the rule, accept the finding; if none does: drop rule {rule} on {relation}",
        query_name="rewrite_rule",
        needs=Right.OWNER,
    ),
    Check(
        "rule_also",
        Severity.NOTICE,
        "a rewrite rule on an audited table that does something besides the write",
        "Each {command} of {relation} does more than it says: the rule {rule} adds to it, in the session of the "
        "writer.",
        "If an application needs the rule, accept the finding; if none does: drop rule {rule} on {relation}",
        query_name="rewrite_rule",
        needs=Right.OWNER,
    ),
    Check(
        "trigger_foreign",
        Severity.WARNING,
        "a trigger that fires before capture and runs a function whose owner does not own the table",
        "{writer}, who does not own {relation}, decides what it stores and can change who is recorded: the trigger "
        "{trigger} runs a function of theirs before the event is made.",
        "alter function {function} owner to {owner};",
        needs=Right.SUPERUSER,
    ),
    Check(
        "table_unlogged",
        Severity.WARNING,
        "an audited table, or a part of the log, that a crash empties",
        "A crash of the server empties {relation}, and no event says so.",
        "alter table {relation} set logged;",
        needs=Right.OWNER,
    ),
    Check(
        "table_foreign",
        Severity.NOTICE,
        "an audited foreign table",
        "Writes to {relation} at its own server, and its truncation, leave no event here.",
        "auditctl disable {table}",
        needs=Right.CONFIGURATION,
    ),
    Check(
        "table_keyless",
        Severity.NOTICE,
        "an audited table whose rows cannot be distinguished",
        "Events of {object} do not identify the row: the table has no primary key and no unique index without nulls, "
        "and its rule names no columns.",
        "Name the columns that identify its rows, or add a primary key: auditctl enable {table} --key COLUMN",
        find=coverage.keyless_tables,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "registration_stale",
        Severity.WARNING,
        "an audited table that the guard or the log knows otherwise than its rule says",
        "{object} is known otherwise than its rule says, and DDL will follow that: {reason}",
        APPLY,
        find=coverage.changed_registrations,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "table_unwatched",
        Severity.WARNING,
        "an audited table that the coverage guard does not watch",
        "The owner of {object} can switch its capture off: the coverage guard does not watch it.",
        APPLY,
        find=coverage.unwatched_tables,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "guard",
        Severity.WARNING,
        "the coverage guard, missing or switched off; a superuser puts it there",
        "Owners of audited tables can switch their capture off: the event trigger {name}, which prevents it, is "
        "{state}.",
        "auditctl install",
        needs=Right.SUPERUSER,
    ),
)
"""Every check of capture, in the order of the reference: what must be repaired first comes first."""
