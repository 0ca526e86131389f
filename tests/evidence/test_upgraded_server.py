"""A sealed log survives pg_upgrade: it verifies before and after the next install, and sealing goes on."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from auditctl.demo.binaries import read_major
from auditctl.demo.server import EmbeddedServer
from tests import every_version
from tests.evidence.test_restores import begin
from tests.support import dumps
from tests.support.upgraded import UpgradedServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.command import RunAuditctl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def versions(server: EmbeddedServer) -> list[Path]:
    """The programs of the version under test and of one other, the older first; skip where there is no other."""
    major = read_major(server.version)
    others = [one for one in every_version.RELEASES if one != major and every_version.find(one) is not None]
    if not others:
        pytest.skip("needs two versions of PostgreSQL: make test-all fetches them into .postgresql")
    older = [one for one in others if one < major]
    other = every_version.find(min(older) if older else max(others))
    assert other is not None
    return [other, server.bindir] if older else [server.bindir, other]


def test_a_sealed_log_goes_on_after_pg_upgrade(server: EmbeddedServer, tmp_path: Path, auditctl: RunAuditctl) -> None:
    former, newer = versions(server)
    with ExitStack() as stack:
        old = stack.enter_context(EmbeddedServer(former))
        dumps.require_programs(old, "pg_upgrade")
        site = begin(old.dsn(), tmp_path / "site", auditctl)
        new = stack.enter_context(UpgradedServer(old, newer))
        upgraded = site.at(new.dsn(), tmp_path / "upgraded")
        upgraded.write()
        document = upgraded.verify()
        assert (document["findings"], document["blocks"]) == ([], 2), "before the install that the guide asks for"
        upgraded.run("install")
        upgraded.run("check")
        upgraded.grow()
        document = upgraded.verify()
        assert (document["findings"], document["blocks"], document["unsealed"]) == ([], 4, 0)
        assert "nothing found" in upgraded.run("reconcile")
