"""Timestamps by RFC 3161: an authority signs that a checkpoint was there at a time.

The only module that knows the library for it. The response is stored as it came, so that `openssl ts -verify` reads it.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from importlib.util import find_spec

from auditctl.errors import OutputError, UsageError
from auditctl.text import in_quotes

SECONDS = 30.0
"""How long the authority may take."""

_MAX_BYTES = 1 << 20


def require_library() -> None:
    """Raise `UsageError` unless rfc3161-client is installed."""
    if find_spec("rfc3161_client") is None:
        raise UsageError(
            "timestamps need rfc3161_client, which is not installed", hint="Run: pip install 'auditctl[timestamps]'"
        )


def request(url: str, data: bytes) -> bytes:
    """Return an authority's response for some bytes, of which it gets the SHA-256 alone.

    It is for these bytes and this request; whether the authority's certificate is trusted is for those who verify it.

    Args:
        url: The address of the authority, http or https.
        data: The bytes.

    Raises:
        UsageError: The address is not one, or the library is missing.
        OutputError: The authority does not answer, refuses, or answers for something else.
    """
    require_library()
    from rfc3161_client import HashAlgorithm, PKIStatus, TimestampRequestBuilder, decode_timestamp_response

    if not url.startswith(("http://", "https://")):
        raise UsageError(
            f"{in_quotes(url)} is not the address of a timestamp authority", hint="Write http:// or https://."
        )
    asked = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256).build()
    answer = _post(url, asked.as_bytes())
    try:
        response = decode_timestamp_response(answer)
        is_granted = PKIStatus(response.status) in (PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS)
    except ValueError as error:
        raise OutputError(f"{url} does not answer with a timestamp", hint="Is it a timestamp authority?") from error
    if not is_granted:
        raise OutputError(f"{url} refused a timestamp: status {response.status}", hint="Use another authority.")
    stamped = response.tst_info
    if stamped.message_imprint.message != asked.message_imprint.message or stamped.nonce != asked.nonce:
        raise OutputError(f"the timestamp of {url} is for something else", hint="Do not use this authority.")
    return answer


def _post(url: str, body: bytes) -> bytes:
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    query = urllib.request.Request(url, body, headers)  # noqa: S310 - http or https
    try:
        with urllib.request.urlopen(query, timeout=SECONDS) as answer:  # noqa: S310 - http or https
            data: bytes = answer.read(_MAX_BYTES)
            return data
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise OutputError(
            f"cannot get a timestamp from {url}: {reason}", hint="Try again, or use another authority."
        ) from error
