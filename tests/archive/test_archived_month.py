"""The helper that archives a month for tests: what it writes is a valid archive, and it takes out what it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl.archive import files, layout, manifest, parts
from auditctl.evidence import canonical
from tests.support.archived import archive_month, drop_month
from tests.support.recorded import START, Recorded, record

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg


def test_a_month_is_archived_and_taken_out_of_the_log(conn: psycopg.Connection, tmp_path: Path) -> None:
    one, later = record(conn, Recorded(), Recorded(at=START.replace(month=4)))
    made = archive_month(conn, tmp_path, "2026-03")
    archive = files.at(str(tmp_path))
    key = made.key
    assert manifest.parse(archive.read(key.path(layout.MANIFEST)), key) == made
    (fields,) = (one for part in made.parts for one in parts.read(archive, key.path(part.name)))
    assert canonical.to_text("event_id", fields[0]) == str(one)
    drop_month(conn, "2026-03")
    left = conn.execute("select event_id from auditctl.event where target = 'billing.customer'").fetchall()
    assert left == [(later,)]
