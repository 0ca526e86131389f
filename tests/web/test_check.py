"""A file dropped on the page, or its hash: which export it is, and whether it is unaltered."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest
from psycopg.types.json import Jsonb

from auditctl.web.views.check import MAX_FILE
from tests.fixtures.databases import connect
from tests.fixtures.web import CSRF, Client
from tests.support.recorded import Recorded, minutes, record
from tests.web.documents import read

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    import psycopg

    from tests.fixtures.command import RunAuditctl

UNKNOWN = "No export of this log has this content"


@pytest.fixture
def file(conn: psycopg.Connection, reader: Client) -> bytes:
    """What the page exported."""
    record(conn, Recorded(at=minutes(0)), Recorded(at=minutes(1), actor="<b>bob</b>"))
    content: bytes = reader.get("/export.csv?target=customer").content
    assert content.count(b"\n") == 3
    return content


def posted(client: Client, content: bytes, name: str = "log.csv", token: str | None = None) -> httpx.Response:
    found = CSRF.search(client.get("/check").text)
    assert found is not None
    return client.post("/check", data={"csrf": token or found[1]}, files={"file": (name, content)})


def answer(response: httpx.Response) -> str:
    assert response.status_code == 200
    return read(response.text).text


def test_export_of_the_page_has_its_end_in_the_log(conn: psycopg.Connection, file: bytes) -> None:
    ((facts,),) = conn.execute(
        "select new_values from auditctl.event where target = 'auditctl.export' and target_id is not null"
    ).fetchall()
    assert (facts["rows"], facts["bytes"], facts["selection"]) == (2, len(file), "target customer")
    assert facts["sha256"] == hashlib.sha256(file).hexdigest()


def test_file_is_found_by_upload_and_by_hash_and_one_altered_byte_is_not(reader: Client, file: bytes) -> None:
    sha256 = hashlib.sha256(file).hexdigest()
    for response in (
        posted(reader, file), reader.get("/check", params={"sha256": f" {sha256.upper()} ", "name": "log.csv"})
    ):  # fmt: skip
        text = answer(response)
        assert re.search(
            r"log\.csv is export \d+ by reader_\d+ on [^.]+ UTC, unaltered\. 2 events: target customer\.", text
        )
        assert UNKNOWN not in text
    assert UNKNOWN in answer(posted(reader, file[:-1]))
    assert UNKNOWN in answer(reader.get("/check", params={"sha256": "0" * 64}))
    assert UNKNOWN not in answer(reader.get("/check"))


def test_first_export_of_a_file_is_named_and_what_a_reader_records_later_is_told_apart(
    reader: Client, conn: psycopg.Connection, file: bytes
) -> None:
    hashed = hashlib.sha256(file).hexdigest()
    begun = "select max(event_id) from auditctl.event where target = 'auditctl.export' and target_id is null"
    (real,) = conn.execute(begun).fetchone() or (0,)
    (forged,) = conn.execute("select auditctl.record_export('{}')").fetchone() or (0,)
    facts = Jsonb({"sha256": hashed, "rows": 99, "bytes": 1, "selection": "everything"})
    conn.execute("select auditctl.record_export_end(%s, %s)", [forged, facts])
    text = answer(reader.get("/check", params={"sha256": hashed}))
    assert f"is export {real} by" in text
    assert f"Export {forged} by postgres was recorded with the same SHA-256 later." in text
    assert "everything" not in text


def test_manifest_of_the_page_fits_the_file_and_the_log(
    db: str, reader: Client, file: bytes, auditctl: RunAuditctl, tmp_path: Path
) -> None:
    (number,) = re.findall(r"/manifest\.json\?export=(\d+)", posted(reader, file).text)
    response = reader.get(f"/manifest.json?export={number}")
    assert response.headers["content-disposition"].endswith('.csv.manifest.json"')
    (tmp_path / "log.csv").write_bytes(file)
    (tmp_path / "log.csv.manifest.json").write_bytes(response.content)
    assert json.loads(response.content)["selection"] == "target customer"
    done = auditctl("check-export", tmp_path / "log.csv", check=0)
    assert "what it says about coverage is not confirmed" in done.err
    with connect(db) as session:
        row = session.execute("select auditctl.record_export('{}')").fetchone()
        data = json.dumps({"rows": 1, "bytes": 1, "sha256": "0" * 64, "selection": ""})
        assert row is not None
        session.execute("select auditctl.record_export_end(%s, %s)", [row[0], data])
    assert reader.get("/manifest.json", params={"export": row[0]}).status_code == 400
    assert "1 event" in answer(reader.get("/check", params={"sha256": "0" * 64}))
    for missing in ("1", "999999", "x", "1;", "9" * 30):
        assert reader.get("/manifest.json", params={"export": missing}).status_code == 404


def test_what_is_no_file_no_hash_or_too_large_is_refused(reader: Client, file: bytes) -> None:
    assert reader.get("/check?sha256=abc").status_code == 400
    assert posted(reader, b"x", token="wrong").status_code == 403
    assert posted(reader, b"\0" * (MAX_FILE + 1)).status_code == 413
    assert reader.post("/check", data={"csrf": "x"}).status_code == 400
    evil = answer(posted(reader, b"", '<script>alert(1)</script>".csv'))
    assert "<script>alert(1)</script>" in evil  # as text
    assert UNKNOWN in evil


def test_nobody_who_is_not_signed_in_may_check(reader: Client) -> None:
    with Client(base_url=reader.base_url) as stranger:
        for path in ("/check", "/manifest.json?export=1"):
            refused = stranger.get(path)
            assert (refused.status_code, refused.headers["location"].partition("?")[0]) == (303, "/login")
