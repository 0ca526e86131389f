"""`/check`: which export a file is, by its SHA-256, and the export's manifest. The file itself is not kept.

The browser computes the hash, or somebody pastes it; without scripts a small file is posted, and hashed here.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from auditctl import manifest
from auditctl.log import exported
from auditctl.text import in_quotes
from auditctl.web.errors import BadRequest, NotFound
from auditctl.web.request import Visit, content_disposition

PARAMETERS = frozenset({"sha256", "name"})
MANIFEST_PARAMETERS = frozenset({"export"})

MAX_FILE = 16 << 20
"""Bytes of a form with a file, which is for browsers without scripts."""

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


def check(visit: Visit) -> Response:
    """Show the form, and for a hash which export has it."""
    return _page(visit, visit.one(visit.parameters, "sha256", ""), visit.one(visit.parameters, "name", ""))


def upload(visit: Visit) -> Response:
    """Show which export a posted file is; the form has its hash already."""
    return _page(visit, visit.one(visit.form, "sha256"), visit.one(visit.form, "name", ""))


def download(visit: Visit) -> Response:
    """Return the manifest of an export."""
    number = visit.one(visit.parameters, "export")
    with visit.connection() as conn:
        found = exported.recorded(conn, event_id=int(number)) if _NUMBER.fullmatch(number) else ()
        if not found:
            raise NotFound(f"Export {in_quotes(number)} does not exist, or was not completed.")
        document = manifest.of_recorded(conn, found[0])
    name = f"{document['file']['name']}{exported.SUFFIX}"
    return Response(
        manifest.text(document),
        media_type="application/json",
        headers={"Content-Disposition": content_disposition(name)},
    )


def _page(visit: Visit, sha256: str, name: str) -> Response:
    sha256 = sha256.strip().lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise BadRequest(f"{in_quotes(sha256)} is not a SHA-256.", hint="It has 64 digits, as sha256sum prints them.")
    exports: tuple[exported.RecordedExport, ...] = ()
    if sha256:
        with visit.connection() as conn:
            exports = exported.recorded(conn, sha256=sha256)
    return visit.page("check.html", sha256=sha256, name=name, exports=exports, megabytes=MAX_FILE >> 20)
