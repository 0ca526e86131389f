"""Roles belong to the cluster: who is a member of the store's roles before it is installed, and in another database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditctl import store
from auditctl.errors import DatabaseError
from auditctl.names import GRANTABLE_ROLES
from tests.fixtures.databases import connect
from tests.support.doctoring import found

if TYPE_CHECKING:
    import psycopg

    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("template")]


def members(dsn: str) -> list[tuple[str, str, str]]:
    """What doctor says about members of the store's roles."""
    return [(f.check, f.object, f.remedy) for f in found(dsn) if f.check in ("role_owner_member", "role_member")]


@pytest.mark.parametrize("kind", ["login", "group", "through a group", "may only grant"])
def test_an_owner_with_members_that_did_not_install_is_refused(
    empty_db: str, login: MakeLogin, role_names: list[str], kind: str
) -> None:
    mallory = login("mallory", dsn=empty_db)
    with connect(empty_db) as conn:
        if kind == "may only grant" and conn.info.server_version < 160000:
            kind = "login"
        if kind == "login":
            conn.execute(f"grant auditctl_owner to {mallory.name}".encode())
        elif kind == "may only grant":
            conn.execute(f"grant auditctl_owner to {mallory.name} with admin true, set false, inherit false".encode())
        else:
            role_names.append("gang")
            conn.execute("create role gang; grant auditctl_owner to gang")
            if kind == "through a group":
                conn.execute(f"grant gang to {mallory.name}".encode())
        with pytest.raises(
            DatabaseError, match="role auditctl_owner has members that auditctl did not make: "
        ) as error:
            store.install(empty_db)
        assert error.value.hint.startswith("They could replace what auditctl runs.")
        assert conn.execute("select to_regnamespace('auditctl')").fetchone() == (None,)
        with pytest.raises(Exception, match="has members that auditctl did not make"):
            conn.execute(store.install_script().encode())
        conn.rollback()
        conn.execute(error.value.hint.rpartition(": ")[2].encode())
        store.install(empty_db)


def test_an_owner_that_is_a_member_of_other_roles_is_refused(empty_db: str, role_names: list[str]) -> None:
    with connect(empty_db) as conn:
        role_names.append("mighty")
        conn.execute("create role mighty; grant mighty to auditctl_owner")
        with pytest.raises(DatabaseError, match="role auditctl_owner is a member of other roles: mighty") as error:
            store.install(empty_db)
        conn.execute(error.value.hint.rpartition(": ")[2].encode())
        store.install(empty_db)


def test_a_second_database_installs_and_names_who_installed_the_first(
    db: str, conn: psycopg.Connection, empty_db: str, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    ann = login("ann", roles=["auditctl_owner", "auditctl_admin"])
    bob = login("bob", roles=["auditctl_admin"])
    done = auditctl("install", dsn=empty_db, check=0)
    assert [line for line in done.err.splitlines() if line.startswith("warning: ")] == [
        f"warning: members of auditctl_owner already, who can act as the owner of this store too: {ann.name}",
        "warning: members of auditctl_admin already, who can read and administer this store too: "
        f"{ann.name}, {bob.name}",
    ]
    assert members(empty_db) == [
        ("role_owner_member", ann.name, f"revoke auditctl_owner from {ann.name};"),
        ("role_member", bob.name, f"revoke auditctl_admin from {bob.name};"),
    ]
    assert "warning" not in auditctl("install", dsn=empty_db, check=0).err


@pytest.mark.parametrize("role", GRANTABLE_ROLES)
def test_a_member_that_was_granted_the_role_here_is_no_finding(
    db: str, login: MakeLogin, auditctl: RunAuditctl, role: str
) -> None:
    name = f"auditctl_{role}"
    carol, dave = login("carol"), login("dave", roles=[name])
    auditctl("grant", role, carol.name, dsn=db, check=0)
    assert members(db) == [("role_member", dave.name, f"revoke {name} from {dave.name};")]
    auditctl("revoke", role, carol.name, dsn=db, check=0)
    with connect(db) as conn:
        conn.execute(f"revoke {name} from {dave.name}; grant {name} to {carol.name}".encode())
    assert members(db) == [("role_member", carol.name, f"revoke {name} from {carol.name};")]
    assert auditctl("grant", role, carol.name, dsn=db, check=0).err == f"Granted {role} to {carol.name}.\n"
    assert members(db) == []
    assert auditctl("grant", role, carol.name, dsn=db, check=0).err == f"{carol.name} has {role} already.\n"


def test_members_of_every_role_are_named_by_the_first_install(
    empty_db: str, login: MakeLogin, auditctl: RunAuditctl
) -> None:
    names = {role: login(role, dsn=empty_db, roles=[f"auditctl_{role}"]).name for role in GRANTABLE_ROLES}
    done = auditctl("install", dsn=empty_db, check=0)
    assert [line for line in done.err.splitlines() if line.startswith("warning: ")] == [
        f"warning: members of auditctl_admin already, who can read and administer this store too: {names['admin']}",
        f"warning: members of auditctl_reader already, who can read this store too: {names['reader']}",
        f"warning: members of auditctl_app already, who can name users in this store too: {names['app']}",
        f"warning: members of auditctl_backup already, who can read this store and its secrets too: {names['backup']}",
    ]
