"""Reads the form that a request posts."""

from __future__ import annotations

import hashlib

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from auditctl.web.errors import BadRequest, TooLarge

MAX_FIELDS = 5000

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

_CHUNK = 1 << 18


async def read_form(request: Request, *, has_file: bool = False) -> dict[str, list[str]]:
    """Return the fields of a posted form, by name.

    Args:
        request: The request.
        has_file: Whether the form has one file. Of it the fields are `sha256`, the hash of its content, and `name`.

    Raises:
        BadRequest: The body is not a form, or a field is not text.
        TooLarge: The form is too large.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    expected = MULTIPART if has_file else URLENCODED
    if media_type != expected:
        raise BadRequest(f"A form must be posted as {expected}.")
    try:
        posted = await request.form(max_fields=MAX_FIELDS, max_files=1)
    except HTTPException as error:
        raise (TooLarge() if error.status_code == TooLarge.status else BadRequest()) from error
    except UnicodeDecodeError:
        raise BadRequest("The form is not valid UTF-8.") from None
    fields: dict[str, list[str]] = {}
    for name, value in posted.multi_items():
        if not isinstance(value, str):
            if not has_file:
                raise BadRequest("A field holds a file.")
            fields |= {"sha256": [await _hash(value)], "name": [value.filename or ""]}
            continue
        # Browsers send line ends as CRLF (HTML, form submission).
        fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return fields


async def _hash(file: UploadFile) -> str:
    """Return the SHA-256 of a posted file, which lies in memory or in a temporary file."""
    sha256 = hashlib.sha256()
    while chunk := await file.read(_CHUNK):
        sha256.update(chunk)
    await file.close()
    return sha256.hexdigest()
