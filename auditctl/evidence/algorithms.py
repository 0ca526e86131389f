"""The signature algorithms of notes: the only module that knows the library for them.

Ed25519 signs; ML-DSA-44 signs beside it if chosen, for a log may have to hold longer than Ed25519 does.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from auditctl.errors import AuditctlError

SEED_BYTES = 32
"""How long the seed of a private key is, for both algorithms."""

ED25519_KEY_BYTES = 32
ML_DSA_KEY_BYTES = 1312
"""How long public keys are."""

_HINT = "Install it: pip install 'auditctl[evidence]'"


class MissingLibrary(AuditctlError):
    """The library for signatures is not installed."""


@contextmanager
def _library(needed: str = "the library for signatures, cryptography, is not installed") -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingLibrary(needed, hint=_HINT) from error


def new_seed() -> bytes:
    """Return the seed of a new private key."""
    return secrets.token_bytes(SEED_BYTES)


class Ed25519:
    """Ed25519 as RFC 8032 has it."""

    @staticmethod
    def public_key(seed: bytes) -> bytes:
        """Return the public key, 32 bytes.

        Raises:
            MissingLibrary: The extra `evidence` is not installed.
        """
        with _library():
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    @staticmethod
    def sign(seed: bytes, message: bytes) -> bytes:
        """Return the signature, 64 bytes.

        Raises:
            MissingLibrary: The extra `evidence` is not installed.
        """
        with _library():
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        return Ed25519PrivateKey.from_private_bytes(seed).sign(message)

    @staticmethod
    def verify(key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether the signature of the message is that of the public key.

        Raises:
            MissingLibrary: The extra `evidence` is not installed.
        """
        with _library():
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class MlDsa44:
    """ML-DSA-44 as FIPS 204 has it, without context; needs cryptography 47 or newer."""

    @staticmethod
    def public_key(seed: bytes) -> bytes:
        """Return the public key, 1312 bytes.

        Raises:
            MissingLibrary: The installed library lacks ML-DSA-44.
        """
        with _ml_dsa():
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

            return MLDSA44PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()

    @staticmethod
    def sign(seed: bytes, message: bytes) -> bytes:
        """Return the signature, 2420 bytes.

        Raises:
            MissingLibrary: The installed library lacks ML-DSA-44.
        """
        with _ml_dsa():
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

            return MLDSA44PrivateKey.from_seed_bytes(seed).sign(message)

    @staticmethod
    def verify(key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether the signature of the message is that of the public key.

        Raises:
            MissingLibrary: The installed library lacks ML-DSA-44.
        """
        with _ml_dsa():
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

            try:
                MLDSA44PublicKey.from_public_bytes(key).verify(signature, message)
            except (InvalidSignature, ValueError):
                return False
            return True


@contextmanager
def _ml_dsa() -> Iterator[None]:
    lacks = "the installed library for signatures lacks ML-DSA-44"
    with _library():
        from cryptography.exceptions import UnsupportedAlgorithm
    try:
        with _library(lacks):
            yield
    except MissingLibrary as error:
        error.hint = "Install cryptography 47 or newer from PyPI, or use Ed25519 alone."
        raise
    except UnsupportedAlgorithm as error:
        raise MissingLibrary(lacks, hint="Install cryptography 47 or newer from PyPI, or use Ed25519 alone.") from error
