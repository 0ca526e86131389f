"""The checks of evidence: whether a log that is sealed is still sealed, anchored and verified. Sealing is optional."""

from __future__ import annotations

from auditctl.doctor.model import Check, Right, Severity

EVIDENCE = (
    Check(
        "seal_late",
        Severity.WARNING,
        "a log that was sealed, but not in the last 7 days",
        "Events since then can be altered without a trace in the evidence: the log was last sealed {since}.",
        "auditctl seal --key FILE",
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "anchor_late",
        Severity.NOTICE,
        "a sealed log without an anchor in the last 35 days",
        "Who can change the database and has the key can seal another history: its checkpoints were last copied to "
        "another place {since}.",
        "auditctl checkpoint --output PATH",
        needs=Right.ADMINISTRATOR,
    ),
    Check(
        "verify_late",
        Severity.NOTICE,
        "a sealed log that was not verified in the last 35 days",
        "Nobody would know that it was altered: the log was last verified {since}.",
        "auditctl verify --public-key FILE",
        needs=Right.ADMINISTRATOR,
    ),
)
"""Every check of evidence, in the order of the reference: none concerns a log that was never sealed."""
