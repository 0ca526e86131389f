"""Reads what a form posts."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

from auditctl.web.errors import BadRequest, TooLarge

URLENCODED = "application/x-www-form-urlencoded"
MOST_FIELDS = 5000


async def read(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form, by name.

    Raises:
        BadRequest: It is no form, or a field is no text.
        TooLarge: It is too large.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != URLENCODED:
        raise BadRequest("A form is posted as application/x-www-form-urlencoded.")
    try:
        posted = await request.form(max_fields=MOST_FIELDS)
    except HTTPException as error:
        raise (TooLarge() if error.status_code == TooLarge.status else BadRequest()) from error
    except UnicodeDecodeError:
        raise BadRequest("The form is no valid UTF-8.") from None
    fields: dict[str, list[str]] = {}
    for name, value in posted.multi_items():
        if not isinstance(value, str):
            raise BadRequest("A field holds a file.")
        # Browsers send line ends as CRLF (HTML, form submission).
        fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return fields
