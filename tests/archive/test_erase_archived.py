"""Values of an archived event are erased by bringing its month back: the files are written anew without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.support import sealing
from tests.support.archiving import fill, hot

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tests.fixtures.command import RunAuditctl


def values(folder: Path, column: str = "new_values") -> dict[int, str]:
    (path,) = folder.glob("*/*/part-*.parquet")
    table = pq.read_table(path, columns=["event_id", column], partitioning=None)
    return dict(zip(table["event_id"].to_pylist(), table[column].to_pylist(), strict=True))


@pytest.mark.parametrize("is_sealed", [True, False])
def test_values_of_an_archived_event_are_erased_from_its_file(
    db: str, conn: psycopg.Connection, tmp_path: Path, auditctl: RunAuditctl, *, is_sealed: bool
) -> None:
    folder, keys = tmp_path / "archive", sealing.make_keys(tmp_path)

    def seal_and_archive(*args: str) -> None:
        if is_sealed:
            sealing.seal(db, keys)
        auditctl("archive", "--to", folder, *args, check=0)
        auditctl("maintain", check=0)

    fill(conn, "2020-01")
    seal_and_archive()
    assert hot(conn) == []
    before = values(folder)
    number = sorted(before)[6]
    auditctl("restore-archive", "2020-01", check=0)
    auditctl("erase", "--event", str(number), "--reason", "request 7", "--yes", check=0)
    seal_and_archive("--include-restored")
    assert hot(conn) == []
    assert values(folder) == {**before, number: '{"$erased": true}'}
    key = ("--public-key", tmp_path / "seal.key.pub") if is_sealed else ()
    done = auditctl("verify", "--everywhere", *key, check=0)
    assert f"note: of event {number}, " in done.out or not is_sealed
