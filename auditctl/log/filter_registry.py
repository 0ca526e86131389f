"""The registry of filters: one row each. To add one, see CONTRIBUTING.md.

The command line's options, the page's form and chips, the documentation's table and every query come from it. A filter
decides what a text means, and which events it selects, in the database and in an archive.
"""

from __future__ import annotations

from auditctl.actions import Action
from auditctl.log import (
    archive_predicates,
    archive_time_predicates,
    archive_value_predicates,
    filter_lookup,
    filter_values,
    predicates,
    time_predicates,
    times,
    value_predicates,
    week_text,
)
from auditctl.log.filter_row import Field, FieldKind, Filter
from auditctl.log.keys import Key

_WITH_VALUES_BEFORE = (Action.UPDATE, Action.DELETE)
_WITH_VALUES_AFTER = (Action.CREATE, Action.UPDATE, Action.EVENT, Action.BASELINE)

FILTERS = (
    Filter("since", "From", "TIME", "At this time or later: 2026-11-23, 2026-11-23T20:38:00Z, today, last-month, 1h30m "
           "ago.",
           "2026-01-01", times.parse, time_predicates.since, archive_time_predicates.since,
           Field(FieldKind.TIME, "e.g. 24h"),
           normalize=times.normalize, by_clock=True),
    Filter("until", "Before", "TIME", "Before this time.",
           "2026-12-01", times.parse, time_predicates.until, archive_time_predicates.until,
           Field(FieldKind.TIME, "e.g. 2026-12-01"),
           normalize=times.normalize, by_clock=True),
    Filter("weekday", "Weekday", "DAYS", "On these days, by the clock of --tz: mon, sat,sun or mon-fri, with Friday.",
           "sun", week_text.weekdays, time_predicates.during, archive_time_predicates.during,
           Field(placeholder="e.g. sat,sun", is_advanced=True),
           repeatable=True, normalize=week_text.normalize, by_clock=True),
    Filter("hour", "Hour", "HOURS", "In these hours of the day, by the clock of --tz: 9 is 09:00 to 09:59, 9-17 is "
           "09:00 to 16:59, 22-6 goes past midnight.",
           "12", week_text.hours, time_predicates.during, archive_time_predicates.during,
           Field(placeholder="e.g. 22-6", is_advanced=True),
           repeatable=True, normalize=week_text.normalize, by_clock=True),
    Filter("outside-hours", "Outside hours", "HOURS", "Outside these hours of the week, by the clock of --tz: "
           "'mon-fri 8-18'; of several, outside all.",
           "mon-fri 8-18", week_text.outside, time_predicates.outside, archive_time_predicates.outside,
           Field(placeholder="e.g. mon-fri 8-18", is_advanced=True), repeatable=True, normalize=week_text.normalize,
           is_conjunctive=True, by_clock=True),
    Filter("target", "Target", "TABLE", "About this table: its name, its label or a glob such as 'billing.*'.",
           "billing.customer", filter_values.text, predicates.target, archive_predicates.target,
           Field(placeholder="e.g. Invoice", suggestions="targets", is_wide=True),
           repeatable=True, resolve=filter_lookup.resolve_targets),
    Filter("id", "Target ID", "KEY", "About the row with this key; a key of several columns is a JSON array.",
           "7", Key, predicates.key, archive_predicates.key,
           Field(placeholder="e.g. 4711"), resolve=filter_lookup.resolve_keys,
           repeatable=True, suggest=filter_lookup.suggest_keys, may_be_empty=True, is_usually_one=True),
    Filter("user", "User", "NAME", "By this user or database login, as the log shows it: @NAME is a login that acted "
           "in its own name, (System) the system. actor:NAME is a user of any name, application:NAME one that an "
           "application named, login:NAME a login, for any actor.",
           "alice", filter_values.user, predicates.user, archive_predicates.user,
           Field(placeholder="e.g. alice", suggestions="users"),
           resolve=filter_lookup.resolve_users, suggest=filter_lookup.suggest_users, repeatable=True,
           is_usually_one=True),
    Filter("not-user", "Not by user", "NAME", "Neither by this user nor through this login; written as for --user.",
           "bob", filter_values.user, predicates.not_user, archive_predicates.not_user,
           Field(suggestions="users", is_advanced=True),
           repeatable=True, resolve=filter_lookup.resolve_users, doubt=filter_lookup.doubt_users, is_conjunctive=True),
    Filter("kind", "User type", "KIND", "By a user of this kind: application, which an application named; database, a "
           "login that acted in its own name; or system.",
           "application", filter_values.kind, predicates.kind, archive_predicates.kind,
           Field(FieldKind.CHECKBOXES, choices=filter_values.KINDS, is_advanced=True), repeatable=True),
    Filter("action", "Action", "ACTION", "Of this action: create, read, update, delete, truncate or event; baseline "
           "for rows that were there.",
           "update", filter_values.action, predicates.action, archive_value_predicates.action,
           Field(FieldKind.CHECKBOXES, choices=tuple(Action)),
           repeatable=True),
    Filter("column", "Changed column", "NAME", "An update that changed this column.",
           "balance", filter_values.text, value_predicates.column, archive_value_predicates.column,
           Field(is_advanced=True), repeatable=True,
           resolve=filter_lookup.resolve_columns, actions=(Action.UPDATE,)),
    Filter("changed", "Value before or after", "COLUMN=VALUE", "With this value of the column before or after: "
           "status=closed; 5 is the number or the text, null no value. Of several columns all have to match, of one "
           "any value.",
           "balance=12.5", filter_values.column_value, value_predicates.changed, archive_value_predicates.changed,
           Field(placeholder="e.g. status=closed", is_advanced=True), repeatable=True,
           resolve=filter_lookup.resolve_values, is_conjunctive=True, is_paired=True,
           actions=(*_WITH_VALUES_BEFORE, *_WITH_VALUES_AFTER)),
    Filter("was", "Value before", "COLUMN=VALUE", "With this value of the column before; also of a deleted row.",
           "balance=10", filter_values.column_value, value_predicates.was, archive_value_predicates.was,
           Field(placeholder="e.g. status=open", is_advanced=True), repeatable=True,
           resolve=filter_lookup.resolve_values, is_conjunctive=True, is_paired=True, actions=_WITH_VALUES_BEFORE),
    Filter("became", "Value after", "COLUMN=VALUE", "With this value of the column after; also of a created row.",
           "balance=12.5", filter_values.column_value, value_predicates.became, archive_value_predicates.became,
           Field(placeholder="e.g. status=closed", is_advanced=True), repeatable=True,
           resolve=filter_lookup.resolve_values, is_conjunctive=True, is_paired=True, actions=_WITH_VALUES_AFTER),
    Filter("ip", "IP address", "ADDRESS", "From this address or network, such as 203.0.113.0/24.",
           "203.0.113.0/24", filter_values.network, predicates.network, archive_predicates.network,
           Field(placeholder="e.g. 203.0.113.0/24", is_advanced=True)),
    Filter("xact", "Transaction", "NUMBER", "Made by this transaction; NUMBER@EVENT for the one that wrote an event, "
           "where a restored log has transactions of several clusters.",
           "700", filter_values.xact, predicates.xact, archive_predicates.xact,
           Field(is_numeric=True, is_advanced=True),
           resolve=filter_lookup.resolve_transactions),
    Filter("reason", "Reason", "TEXT", "With this text in its reason, in upper or lower case.",
           "ticket 47", filter_values.Reason, value_predicates.reason, archive_value_predicates.reason,
           Field(placeholder="e.g. ticket 4711", is_advanced=True), resolve=filter_lookup.resolve_reasons),
    Filter("context", "Context", "KEY=VALUE",
           "With this in its context, such as request_id=4f2a. Of several keys all have to match, of one any value.",
           "request_id=4f2a", filter_values.pair, value_predicates.context, archive_value_predicates.context,
           Field(placeholder="e.g. request_id=4f2a", is_advanced=True), repeatable=True, is_conjunctive=True,
           is_paired=True),
)  # fmt: skip
"""Every filter; the order of options and documentation. Targets are resolved before columns, which need them."""

BY_NAME = {row.name: row for row in FILTERS}
