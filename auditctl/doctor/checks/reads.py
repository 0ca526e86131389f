"""The checks of reading: whose reads leave no event, and where row security is not what it seems."""

from __future__ import annotations

from collections.abc import Sequence

from auditctl.actions import Action
from auditctl.capture.plan import ChangeKind
from auditctl.doctor.checks.log import as_owner
from auditctl.doctor.model import Check, Coverage, ResultRow, Right, Severity


def silent_reads(coverage: Coverage) -> Sequence[ResultRow]:
    """Return the relations whose policies are there and without effect."""
    return [
        {"object": change.relation, "reason": change.reason}
        for change in coverage.plan.pending
        if change.action is Action.READ and change.kind is ChangeKind.ENABLE
    ]


READS = (
    Check(
        "read_silent",
        Severity.CRITICAL,
        "a table whose reads should be recorded, with row security off or not forced",
        "Reads of {object} leave no event, or those by its owner: {reason}",
        "auditctl apply --yes",
        find=silent_reads,
        may_be_accepted=False,
        needs=Right.CONFIGURATION,
    ),
    Check(
        "log_key_open",
        Severity.CRITICAL,
        "a policy on the secrets that tell recorded reads from forged ones",
        "A login that may select from auditctl.log_key can forge reads and hide its own: the policy {policy} shows it.",
        as_owner("drop policy {policy} on auditctl.log_key;"),
        may_be_accepted=False,
        needs=Right.INSTALLER,
    ),
    Check(
        "read_bypass",
        Severity.NOTICE,
        "a login whose reads are not recorded because row security does not hold it",
        "{object} reads {relations} without leaving an event: row security does not hold {kind}.",
        "alter role {role} {without};",
        needs=Right.SUPERUSER,
    ),
    Check(
        "read_owner",
        Severity.NOTICE,
        "an owner whose reads are not recorded",
        "{owner}, who owns {object}, reads it without leaving an event.",
        "Enable the table again with --read-force, or give it to another role: alter table {relation} owner to ROLE",
        needs=Right.SUPERUSER,
    ),
    Check(
        "read_open",
        Severity.WARNING,
        "a table with policies of its own that have no effect, because row security is on for reads alone",
        "The policies {policies} of {object} hide nothing: the policy auditctl_open lets every row through.",
        "drop policy auditctl_open on {relation};",
        needs=Right.OWNER,
    ),
)
"""Every check of reading, in the order of the reference."""
