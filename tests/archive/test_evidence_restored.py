"""A month that is dropped and brought back is proved as before, and nothing else can be put in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from auditctl import database
from auditctl.archive import evidence_restorer, files, layout
from auditctl.archive.manifest import ArchiveError
from auditctl.names import ROLE_OWNER
from tests.support import sealing
from tests.support.archived_months import write_month
from tests.support.leaves import read_blocks
from tests.support.retaining import fill, months

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.archive.manifest import Manifest
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow

DROP: LiteralString = """
    drop table if exists saved_{1};
    create table saved_{1} as table auditctl.event_{1};
    do $$
    declare
        v_event_id constant bigint := nextval('auditctl.event_event_id_seq');
        v_data jsonb := jsonb_build_object('step', 'archive', 'location', 'cold', 'partition', 'auditctl.event_{1}')
            || jsonb_build_object('month', '{0}') || auditctl_internal.count_events('{0}-01', 'true');
    begin
        v_data := v_data || jsonb_build_object(
            'sealed', auditctl_internal.prune_leaves('{0}-01', 'true', v_data, v_event_id)
        );
        drop table auditctl.event_{1};
        perform auditctl_internal.end_month('{0}-01');
        perform auditctl_internal.record_upkeep('auditctl.event_{1}', 'archived events dropped', v_data, v_event_id);
    end
    $$
"""

LOAD: LiteralString = """
    select auditctl_internal.create_partition('{0}-01');
    insert into auditctl.event overriding system value table saved_{1}
"""


ERASE: LiteralString = """
    select auditctl.erase_events(array[min(event_id) + 9], '{}', 'request 7') from auditctl.event where target = 'a'
"""

BRING_BACK: LiteralString = """
    update auditctl.pruned set restored_in_xact = pg_current_xact_id()
     where block = 2 and announced_in = (select min(announced_in) from auditctl.pruned where block = 2)
"""


def run(conn: psycopg.Connection, statements: LiteralString, month: str) -> None:
    conn.execute(statements.replace("{0}", month).replace("{1}", month.replace("-", "_")).encode())


@pytest.fixture
def log(db: str, conn: psycopg.Connection, tmp_path: Path) -> psycopg.Connection:
    """Two months in three blocks, of which one has events of both, and one an erased event."""
    keys = sealing.make_keys(tmp_path)
    months(conn, "2020-01-01", "2020-02-01")
    fill(conn, "2020-01-01", "a", 40)
    sealing.seal(db, keys)
    fill(conn, "2020-01-20", "a", 20)
    fill(conn, "2020-02-01", "a", 20)
    sealing.seal(db, keys)
    fill(conn, "2020-02-05", "b", 40)
    sealing.seal(db, keys)
    conn.execute(ERASE)
    sealing.seal(db, keys)
    return conn


def restore(dsn: str, folder: Path, manifest: Manifest) -> int:
    with database.connect_store(dsn) as conn, database.transaction(conn), database.acting_as(conn, ROLE_OWNER):
        return evidence_restorer.restore_leaves(conn, files.at(str(folder)), manifest)


def verify(auditctl: RunAuditctl, folder: Path, check: int = 0) -> str:
    return auditctl("verify", "--public-key", folder / "seal.key.pub", check=check).out


def test_a_log_is_proved_before_and_after_its_months_come_back(
    db: str, log: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    archive = tmp_path / "archive"
    before = read_blocks(log)
    manifests = {month: write_month(db, archive, month) for month in ("2020-01", "2020-02")}
    for month in manifests:
        run(log, DROP, month)
        verify(auditctl, tmp_path)
    assert "120 events of 2020-01 to 2020-02 are in the archive cold, not read here" in verify(auditctl, tmp_path)
    run(log, LOAD, "2020-02")
    assert restore(db, archive, manifests["2020-02"]) == 2
    assert "60 events of 2020-01 are in the archive cold, not read here" in verify(auditctl, tmp_path)
    run(log, LOAD, "2020-01")
    assert "added: " in verify(auditctl, tmp_path, check=3)
    assert restore(db, archive, manifests["2020-01"]) == 2
    assert "in the archive" not in verify(auditctl, tmp_path)
    after = read_blocks(log)
    assert [block[7:] for block in after] == [block[7:] for block in before]
    assert [block[5] for block in after if block[0] == 3] == [block[5] for block in before if block[0] == 3]
    # Archived once more, it has the same evidence but for what came later.
    run(log, DROP, "2020-02")
    verify(auditctl, tmp_path)
    run(log, LOAD, "2020-02")
    assert restore(db, archive, manifests["2020-02"]) == 2
    verify(auditctl, tmp_path)


def test_what_was_dropped_must_be_there_once_it_was_brought_back(
    db: str, log: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl
) -> None:
    manifest = write_month(db, tmp_path / "archive", "2020-02")
    run(log, DROP, "2020-02")
    restore(db, tmp_path / "archive", manifest)
    log.execute("select auditctl_internal.create_partition('2020-02-01')")
    assert "(20 events) are missing from block 2" in verify(auditctl, tmp_path, check=3)


def test_other_evidence_is_refused(db: str, log: psycopg.Connection, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    manifests = {month: write_month(db, archive, month) for month in ("2020-01", "2020-02")}
    for month in manifests:
        run(log, DROP, month)
    kept = read_blocks(log)
    first, second = (archive / manifests[month].key.path(layout.EVIDENCE) for month in manifests)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(ArchiveError, match="is not as it was written"):
        restore(db, archive, manifests["2020-01"])
    first.write_bytes(data)
    for column in ("hashes", "checks", "salts", "secret"):
        with pytest.raises(psycopg.Error, match="write-once"), log.transaction():
            log.execute(BRING_BACK)
            log.execute(
                SQL("update auditctl.block set {} = %s where number = 2").format(Identifier(column)), [bytes(32)]
            )
    assert read_blocks(log) == kept
