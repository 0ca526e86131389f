"""The checks of upkeep: what is not done, and what will be deleted unless somebody objects."""

from __future__ import annotations

from auditctl.doctor import archives
from auditctl.doctor.checks.log import MAINTAIN, as_owner
from auditctl.doctor.model import Check, Right, Severity

RETENTION = (
    Check(
        "statement_unguarded",
        Severity.WARNING,
        "what was stated about keeping events, a hold or a key change, without the guard against rewriting",
        "What {relation} says can be rewritten and back-dated, and may have been: its guard is missing or off.",
        as_owner("{repairs}"),
        needs=Right.INSTALLER,
    ),
    Check(
        "move_unfinished",
        Severity.WARNING,
        "events that are being moved out of the DEFAULT partition for more than an hour",
        "Each event of the DEFAULT partition is written twice since {since}: maintain was stopped while it moved them.",
        MAINTAIN,
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "maintain_late",
        Severity.WARNING,
        "upkeep that did not run for 35 days although retention is configured",
        "Nothing was deleted {since}, although retention is configured: maintain does not run.",
        MAINTAIN,
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "retention_overdue",
        Severity.WARNING,
        "a month with events whose time is over, two days after maintain last ran",
        "{partition} holds events that should have been deleted.",
        MAINTAIN,
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "retention_shortened",
        Severity.NOTICE,
        "a shorter time to keep events, or a release of a hold, that is not in force yet",
        "Events of {what} may be deleted {day}: {reason}.",
        "{undo};",
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "hold_empty",
        Severity.WARNING,
        "a hold that keeps no event, such as one with a mistyped key",
        "The log has no event of {target}, which is held for {reason}: what was to be held may be under another name "
        "or key, and be deleted.",
        "auditctl hold release {hold} --reason 'keeps no event'",
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "hold_old",
        Severity.NOTICE,
        "a hold that is older than a year",
        "The events of {target} are held since {since}, for {reason}.",
        "auditctl hold release {hold} --reason 'no longer needed'",
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "archive_late",
        Severity.NOTICE,
        "a month that the file has archived, and that is not 35 days after it could be",
        "The file has months archived{where}, but {months} are not: archive does not run.",
        "auditctl archive",
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "archive_expired",
        Severity.WARNING,
        "files of an archived month that are there two days after all its events have expired",
        "The files of {month} in {location} should have been deleted: maintain does not run where they can be reached, "
        "or they are not what was written.",
        MAINTAIN,
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "archive_broken",
        Severity.CRITICAL,
        "an archived month whose files are missing, altered or unreadable; a warning while the log still has it",
        "Events of {month} may be lost or changed: {problem}.",
        "Restore the files of {month} from a copy of the archive.",
        needs=Right.NOBODY,
        examine=archives.broken,
        may_be_accepted=False,
    ),
    Check(
        "consumer_behind",
        Severity.WARNING,
        "a consumer of follow that has not read for a day, or whose login is gone",
        "What is deleted when its time is over may be lost to the consumer of {owner}: {reason}.",
        "auditctl follow --drop={name}",
        needs=Right.ADMINISTRATOR,
    ),
)
"""Every check of upkeep, in the order of the reference."""
