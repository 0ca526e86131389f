"""On a standby nobody can record who looks at the log: it is left out, and said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import fetch_value
from tests.fixtures.web import Client, nameless, served
from tests.support.dumps import require_programs
from tests.support.standby import Standby
from tests.web.documents import read

if TYPE_CHECKING:
    import psycopg

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = pytest.mark.slow  # needs a standby server

SAID = "The server is read-only, such as a standby: that you look at this is not recorded."


def test_a_standby_answers_and_says_that_nothing_is_recorded(
    server: EmbeddedServer, db: str, conn: psycopg.Connection, auditctl: RunAuditctl, person: MakeLogin
) -> None:
    from auditctl.web.settings import Settings

    require_programs(server, "pg_basebackup")
    ann = person("ann", roles=["auditctl_reader"])
    with Standby(server) as standby:
        there = standby.dsn(conn.info.dbname)
        for command in (["log"], ["show", "1"], ["history", "auditctl.store", "0001"]):
            answer = auditctl(*command, dsn=there, check=0)
            assert answer.out
            assert SAID in answer.err
        with served(Settings(nameless(there))) as url, Client(base_url=url) as client:
            assert client.sign_in(ann.name).status_code == 303
            for address in ("/", "/events/1", "/history?target=auditctl.store&id=0001", "/overview"):
                assert SAID in read(client.get(address).text).text
            assert client.form("/logout", {}, source="/retention").status_code == 303
    assert fetch_value(db, "select count(*) from auditctl.event where target ~ '[.](lookup|session)$'") == 0
