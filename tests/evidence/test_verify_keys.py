"""Verification of a log whose key was changed, or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from auditctl.evidence import note, sealing_keys
from tests.fixtures.databases import connect
from tests.support import sealing
from tests.support.verifying import Log, fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditctl.evidence.sealing_keys import SealingKeys
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow


@pytest.fixture
def log(db: str, tmp_path: Path, auditctl: RunAuditctl) -> Iterator[Log]:
    fill(db)
    with connect(db) as conn:
        log = Log(db, sealing.make_keys(tmp_path), conn, auditctl)
        for number in range(2):
            conn.execute("insert into item values (%s, 'v')", [number])
            log.seal()
        yield log


def go_on(log: Log, *args: str | Path, key: SealingKeys) -> None:
    """Change the key, and seal once more with it."""
    log.auditctl("seal", "--key", key.keys.path, *args, check=0)
    log.conn.execute("update item set v = %s", [str(key.keys.path)])
    log.auditctl("seal", "--key", key.keys.path, check=0)


def by(log: Log, key: SealingKeys, *args: str | Path, check: int = 0) -> dict[str, Any]:
    return log.verify_by("--public-key", f"{key.keys.path}.pub", *args, check=check)


def test_a_changed_key_verifies_from_any_key_of_the_log_on(log: Log, tmp_path: Path) -> None:
    second, third, strange = (sealing.make_keys(tmp_path, name) for name in ("second", "third", "strange"))
    anchors = tmp_path / "anchors"
    anchors.mkdir()

    def keep(keys: SealingKeys) -> None:
        (anchors / keys.keys.path.name).write_text(sealing_keys.checkpoint_path(keys.keys).read_text())

    keep(log.keys)
    go_on(log, "--previous-key", log.keys.keys.path, key=second)
    keep(second)
    go_on(log, "--previous-key", second.keys.path, key=third)
    keep(third)
    for key in (log.keys, second, third):
        document = by(log, key, "--checkpoint", anchors)
        assert document["findings"] == []
        assert document["signed_by"] == [third.keys.verifiers[0].label]
        assert any("changes the key to" in sentence for sentence in document["notes"])
    kinds = {f["kind"] for f in by(log, strange, check=3)["findings"]}
    assert kinds == {"signature"}
    (anchors / "strange").write_text(
        note.sign((anchors / "third").read_text().partition("\n\n")[0] + "\n", strange.keys.signers)
    )
    (finding,) = by(log, third, "--checkpoint", anchors, check=3)["findings"]
    assert (finding["kind"], "strange" in finding["sentence"]) == ("signature", True)


def test_a_key_that_was_changed_no_longer_signs(log: Log, tmp_path: Path) -> None:
    second = sealing.make_keys(tmp_path, "second")
    go_on(log, "--previous-key", log.keys.keys.path, key=second)
    size, text = log.conn.execute(
        "select tree_size, note from auditctl.checkpoint order by tree_size desc limit 1"
    ).fetchone() or (0, "")
    again = note.sign(text.partition("\n\n")[0] + "\n", log.keys.keys.signers)
    log.conn.execute("alter table auditctl.checkpoint disable trigger user")
    log.conn.execute("update auditctl.checkpoint set note = %s where tree_size = %s", [again, size])
    for key in (log.keys, second):
        assert "signature" in {f["kind"] for f in by(log, key, check=3)["findings"]}


def test_a_lost_key_is_found_unless_the_new_one_is_trusted(log: Log, tmp_path: Path) -> None:
    second, third = (sealing.make_keys(tmp_path, name) for name in ("second", "third"))
    go_on(log, "--replace-lost-key", "--reason", "the disk broke", key=second)
    found = by(log, log.keys, check=3)["findings"]
    assert {f["kind"] for f in found} == {"signature"}
    assert any("replaces a lost one: the disk broke" in f["sentence"] for f in found)
    document = by(log, second)
    assert any("the disk broke" in sentence for sentence in document["notes"])
    go_on(log, "--previous-key", second.keys.path, key=third)
    document = by(log, third)
    assert any("the disk broke" in sentence for sentence in document["notes"])
    assert by(log, log.keys, check=3)["findings"]


def test_a_key_that_did_not_sign_is_not_called_unchecked(log: Log, tmp_path: Path) -> None:
    strange = sealing.make_keys(tmp_path, "strange")
    text = log.auditctl("verify", "--public-key", f"{strange.keys.path}.pub", check=3).out
    assert "signed by: nobody who is trusted" in text
    assert "signed by: not checked" in log.auditctl("verify", check=0).out
