"""Manifests that somebody wrote by hand: each is refused, and nothing in it leads out of its folder."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from auditctl.archive import archive, files, layout, manifest
from auditctl.archive.layout import MonthKey
from auditctl.archive.manifest import ArchiveError, Manifest, Part, Rename, Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = MonthKey("shop", "2026-05")
TIME = "2026-05-01T00:00:00.000000+00:00"
MANIFEST = Manifest(
    KEY, 1, 7, 7, "c0", (Part("part-0001.parquet", 1, 100, "5a", TIME, TIME),),
    (Target("billing.customer", "Customer", "billing.client", ("id",), ("integer",)),), (Rename(TIME, "a.b", "a.c"),),
    {"system_identifier": "1", "database_oid": 1}, TIME,
    {"bytes": 10, "sha256": "5a", "events": 1, "tree_size": 2, "root": "00", "note": "n"},
)  # fmt: skip
OTHERS: tuple[object, ...] = (None, 5, -1, 1e300, math.nan, True, "x\ud800", [], {}, [[]], [{}], "../../x", 2**70)


def signed(document: dict[str, Any]) -> bytes:
    """A manifest with a digest that fits, as anybody can compute it."""
    rest = {name: value for name, value in document.items() if name != "sha256"}
    try:
        own = manifest.digest(rest)
    except UnicodeEncodeError:
        own = ""
    return json.dumps({**rest, "sha256": own}).encode()


def replaced(document: Any, other: object) -> Iterator[Any]:
    """A document with each of its values, however deep, replaced by another one in turn."""
    yield other
    items = dict(enumerate(document)) if isinstance(document, list) else document
    for name, value in items.items() if isinstance(items, dict) else ():
        for one in replaced(value, other):
            copy = document.copy()
            copy[name] = one
            yield copy


def accepts(document: object) -> Manifest | None:
    try:
        return manifest.parse(signed(document) if isinstance(document, dict) else json.dumps(document).encode(), KEY)
    except ArchiveError:
        return None


def used(one: Manifest) -> object:
    """What readers take from a manifest; each fails on a value of another type."""
    for part in one.parts:
        assert layout.is_part(part.name)
        assert part.bytes + part.rows > 1
    assert max(one.archived_at, "") and one.rows + (one.first_event_id or 0) + (one.last_event_id or 0) >= 0
    texts = [*one.targets, *(target.label for target in one.targets), *(t.key_types for t in one.targets)]
    return [repr(texts).encode(), one.to_bytes(), one.evidence and one.evidence["note"] + one.evidence["root"]]


@pytest.mark.parametrize("other", OTHERS, ids=repr)
def test_a_manifest_with_another_value_is_refused_or_can_be_used(other: object) -> None:
    document = json.loads(MANIFEST.to_bytes())
    assert accepts(document) == MANIFEST
    found = [one for one in map(accepts, replaced(document, other)) if one is not None]
    assert all(used(one) for one in found)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../month=2026-04/part-0001.parquet"}, {"name": "/etc/passwd"}, {"name": "part-0001.parquet\n"},
        {"first_occurred_at": "yesterday"}, {"last_occurred_at": "2026-05-01"}, {"sha256": None}, {"rows": 0},
    ],
    ids=str,
)  # fmt: skip
def test_a_part_that_no_archiver_writes_is_refused(change: dict[str, object]) -> None:
    document = json.loads(MANIFEST.to_bytes())
    document["parts"][0].update(change)
    assert accepts(document) is None


def test_a_part_that_is_named_twice_is_refused() -> None:
    document = json.loads(MANIFEST.to_bytes())
    document["parts"] *= 2
    assert accepts(document) is None


def test_a_month_has_one_folder_however_its_name_may_be_spelled(tmp_path: Path) -> None:
    for folder in ("database=shop", "database=%73hop", "database=shop%", "month=2026-05", "database=a%2fb", ".."):
        (tmp_path / folder / "month=2026-05").mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "month=2026-05" / layout.MANIFEST).write_bytes(MANIFEST.to_bytes())
    assert archive.read(files.at(str(tmp_path))).manifests == (MANIFEST,)
