"""A database with a schema of an application, whose owner is no superuser and an administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fixtures.databases import connect
from tests.migrations.projects import Project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.databases import Login, MakeLogin


@pytest.fixture
def developer(db: str, login: MakeLogin) -> Login:
    """The login that migrates: it owns the schema, and is a member of auditctl_admin."""
    made = login("developer", roles=["auditctl_admin"])
    with connect(db) as session:
        session.execute(
            f"create schema shop authorization {made.name}; grant create on schema public to public".encode()
        )
    return made


@pytest.fixture
def project(tmp_path: Path, developer: Login) -> Project:
    """A project with Alembic that the developer migrates."""
    return Project(tmp_path / "project", developer.dsn, version_table_schema="shop")
