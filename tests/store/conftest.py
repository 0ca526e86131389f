"""The next version of auditctl, which tests of upgrades install."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl import store
from tests.support import next_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.next_version import NextVersion


@pytest.fixture
def following(tmp_path: Path) -> NextVersion:
    """The next version."""
    return next_version.make(tmp_path)


@pytest.fixture
def upgrade(following: NextVersion, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], store.Installation]:
    """Installs the next version."""

    def install(dsn: str) -> store.Installation:
        with next_version.running(following, monkeypatch):
            return store.install(dsn)

    return install
