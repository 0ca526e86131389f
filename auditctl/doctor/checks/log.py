"""The checks of the log itself: what may change it, or keep events out of it."""

from __future__ import annotations

from auditctl.doctor.model import Check, Right, Severity

MAINTAIN = "auditctl maintain"


def as_owner(statements: str) -> str:
    """Return the statements as auditctl_owner runs them, for a superuser and the login that installed alike."""
    return f"set role auditctl_owner; {statements} reset role;"


PLACE = Check(
    "place",
    Severity.CRITICAL,
    "a store that is not where it was installed",
    "Capture, the guard and the log's roles may not fit this database: the store {phrase}; no other check was made.",
    "auditctl adopt",
    may_be_accepted=False,
    needs=Right.INSTALLER,
)

LOG = (
    Check(
        "default_privileges",
        Severity.WARNING,
        "privileges that others get on what auditctl_owner creates",
        "The next {kind} of the store will be open to {who}: it has default privileges on them.",
        "alter default privileges for role auditctl_owner{place} revoke all on {kind} from {grantee} cascade;",
        needs=Right.OWNER,
    ),
    Check(
        "store_code",
        Severity.CRITICAL,
        "code in the store that is not this version's",
        "{object} is not what this version creates: somebody may have changed what is recorded, or run code in the "
        "sessions of others, which is why auditctl runs nothing as a superuser until it is repaired.",
        "auditctl install",
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "actor_sources",
        Severity.WARNING,
        "other settings that name the actor than auditctl.actor_source lists",
        "Somebody changed {object} or auditctl.actor_source: the log may name whom an unknown setting names.",
        "auditctl install",
        needs=Right.INSTALLER,
    ),
    Check(
        "owner_changed",
        Severity.CRITICAL,
        "a part of the store that does not belong to auditctl_owner",
        "{owner} owns the {kind} {name}, and can change what it does and holds.",
        "alter {kind} {name} owner to auditctl_owner;",
        may_be_accepted=False,
        needs=Right.SUPERUSER,
    ),
    Check(
        "log_trigger",
        Severity.CRITICAL,
        "a trigger of others on a table of the store",
        "Events may be changed or swallowed as they are written: the trigger {trigger} on {relation} is not "
        "auditctl's.",
        as_owner("drop trigger if exists {trigger} on {relation};"),
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "log_rule",
        Severity.CRITICAL,
        "a rewrite rule on a table of the store",
        "Events may be changed or swallowed as they are written: the rule {rule} on {relation} is not auditctl's.",
        as_owner("drop rule {rule} on {relation};"),
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "write_once",
        Severity.CRITICAL,
        "the log or a partition of it without its write-once guard",
        "Events in {relation} can be changed and removed, and may have been: its write-once guard is missing or off.",
        as_owner("{drops}select auditctl_internal.guard_partition({literal});"),
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "rule_unrecorded",
        Severity.WARNING,
        "changes of rules, event types, retention or holds that are not recorded",
        "What {object} says can be changed without an event: the trigger that records it is missing or off.",
        as_owner("{creates}alter table {object} enable always trigger {trigger};"),
        needs=Right.INSTALLER,
    ),
    Check(
        "log_month_gone",
        Severity.CRITICAL,
        "a month of the log that is gone, was gone, or lacks events, without having expired",
        "Events of {month} are missing, unless a backup has them: {object} {state}, and no upkeep announced it.",
        as_owner("select auditctl_internal.accept_month({literal}, 'the loss is known');"),
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "log_default_gone",
        Severity.CRITICAL,
        "a log without its DEFAULT partition",
        "Events may be missing, and writes to audited tables fail once no partition fits: {object} is not part of the "
        "log.",
        as_owner(
            "create table auditctl.event_default partition of auditctl.event default; "
            "select auditctl_internal.guard_partition('auditctl.event_default');"
        ),
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "log_detached",
        Severity.CRITICAL,
        "a month of the log that was detached",
        "The events in {relation} are missing from the log: the table was detached from it.",
        as_owner(
            "alter table auditctl.event attach partition {relation} for values from ({lower}) to ({upper}); "
            "select auditctl_internal.guard_partition({literal});"
        ),
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "log_default_rows",
        Severity.WARNING,
        "events in the DEFAULT partition",
        "Events of {months} were written while those months had no partition, and none can be made until they are "
        "moved.",
        MAINTAIN,
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "log_months",
        Severity.WARNING,
        "a month from this one to three ahead that has no partition",
        "Events of {month} will be written to the DEFAULT partition, and have to be moved later.",
        MAINTAIN,
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "log_writable",
        Severity.WARNING,
        "a privilege on a table or sequence of the store that only auditctl_owner needs",
        "{relation} is open to {who}, by these privileges: {privileges}.",
        as_owner("revoke {privileges} on {kind} {relation} from {grantee} cascade;"),
        needs=Right.INSTALLER,
    ),
    Check(
        "schema_writable",
        Severity.WARNING,
        "a privilege on a schema of the store by which others could put code there, or use what is there",
        "{who} has the privilege {privileges} on schema {schema}, and could use what capture uses, or take its place.",
        as_owner("revoke {privileges} on schema {schema} from {grantee} cascade;"),
        needs=Right.INSTALLER,
    ),
    Check(
        "log_row_security",
        Severity.WARNING,
        "a table of the store without row security",
        "A member of pg_write_all_data can write to {relation}: its row security is off.",
        as_owner("alter table {relation} enable row level security;"),
        needs=Right.INSTALLER,
    ),
    Check(
        "log_subscribed",
        Severity.WARNING,
        "a log that is replicated from another server, where it is written here as well",
        "Logical replication mixes two logs: {problem}.",
        "auditctl disable {object}",
        needs=Right.CONFIGURATION,
    ),
    Check(
        "log_hidden",
        Severity.CRITICAL,
        "a table of the store with rows that readers do not see, and that their dumps lack",
        "Readers of {relation}, and dumps by logins that row security holds, may miss rows without an error: {reason}.",
        as_owner("select auditctl_internal.open_store_to_dumps();"),
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "log_policy",
        Severity.WARNING,
        "a policy on a table of the store that lets somebody write",
        "A member of pg_write_all_data can write to {relation}: the policy {policy} allows it.",
        as_owner("drop policy {policy} on {relation};"),
        needs=Right.INSTALLER,
    ),
)
"""Every check of the log, in the order of the reference: before install creates anything, nobody else may get it."""
