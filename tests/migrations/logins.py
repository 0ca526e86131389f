"""Who migrates: a superuser, an owner beside a superuser's store, and the login of a managed service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditctl import store
from tests.fixtures.databases import connect

if TYPE_CHECKING:
    import pytest

    from tests.fixtures.databases import MakeLogin

WHO = ("superuser", "owner with the guard", "managed service")


def migrating(who: str, request: pytest.FixtureRequest, login: MakeLogin) -> tuple[str, str]:
    """DSNs of the login that migrates and of a superuser; the schemas `shop` and `Other Shop` are for it."""
    dsn: str = request.getfixturevalue("empty_db" if who == "managed service" else "db")
    name = "postgres"
    mine = dsn
    if who == "owner with the guard":
        made = login("developer", dsn=dsn, roles=["auditctl_admin"])
        name, mine = made.name, made.dsn
    elif who == "managed service":
        request.getfixturevalue("template")  # with it come the roles
        made = login("dba", dsn=dsn, attributes="createrole", roles=["auditctl_owner", "auditctl_admin"])
        name, mine = made.name, made.dsn
    with connect(dsn) as session:
        name = session.info.user if who == "superuser" else name
        session.execute(f'grant create on database {session.info.dbname} to "{name}"'.encode())
        session.execute(f'grant create on schema public to "{name}"'.encode())
        session.execute(
            f'create schema shop authorization "{name}"; create schema "Other Shop" authorization "{name}"'.encode()
        )
    if who == "managed service":
        store.install(mine)
    return mine, dsn
