"""Checkpoints as C2SP specifies them (tlog-checkpoint): a tree's size and root, under the name of the log."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from auditctl.errors import AuditctlError

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class EvidenceError(AuditctlError):
    """The evidence does not hold."""

    exit_code = 3

    def __init__(self, message: str | None = None, *, hint: str = "") -> None:
        super().__init__(
            message, hint=hint or "Get it anew from where it was written. If it is the same, it was altered."
        )


def decode(text: str) -> bytes:
    """Return the bytes that a text in base64 stands for.

    Raises:
        ValueError: It is not what `encode` returns for them.
    """
    data = b64decode(text, validate=True)
    if encode(data) != text:
        raise ValueError("not in the canonical form of base64")
    return data


def encode(data: bytes) -> str:
    """Return the base64 of bytes."""
    return b64encode(data).decode("ascii")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree's size and root, under the name of the log.

    Attributes:
        origin: The name of the log, which its key bears.
        size: How many leaves the tree has.
        root: The root hash, 32 bytes.
        extensions: Further lines; auditctl writes none.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in (self.origin, self.size, encode(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Parse what `str(checkpoint)` returns, and nothing else.

        Raises:
            EvidenceError: It is not a checkpoint.
        """
        lines = text.split("\n")
        if len(lines) >= 4 and lines[-1] == "" and all(lines[:-1]) and _NUMBER.fullmatch(lines[1]):
            try:
                root = decode(lines[2])
            except ValueError:
                root = b""
            if len(root) == 32:
                return cls(lines[0], int(lines[1]), root, tuple(lines[3:-1]))
        raise EvidenceError(
            "the text of the note is not a checkpoint", hint="Pass a file that auditctl checkpoint wrote, or seal."
        )
