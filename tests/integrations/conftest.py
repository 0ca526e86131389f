"""What the tests of integrations share: an audited table, the login of an application, and what its events say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import fetch_value
from tests.integrations.recorded import Who

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.databases import Login, MakeLogin


@pytest.fixture
def web(login: MakeLogin) -> Login:
    """The login of an application that names its users."""
    return login("web", roles=["auditctl_app"])


@pytest.fixture
def who(db: str, conn: psycopg.Connection) -> Who:
    """Reads who did what to table `thing`."""
    assert fetch_value(db, "select to_regclass('thing') is not null")
    return Who(conn)
