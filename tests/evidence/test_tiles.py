"""The tree for other tools: a checkpoint and tiles in a folder, written once each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditctl.evidence import merkle, note
from auditctl.evidence.tiles import tile_path
from tests.support import foreign, sealing
from tests.support.verifying import DISABLE, Log, fill

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl

PROGRAM = Path(__file__).with_name("tiles.go")


@pytest.fixture
def log(db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl) -> Log:
    fill(db)
    keys = sealing.make_keys(tmp_path)
    conn.execute("insert into item select n, 'v' from generate_series(1, 300) as n")
    sealing.seal(db, keys)
    return Log(db, keys, conn, auditctl)


def write(log: Log, folder: Path, *, check: int = 0) -> str:
    return log.auditctl("checkpoint", "--output", folder, "--tiles", check=check).err


def leaves(log: Log) -> list[bytes]:
    rows = log.conn.execute("select hashes from auditctl.block order by number").fetchall()
    data = b"".join(row[0] for row in rows)
    return [data[place : place + 32] for place in range(0, len(data), 32)]


def names(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_path_of_a_tile_has_groups_of_three_digits() -> None:
    assert [tile_path(0, 1234067), tile_path(1, 0, 7), tile_path(2, 1000)] == [
        "tile/0/x001/x234/067", "tile/1/000.p/7", "tile/2/x001/000",
    ]  # fmt: skip


def test_tiles_grow_with_the_log_and_full_ones_are_written_once(log: Log, tmp_path: Path) -> None:
    folder = tmp_path / "www" / "log"
    size = len(leaves(log))
    assert f"has the tree of {size} leaves: 3 new tiles." in write(log, folder)
    assert names(folder) == {"checkpoint", "tile/0/000", f"tile/0/001.p/{size - 256}", "tile/1/000.p/1"}
    assert ": 0 new tiles." in write(log, folder)
    (folder / "tile/1/000.p/1").write_bytes(b"")  # such as after a loss of power
    assert ": 1 new tile." in write(log, folder)
    log.conn.execute("update item set v = 'w'")
    log.seal()
    found = leaves(log)
    assert ": 3 new tiles." in write(log, folder)
    full = {"tile/0/000", "tile/0/001", "tile/1/000.p/1", "tile/1/000.p/2"}
    assert names(folder) == {"checkpoint", f"tile/0/002.p/{len(found) - 512}", *full}
    assert (folder / "tile/0/001").read_bytes() == b"".join(found[256:512])
    assert (folder / "tile/1/000.p/2").read_bytes()[32:] == merkle.tree_root(found[256:512])
    assert note.signatures((folder / "checkpoint").read_text())[0].split("\n")[1] == str(len(found))
    log.conn.execute(DISABLE)
    log.conn.execute(
        "update auditctl.block set hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1) where number = 1"
    )
    assert "do not fit the tree" in write(log, tmp_path / "other", check=3)
    (folder / "checkpoint").write_text(note.sign(f"{sealing.ORIGIN}\n9\n{'A' * 43}=\n", log.keys.keys.signers))
    assert "forked" in write(log, folder, check=3)


def test_tiles_whose_leaves_were_deleted_are_left_out_and_it_is_said(log: Log, tmp_path: Path) -> None:
    found = leaves(log)
    log.conn.execute(DISABLE)
    kept = merkle.tree_root(found[:256]) + b"".join(found[256:])
    levels = bytes([8]) + bytes(len(found) - 256)
    log.conn.execute("update auditctl.block set hashes = %s, levels = %s", [kept, levels])
    assert "warning: 1 tile from leaf 0 on: not written, as retention deleted" in write(log, tmp_path / "log")
    assert names(tmp_path / "log") == {"checkpoint", f"tile/0/001.p/{len(found) - 256}", "tile/1/000.p/1"}


def test_tiles_need_a_folder(auditctl: RunAuditctl) -> None:
    for options in (("--output", "-"), ("--to-dsn", "x"), ("--output", "x", "--timestamp", "http://t.example")):
        assert "--tiles takes a folder" in auditctl("checkpoint", *options, "--tiles", check=2).err


@pytest.mark.slow
@pytest.mark.timeout(600)  # Go compiles its own library first.
def test_go_proves_leaves_from_tiles_and_refuses_a_flipped_bit(log: Log, tmp_path: Path) -> None:
    program, folder = foreign.build(PROGRAM, tmp_path), tmp_path / "log"
    write(log, folder)
    found = leaves(log)

    def proves(index: int) -> bool:
        return foreign.accepts(program, str(log.keys.keys.verifiers[0]), folder, str(index), found[index].hex())

    assert all(proves(index) for index in (0, 255, 256, len(found) - 1))
    tile = folder / "tile/0/000"
    data = bytearray(tile.read_bytes())
    data[9] ^= 1
    tile.write_bytes(data)
    assert not proves(1)
