"""Signed notes and their keys, as C2SP specifies them: signed-note and tlog-cosignature.

Reads strictly: a note or a key that is not exactly what would be written for the same content is refused, so that no
bit of it can change unnoticed. Knows no file and no database.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from auditctl.errors import UsageError
from auditctl.evidence.algorithms import ED25519_KEY_BYTES, ML_DSA_KEY_BYTES, SEED_BYTES, Ed25519, MlDsa44, new_seed
from auditctl.evidence.checkpoint import Checkpoint, EvidenceError, decode, encode
from auditctl.text import in_quotes

__all__ = ["Checkpoint", "EvidenceError", "Signer", "Verifier", "decode", "encode", "sign", "signatures", "verify"]

ED25519 = 0x01
"""The type of a log's own signature."""

COSIGNATURE = 0x04
"""The type of a witness's signature with Ed25519 and a time."""

ML_DSA = 0x06
"""The type of a signature with ML-DSA-44 and a time, of the log itself or of a witness."""

_PRIVATE = "PRIVATE+KEY+"
_KEY_BYTES = {ED25519: ED25519_KEY_BYTES, COSIGNATURE: ED25519_KEY_BYTES, ML_DSA: ML_DSA_KEY_BYTES}
_MAX_BYTES = 1 << 20
_SIGNATURE = re.compile(r"— (\S+) (\S+)")
_NAME = re.compile(r"[^\s+]+")


def is_key_name(name: str) -> bool:
    """Whether a name may be that of a key: not empty, without spaces, control characters and plus."""
    return _NAME.fullmatch(name) is not None and name.isprintable()


def _key_id(name: str, key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + key).digest()[:4]


def _message(kind: int, name: str, text: str, timestamp: int) -> bytes:
    """What is signed: the text itself, or the statement of a cosigner about the checkpoint."""
    if kind == ED25519:
        return text.encode()
    if kind == COSIGNATURE:
        return f"cosignature/v1\ntime {timestamp}\n{text}".encode()
    checkpoint = Checkpoint.parse(text)
    cosigner, origin = name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\0",
            len(cosigner).to_bytes(1, "big") + cosigner,
            timestamp.to_bytes(8, "big"),
            len(origin).to_bytes(1, "big") + origin,
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key.

    Attributes:
        name: The name of the key: for a log, its origin.
        kind: The type of its signatures.
        key: The public key.
    """

    name: str
    kind: int
    key: bytes

    @property
    def id(self) -> bytes:
        """The first 4 bytes of the hash of name and key, by which a signature names its key."""
        return _key_id(self.name, bytes((self.kind,)) + self.key)

    @property
    def label(self) -> str:
        """The name and the id, which tell people which key it is."""
        return f"{self.name}+{self.id.hex()}"

    def __str__(self) -> str:
        return f"{self.label}+{encode(bytes((self.kind,)) + self.key)}"

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Parse a public key as `str(verifier)` returns it (C2SP: vkey).

        Raises:
            UsageError: It is not a public key, or of a type that is not known.
        """
        name, _, rest = text.strip().partition("+")
        digits, _, encoded = rest.partition("+")
        try:
            key = decode(encoded)
        except ValueError:
            key = b""
        if is_key_name(name) and key and _KEY_BYTES.get(key[0]) == len(key) - 1 and _key_id(name, key).hex() == digits:
            return cls(name, key[0], key[1:])
        if text.strip().startswith(_PRIVATE):
            raise UsageError("this is a private key, not a public key", hint="Pass FILE.pub, and keep FILE secret.")
        raise UsageError(f"{in_quotes(text)} is not a public key", hint="Pass the file FILE.pub that keygen wrote.")

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether a signature of a note's text is that of this key."""
        timestamp = 0
        if self.kind != ED25519:
            timestamp, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        try:
            message = _message(self.kind, self.name, text, timestamp)
        except EvidenceError:
            return False
        return (MlDsa44 if self.kind == ML_DSA else Ed25519).verify(self.key, signature, message)


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """A private key.

    Attributes:
        verifier: Its public key.
        seed: The secret, 32 bytes.
    """

    verifier: Verifier
    seed: bytes

    @classmethod
    def generate(cls, name: str, kind: int = ED25519) -> Signer:
        """Return a new key.

        Args:
            name: The name of the key.
            kind: `ED25519` or `ML_DSA`.

        Raises:
            UsageError: The name may not be that of a key.
            MissingLibrary: The library for its signatures is not installed.
        """
        return cls._of(name, kind, new_seed())

    @classmethod
    def _of(cls, name: str, kind: int, seed: bytes) -> Signer:
        if not is_key_name(name) or len(name.encode()) > 255:
            raise UsageError(f"{in_quotes(name)} is not a valid name of a key", hint="Leave out spaces and plus.")
        algorithm = MlDsa44 if kind == ML_DSA else Ed25519
        return cls(Verifier(name, kind, algorithm.public_key(seed)), seed)

    def __str__(self) -> str:
        return f"{_PRIVATE}{self.verifier.label}+{encode(bytes((self.verifier.kind,)) + self.seed)}"

    @classmethod
    def parse(cls, text: str) -> Signer:
        """Parse a private key as `str(signer)` returns it.

        Raises:
            UsageError: It is not a private key; the message does not repeat it.
            MissingLibrary: The library for its signatures is not installed.
        """
        parts = text.strip().split("+", 4)
        if len(parts) == 5 and parts[:2] == ["PRIVATE", "KEY"]:
            try:
                key = decode(parts[4])
            except ValueError:
                key = b""
            if len(key) == SEED_BYTES + 1 and key[0] in (ED25519, ML_DSA) and is_key_name(parts[2]):
                signer = cls._of(parts[2], key[0], key[1:])
                if signer.verifier.id.hex() == parts[3]:
                    return signer
        raise UsageError("the text is not a private key", hint="Pass the file that keygen wrote.")

    def sign(self, text: str, timestamp: int) -> str:
        """Return the line of a signature; the time is seconds since 1970, of a signature that has one."""
        kind, name = self.verifier.kind, self.verifier.name
        message = _message(kind, name, text, timestamp)
        if kind == ML_DSA:
            signature = timestamp.to_bytes(8, "big") + MlDsa44.sign(self.seed, message)
        else:
            signature = Ed25519.sign(self.seed, message)
        return f"— {name} {encode(self.verifier.id + signature)}\n"


