"""Sets findings apart that somebody accepted, and says what cannot be accepted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from auditctl.capture.accepted import Acceptance
from auditctl.doctor.model import Finding
from auditctl.doctor.registry import CHECKS
from auditctl.text import did_you_mean

_CHECKS = {check.name: check for check in CHECKS}


@dataclass(frozen=True, slots=True)
class AcceptedFinding:
    """A finding that is not counted.

    Attributes:
        finding: The finding.
        acceptance: By whom, why and until when.
    """

    finding: Finding
    acceptance: Acceptance


def problems(accepted: Iterable[Acceptance]) -> Iterator[str]:
    """Yield what is wrong with what a file accepts, each with its place: unknown checks, and altered capture."""
    for one in accepted:
        check = _CHECKS.get(one.check)
        if check is None and one.check:
            advice = did_you_mean(one.check, tuple(_CHECKS), before="; did you mean ")
            yield f"{one.origin}.check: unknown check {one.check}{advice or '; auditctl doctor --help lists all'}"
        elif check is not None and not check.may_be_accepted:
            why = "events may be missing or wrong until it is repaired"
            yield f"{one.origin}.check: {one.check} cannot be accepted: {why}"


def split(
    findings: Sequence[Finding], accepted: Iterable[Acceptance], today: date
) -> tuple[tuple[Finding, ...], tuple[AcceptedFinding, ...]]:
    """Return the findings that count, and those that are accepted on a day, both in their order.

    Args:
        findings: The findings.
        accepted: What is accepted; what nothing matches, or nobody may accept, has no effect.
        today: The day.
    """
    valid = [
        one
        for one in accepted
        if (one.until is None or today < one.until) and one.check in _CHECKS and _CHECKS[one.check].may_be_accepted
    ]
    counted, apart = [], []
    for finding in findings:
        matching = [one for one in valid if one.matches(finding.check, finding.object)]
        # The reason for exactly this object says more than that for a glob.
        chosen = next((one for one in matching if one.object == finding.object), next(iter(matching), None))
        if chosen is None:
            counted.append(finding)
        else:
            apart.append(AcceptedFinding(finding, chosen))
    return tuple(counted), tuple(apart)
