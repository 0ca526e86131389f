"""Decides whose signatures count at each place of the log: a record may change the key."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace

from auditctl.errors import UsageError
from auditctl.evidence.blocks import Block
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.findings import Finding, Report
from auditctl.evidence.note import Verifier
from auditctl.evidence.policy import NONE, Policy
from auditctl.text import in_quotes

_Problem = tuple[int, str, str]


@dataclass(slots=True)
class TrustedKeys:
    """The keys that count, from block to block.

    A key that was changed no longer counts after the block that changes it. Trust in a later key covers what it signed:
    the whole tree. What cannot be checked before that key is a note.

    Attributes:
        given: The keys that the verifier trusts; None if no key was given.
        report: What is found.
        current: The keys that count after the blocks so far.
    """

    given: Policy | None
    report: Report
    current: Policy | None = None
    _former: list[tuple[int, Policy]] = field(default_factory=list)
    _problems: list[_Problem] = field(default_factory=list)
    _changed_in: int = 0
    _changed_at: int = 0
    _witnessed: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        self.current = self.given.without_witnesses() if self.given is not None else None

    def change(self, block: Block, note: str) -> None:
        """Follow the change of the key that a record may have; `note` is the checkpoint of its block, or empty."""
        if "key" not in block.facts or block.number == 1 or self.given is None or self.current is None:
            return
        try:
            keys = tuple(Verifier.parse(text) for text in block.facts["key"])
        except (UsageError, TypeError, AttributeError):
            keys = ()
        known = tuple(log for log in self.given.logs if set(log) <= set(keys))
        lost = block.facts.get("lost_key")
        reason = lost.get("reason") if isinstance(lost, dict) else None
        if known or (keys and self.problem(note, block.end) is None):
            self._former.append((block.end, self.current))
            self.current = replace(self.current, logs=known or (keys,))
            self._changed_in, self._changed_at = block.number, block.end
            how = f" as the one before was lost: {reason}" if reason else ""
            self.report.note(f"block {block.number} changes the key to {', '.join(key.label for key in keys)}{how}")
        else:
            how = f"replaces a lost one: {reason}" if reason else "no trusted key confirmed"
            sentence = f"from block {block.number} on another key signs, which {how}"
            self._problems.append((block.number, sentence, f"{sentence}; a trusted key has signed since"))

    def problem(self, note: str, size: int) -> str | None:
        """Return why the signatures of a checkpoint of so many leaves do not count; None if they do."""
        if self.current is None:
            return None
        policies = [self.current, *(policy for end, policy in self._former if size <= end)]
        problems = []
        for policy in policies:
            try:
                policy.check(note)
            except EvidenceError as error:
                problems.append(str(error))
            else:
                return None
        return problems[0]

    def check(self, block: Block, note: str) -> None:
        """Check the signatures of the checkpoint of the newest block so far."""
        if problem := self.problem(note, block.end):
            older = "checkpoints before block {} bear the key that was replaced"
            self._problems.append((block.number, f"the checkpoint of block {block.number}: {problem}", older))

    def witness(self, note: str, size: int, number: int) -> None:
        """Remember the largest tree that as many witnesses signed as the quorum demands, and the block that ends it."""
        if self.given is None or self.current is None or self.given.quorum == NONE:
            return
        for policy in (self.current, *(policy for end, policy in self._former if size <= end)):
            with suppress(EvidenceError):
                replace(policy, quorum=self.given.quorum).check(note)
                self._witnessed = max(self._witnessed, (size, number))

    def is_older(self, size: int) -> bool:
        """Whether a tree of so many leaves is one from before the last change of the key."""
        return size < self._changed_at

    def _check_quorum(self, size: int) -> None:
        if self.given is None or self.given.quorum == NONE:
            return
        witnessed, number = self._witnessed
        if not witnessed:
            quorum = in_quotes(self.given.quorum)
            self.report.add(
                Finding("signature", f"not enough witnesses signed any checkpoint of the log: the quorum is {quorum}")
            )
        elif witnessed < size:
            self.report.note(
                f"witnesses signed the tree of {witnessed} leaves (block {number}), "
                f"not the {size - witnessed} sealed since"
            )

    def finish(self, size: int) -> None:
        """Report what does not count: as a note, where a trusted key has signed the tree since.

        Args:
            size: How many leaves the log has.
        """
        self._check_quorum(size)
        for number, sentence, older in self._problems:
            if number < self._changed_in:
                self.report.note(older.format(self._changed_in))
            else:
                self.report.add(Finding("signature", sentence, block=number))