def sign(text: str, signers: Iterable[Signer], timestamp: int | None = None) -> str:
    """Return the note: a text and a signature of each key.

    Args:
        text: What is signed; ends with a newline.
        signers: The keys.
        timestamp: The time of signatures that have one, in seconds since 1970; None for now.
    """
    now = int(time.time()) if timestamp is None else timestamp
    return "".join([text, "\n", *(signer.sign(text, now) for signer in signers)])


def signatures(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the text of a note, and each signature as the name of its key, and key id and signature.

    Raises:
        EvidenceError: It is not a note.
    """
    text, separator, block = note.rpartition("\n\n")
    lines = block.split("\n")
    has_control = any(character < " " and character != "\n" for character in note)
    if separator and text and len(note) <= _MAX_BYTES and not has_control and len(lines) > 1 and lines.pop() == "":
        found = [match for line in lines if (match := _SIGNATURE.fullmatch(line)) and is_key_name(match[1])]
        try:
            decoded = [(match[1], decode(match[2])) for match in found]
        except ValueError:
            decoded = []
        if len(decoded) == len(lines) and all(len(signature) > 4 for _, signature in decoded):
            return f"{text}\n", decoded
    raise EvidenceError("the text is not a signed note", hint="Pass the whole file, as auditctl wrote it.")


def verify(note: str, verifiers: Sequence[Verifier]) -> tuple[str, tuple[str, ...]]:
    """Return the text of a note, and the labels of the keys whose signatures it bears, in the order of the keys.

    Args:
        note: The note.
        verifiers: The keys that are trusted; signatures of others are ignored.

    Raises:
        EvidenceError: It is not a note, a signature of a known key is wrong, or it has none of a known key.
        MissingLibrary: The library for a signature is not installed.
    """
    text, found = signatures(note)
    signed = []
    for verifier in verifiers:
        for name, signature in found:
            if name == verifier.name and signature[:4] == verifier.id:
                if not verifier.verify(text, signature[4:]):
                    raise EvidenceError(
                        f"the signature of the key {verifier.label} is wrong",
                        hint="The text was altered after it was signed. Compare it with a copy from elsewhere.",
                    )
                signed.append(verifier.label)
    if not signed:
        by = ", ".join(sorted({f"{name}+{signature[:4].hex()}" for name, signature in found}))
        raise EvidenceError(
            f"no trusted key signed the checkpoint, but {by}",
            hint="Pass the public keys of that log: the file FILE.pub beside the key that seals it.",
        )
    return text, tuple(dict.fromkeys(signed))
