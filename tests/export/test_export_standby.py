"""Consecutive exports by snapshots around a standby, which does not know which transactions are running."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.export.test_export_snapshots import Exports
from tests.fixtures.databases import connect
from tests.support.dumps import require_programs
from tests.support.standby import Standby

if TYPE_CHECKING:
    import psycopg

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

pytestmark = pytest.mark.slow  # needs a standby server


def test_a_standby_makes_no_export_by_snapshots_and_goes_on_from_the_primary_s_once_promoted(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, auditctl: RunAuditctl
) -> None:
    require_programs(server, "pg_basebackup")
    auditctl("follow", "--once", "--consumer", "before", check=0)
    exports = Exports(auditctl)
    exports.go_on()
    name = conn.info.dbname
    with Standby(server) as standby:
        there = standby.dsn(name)
        for snapshot in ("start", exports.following):
            refused = auditctl("export", "--committed-since", snapshot, dsn=there, check=2)
            assert refused.out == ""
            assert refused.err == (
                "error: a standby does not know which transactions are running\n"
                "hint: Use the primary. An export by times works here, too.\n"
            )
        for options in (("--consumer", "siem"), ("--cursor", "cursor"), ()):
            refused = auditctl("follow", "--once", *options, dsn=there, check=2)
            assert (refused.out, "error: a standby does not know" in refused.err) == ("", True)
        assert auditctl("export", "--format", "jsonl", "--since", "1h", dsn=there, check=0).out
        with connect(there) as promoted:
            promoted.execute("select pg_promote()")
        after = auditctl("export", "--committed-since", exports.following, "--format", "jsonl", dsn=there, check=0)
        assert after.out.count("\n") == 2  # the events of the export on the primary
        goes_on = auditctl("follow", "--once", "--consumer", "before", dsn=there, check=0)
        assert goes_on.out.count("\n") == 4  # both exports, beginning and end
        auditctl("check", dsn=there, check=0)
