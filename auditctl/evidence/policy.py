"""Which keys count: a policy as C2SP specifies it (tlog-policy), or a file of public keys.

A checkpoint is valid if one of the logs signed it, and as many witnesses as the quorum demands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from auditctl.errors import UsageError
from auditctl.evidence.note import COSIGNATURE, ED25519, ML_DSA, Checkpoint, EvidenceError, Verifier, verify
from auditctl.text import in_quotes

NONE = "none"
"""The quorum that demands no witness."""

_SPACES = re.compile(r"[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MEMBERS = {"log": (1, 2), "witness": (2, 3), "quorum": (1, 1)}


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses and groups of which so many must have signed.

    Attributes:
        threshold: How many.
        members: Their names.
    """

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The keys that count.

    Attributes:
        logs: The keys of logs: of each entry, all keys must have signed.
        witnesses: The keys of witnesses, by their names in the policy.
        groups: The groups, by their names.
        quorum: The witness or group that must have signed, or `NONE`.
    """

    logs: tuple[tuple[Verifier, ...], ...]
    witnesses: Mapping[str, Verifier]
    groups: Mapping[str, Group]
    quorum: str

    def check(self, note: str) -> tuple[Checkpoint, tuple[str, ...]]:
        """Return the checkpoint of a note, and the labels of the keys that signed it.

        Raises:
            EvidenceError: The note is not valid by this policy.
            MissingLibrary: The library for a signature is not installed.
        """
        keys = [key for log in self.logs for key in log]
        text, signed = verify(note, [*keys, *self.witnesses.values()])
        checkpoint = Checkpoint.parse(text)
        if not any(all(key.name == checkpoint.origin and key.label in signed for key in log) for log in self.logs):
            raise EvidenceError(
                f"the key of the log {in_quotes(checkpoint.origin)} did not sign the checkpoint wholly",
                hint="Pass the public keys of that log: the file FILE.pub beside the key that seals it.",
            )
        if self.quorum != NONE and not self._has_signed(self.quorum, frozenset(signed)):
            raise EvidenceError(
                f"not enough witnesses signed the checkpoint: the quorum is {in_quotes(self.quorum)}",
                hint="Pass a checkpoint that the witnesses of the policy have signed.",
            )
        return checkpoint, signed

    def without_witnesses(self) -> Policy:
        """Return the policy without its quorum, to see whether the log itself signed."""
        return replace(self, quorum=NONE)

    def _has_signed(self, name: str, signed: frozenset[str]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name].label in signed
        group = self.groups[name]
        return sum(self._has_signed(member, signed) for member in group.members) >= group.threshold


def from_keys(keys: Iterable[Verifier]) -> Policy:
    """Return the policy that all of these keys must have signed, as those of one log, without witnesses."""
    return Policy((tuple(dict.fromkeys(keys)),), {}, {}, NONE)


def parse_keys(text: str) -> Policy:
    """Return the policy of a file of public keys, one a line; empty lines and comments (`#`) are skipped.

    Raises:
        UsageError: A line is not a public key of a log, or the text has none.
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [Verifier.parse(line) for line in lines if line and not line.startswith("#")]
    if not keys or any(key.kind == COSIGNATURE for key in keys):
        raise UsageError("the file has no public key of a log", hint="Pass the file FILE.pub that keygen wrote.")
    return from_keys(keys)


class _Builder:
    def __init__(self) -> None:
        self.logs: list[Verifier] = []
        self.witnesses: dict[str, Verifier] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self._members: set[str] = set()

    def add(self, words: list[str]) -> None:
        """Add a line of the policy; raises ValueError with what is wrong."""
        keyword, *rest = words
        if keyword == "group":
            self._add_group(rest)
            return
        fewest, most = _MEMBERS.get(keyword, (0, -1))
        if not fewest <= len(rest) <= most:
            raise ValueError("not a line of a policy")
        if keyword == "log":
            self._add_key(rest[0], (ED25519, ML_DSA), [*self.logs])
            self.logs.append(Verifier.parse(rest[0]))
        elif keyword == "witness":
            self._require_new(rest[0])
            self._add_key(rest[1], (COSIGNATURE, ML_DSA), [*self.witnesses.values()])
            self.witnesses[rest[0]] = Verifier.parse(rest[1])
        else:
            self._add_quorum(rest[0])

    def _add_quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise ValueError("there is a quorum already")
        if name != NONE:
            self._require_known(name)
        self.quorum = name

    def _add_group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise ValueError("a group has a name, a threshold and members")
        name, threshold, *members = words
        self._require_new(name)
        for member in members:
            self._require_known(member)
            if member in self._members:
                raise ValueError(f"{in_quotes(member)} is the member of a group already")
            self._members.add(member)
        needed = {"all": str(len(members)), "any": "1"}.get(threshold, threshold)
        if not re.fullmatch(r"[1-9][0-9]{0,5}", needed, re.ASCII) or int(needed) > len(members):
            raise ValueError(f"{in_quotes(threshold)} is not a valid threshold")
        self.groups[name] = Group(int(needed), tuple(members))

    def _require_new(self, name: str) -> None:
        if name == NONE or name in self.witnesses or name in self.groups:
            raise ValueError(f"the name {in_quotes(name)} is taken")

    def _require_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise ValueError(f"{in_quotes(name)} is not a witness or group of a line above")

    @staticmethod
    def _add_key(text: str, kinds: tuple[int, ...], others: list[Verifier]) -> None:
        key = Verifier.parse(text)
        if key.kind not in kinds:
            raise ValueError("the key is of a type that does not belong here")
        if key.key in (other.key for other in others):
            raise ValueError("the key is there already")


def _require_printable(line: str) -> None:
    if _CONTROL.search(line):
        raise ValueError("a control character")


def parse(text: str) -> Policy:
    """Parse a policy.

    Raises:
        UsageError: It is not a policy; the message names the line.
    """
    builder = _Builder()
    for number, line in enumerate(text.split("\n"), 1):
        words = [word for word in _SPACES.split(line) if word]
        try:
            _require_printable(line)
            if words and not words[0].startswith("#"):
                builder.add(words)
        except ValueError as error:
            raise UsageError(f"line {number} of the policy: {error}") from error
        except UsageError as error:
            raise UsageError(f"line {number} of the policy: {error}", hint=error.hint) from error
    if builder.quorum is None:
        raise UsageError("the policy has no quorum", hint="Add a line: quorum none")
    return Policy(tuple((log,) for log in builder.logs), builder.witnesses, builder.groups, builder.quorum)
