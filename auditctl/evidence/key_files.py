"""Files of keys: the private keys of the sealer, and beside them the public keys for those who verify.

Private keys are in no database. A file has one key a line: Ed25519, and ML-DSA-44 if it was chosen.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auditctl.errors import OutputError, UsageError
from auditctl.evidence.algorithms import MissingLibrary
from auditctl.evidence.note import ED25519, ML_DSA, Signer, Verifier

PUBLIC_SUFFIX = ".pub"
"""What the name of the file of public keys ends with."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The private keys of a log.

    Attributes:
        path: The file.
        signers: The keys: Ed25519 first. All bear the name of the log.
    """

    path: Path
    signers: tuple[Signer, ...]

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self.signers[0].verifier.name

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """The public keys."""
        return tuple(signer.verifier for signer in self.signers)


def create(path: Path, origin: str, *, with_ml_dsa: bool = False) -> KeyFile:
    """Create a file of new keys that only its owner may read, and the file of its public keys.

    Args:
        path: The file; PATH.pub gets the public keys.
        origin: The name of the log.
        with_ml_dsa: Whether to add a key for ML-DSA-44.

    Raises:
        UsageError: One of the files exists or cannot be written, or the name is not valid.
        OutputError: A file cannot be completed.
        MissingLibrary: The library for the signatures is not installed.
    """
    signers = tuple(Signer.generate(origin, kind) for kind in (ED25519, *([ML_DSA] if with_ml_dsa else [])))
    key_file = KeyFile(path, signers)
    public = Path(f"{path}{PUBLIC_SUFFIX}")
    for one in (path, public):
        if os.path.lexists(one):
            raise UsageError(f"{one} exists", hint="Name another file: a key that is overwritten is lost.")
    _write_new(path, signers, 0o600)
    try:
        _write_new(public, key_file.verifiers, 0o644)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return key_file


def _write_new(path: Path, lines: Sequence[object], mode: int) -> None:
    text = "".join(f"{line}\n" for line in lines)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", hint="Name a file in a folder you may write to."
        ) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OutputError(f"cannot write {path}: {error.strerror}", hint="Free some space.") from error
        raise


def read(path: Path) -> KeyFile:
    """Read a file of private keys.

    Raises:
        UsageError: It cannot be read, has public keys, others may read it, it is not one, or has keys of several logs.
        MissingLibrary: The library for the signatures is not installed.
    """
    try:
        mode = path.stat().st_mode
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(
            f"cannot read the key {path}: {reason}", hint="Make one with: auditctl keygen --output FILE"
        ) from error
    if _is_public(lines):
        raise UsageError(
            f"{path} has the public keys",
            hint=f"Pass the file of the private keys: {str(path).removesuffix(PUBLIC_SUFFIX)}",
        )
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"others may read the key {path}", hint=f"Run: chmod 600 {path}")
    signers = tuple(Signer.parse(line) for line in lines if line.strip())
    if not signers or len({signer.verifier.name for signer in signers}) > 1:
        raise UsageError(f"{path} is not a file of keys of one log", hint="Pass the file that keygen wrote.")
    return KeyFile(path, signers)


def _is_public(lines: Sequence[str]) -> bool:
    """Whether lines are public keys, which are no secret and give away nothing."""
    try:
        return bool([Verifier.parse(line) for line in lines if line.strip()])
    except (UsageError, MissingLibrary):
        return False
