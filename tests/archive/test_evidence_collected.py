"""What proves the events of a month goes into its folder, and shows nothing of other months."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from auditctl.archive import evidence_file, files, layout
from auditctl.errors import UsageError
from auditctl.evidence.checkpoint import EvidenceError
from auditctl.evidence.merkle import Frontier
from tests.support import sealing
from tests.support.archived_months import write_month
from tests.support.retaining import fill, months

if TYPE_CHECKING:
    from pathlib import Path

    from auditctl.archive.manifest import Manifest
    from auditctl.archive.tree_nodes import TreeNode

pytestmark = pytest.mark.slow


@pytest.fixture
def log(db: str, conn: psycopg.Connection, tmp_path: Path) -> psycopg.Connection:
    """Two months that are over, sealed in three blocks, of which one has events of both."""
    keys = sealing.make_keys(tmp_path)
    months(conn, "2020-01-01", "2020-02-01")
    fill(conn, "2020-01-01", "a", 20)
    sealing.seal(db, keys)
    fill(conn, "2020-01-20", "a", 20)
    fill(conn, "2020-02-01", "a", 20)
    sealing.seal(db, keys)
    fill(conn, "2020-02-05", "b", 40)
    sealing.seal(db, keys)
    return conn


def read_nodes(folder: Path, manifest: Manifest) -> list[TreeNode]:
    with evidence_file.opened(files.at(str(folder)), manifest.key.path(layout.EVIDENCE)) as file:
        return list(file.all())


def test_the_nodes_of_a_month_are_the_whole_tree(db: str, log: psycopg.Connection, tmp_path: Path) -> None:
    for month in ("2020-01", "2020-02"):
        manifest = write_month(db, tmp_path / "archive", month)
        frontier = Frontier()
        for node in read_nodes(tmp_path / "archive", manifest):
            assert node.leaf == frontier.size
            list(frontier.append(node.hash, node.level))
        assert manifest.evidence is not None
        assert frontier.root().hex() == manifest.evidence["root"]
        assert frontier.size == manifest.evidence["tree_size"]


def test_a_secret_is_kept_where_the_month_has_its_whole_block_and_else_only_salts(
    db: str, log: psycopg.Connection, tmp_path: Path
) -> None:
    secrets: dict[int, bytes] = dict(log.execute("select number, secret from auditctl.block").fetchall())
    nodes = read_nodes(tmp_path, write_month(db, tmp_path, "2020-01"))
    kept = {(node.event.block, node.event.secret, node.event.salts is None) for node in nodes if node.event}
    # The first block has events of auditctl itself, of today, and the second those of another month.
    assert {(number, secret) for number, secret, _ in kept} == {(1, None), (2, None)}
    nodes = read_nodes(tmp_path, write_month(db, tmp_path, "2020-02"))
    kept = {(node.event.block, node.event.secret, node.event.salts is None) for node in nodes if node.event}
    assert {(number, secret == secrets[number]) for number, secret, _ in kept} == {(2, False), (3, True)}


def test_a_month_that_is_not_as_it_was_sealed_is_not_archived(db: str, log: psycopg.Connection, tmp_path: Path) -> None:
    log.execute("alter table auditctl.event disable trigger user")
    log.execute("update auditctl.event set actor = 'eve' where target = 'a' and target_id = '3' and event_id < 30")
    with pytest.raises(EvidenceError, match=r"event \d+ is not as it was sealed"):
        write_month(db, tmp_path, "2020-01")


def test_events_that_are_not_sealed_yet_are_not_archived(db: str, log: psycopg.Connection, tmp_path: Path) -> None:
    fill(log, "2020-02-20", "a", 3)
    with pytest.raises(UsageError, match="3 events of 2020-02 are not sealed yet"):
        write_month(db, tmp_path, "2020-02")


def test_a_log_that_is_not_sealed_has_no_evidence(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    months(conn, "2020-01-01", "2020-01-01")
    fill(conn, "2020-01-01", "a", 20)
    assert write_month(db, tmp_path, "2020-01").evidence is None
    assert not (tmp_path / f"database={conn.info.dbname}/month=2020-01" / layout.EVIDENCE).exists()


def test_erased_values_stay_unknown(db: str, log: psycopg.Connection, tmp_path: Path) -> None:
    (event,) = log.execute("select max(event_id) from auditctl.event where target = 'b'").fetchone() or (0,)
    log.execute("select auditctl.erase_events(array[%s]::bigint[], '{}', 'request 7')", [event])
    nodes = read_nodes(tmp_path, write_month(db, tmp_path, "2020-02"))
    erased = [node.event for node in nodes if node.event and node.event.erasure]
    assert [(one.event_id, len(one.salts or b"")) for one in erased] == [(event, 112)]
    assert all(node.event.secret is None for node in nodes if node.event)
