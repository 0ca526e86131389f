"""Commands without their store, or with one of another version, or without a server at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

from auditctl import database, store
from auditctl.cli.main import COMMANDS, cli
from auditctl.errors import AuditctlError, DatabaseError, PlaceError, StoreError
from auditctl.names import MINIMUM_SERVER_VERSION, STORE_REVISION

if TYPE_CHECKING:
    import psycopg

    from auditctl.demo.server import EmbeddedServer
    from tests.fixtures.command import RunAuditctl

ARGUMENTS = {
    "enable": ["public.a"],
    "disable": ["public.a"],
    "apply": ["--yes"],
    "show": ["1"],
    "history": ["public.a", "1"],
    "archive": ["--to", "x"],
    "restore-archive": ["2020-01"],
    "baseline": ["public.a"],
    "record": ["x", "1", "done"],
    "import-log": ["."],
    "uninstall": ["--yes"],
    "hold": ["list"],
    "view": ["list"],
    "grant": ["reader", "somebody"],
    "revoke": ["reader", "somebody"],
    "backup-role": ["somebody"],
    "checkpoint": ["--output", "-"],
    "prove": ["1", "--output", "x.tlog-proof"],
    "erase": ["--event", "1", "--reason", "x", "--yes"],
}
"""What a command cannot do without."""

WITHOUT_STORE = ("completion", "demo", "serve", "keygen", "check-export", "seal", "verify-proof")
"""Commands that need none; demo has a server of its own, serve connects only for a visitor, and seal reads its key
first (tests/evidence/test_seal.py)."""

LINES = [[name, *ARGUMENTS.get(name, [])] for name in COMMANDS if name not in WITHOUT_STORE]


def refuses(dsn: str, command: list[str]) -> AuditctlError:
    """Run a command that fails, and return its error."""
    with pytest.raises(AuditctlError) as error:
        cli.main(args=["--dsn", dsn, *command], standalone_mode=False)
    return error.value


def test_a_command_without_a_store_says_to_install_it(server: EmbeddedServer) -> None:
    for command in LINES:
        if command != ["install"]:
            error = refuses(server.dsn(), command)
            assert (command, isinstance(error, StoreError), str(error), error.hint, error.exit_code) == (
                command,
                True,
                "database postgres has no auditctl store",
                "Run: auditctl install",
                6,
            )


@pytest.mark.parametrize(
    ("revision", "message", "hint"),
    [
        ("9999", f"newer than this auditctl's {STORE_REVISION}", "Upgrade auditctl: pip install --upgrade auditctl"),
        ("0000", f"older than this auditctl's {STORE_REVISION}", "Run: auditctl install"),
    ],
)
def test_a_store_of_another_version_is_left_alone_by_every_command(
    db: str, conn: psycopg.Connection, auditctl: RunAuditctl, revision: str, message: str, hint: str
) -> None:
    conn.execute("update auditctl.alembic_version set version_num = %s", [revision])
    # As the installation of that version does: to verify, a revision that the log does not know is a finding.
    conn.execute("select auditctl_internal.insert_event('auditctl.store', %s, 'EVENT', null, null, 'x')", [revision])
    before = conn.execute("select max(event_id) from auditctl.event").fetchone()
    text = f"the store in database {conn.info.dbname} has revision {revision}, {message}"
    for command in LINES:
        if revision < STORE_REVISION and command[0] in ("install", "adopt"):  # they upgrade it
            continue
        error = refuses(db, command)
        assert (command, str(error), error.hint, error.exit_code) == (command, text, hint, 6)
    done = auditctl("log", check=6)
    assert (done.out, done.err.splitlines()) == ("", [f"error: {text}", f"hint: {hint}"])
    assert conn.execute("select max(event_id) from auditctl.event").fetchone() == before


def test_a_table_of_revisions_without_a_row_was_restored_without_its_rows(db: str, conn: psycopg.Connection) -> None:
    conn.execute("delete from auditctl.alembic_version")
    with pytest.raises(PlaceError, match="restored without its rows"), database.connect_store(db):
        pass


def test_no_server_no_database_and_no_login_are_told_apart(db: str) -> None:
    for dsn, message in (
        ("host=/nonexistent", "connection"),
        (make_conninfo(db, dbname="nowhere"), 'database "nowhere" does not exist'),
        (make_conninfo(db, user="nobody_here"), 'role "nobody_here" does not exist'),
        ("nonsense", "the DSN is not a valid connection string or URI"),
        ("postgresql://u:s3cr@tpw@host/x", "the DSN is not a valid connection string or URI"),
        ("postgresql+psycopg://u:tpw@host/x", "the DSN is not a valid connection string or URI"),
    ):
        for command in ("tables", "install"):
            with pytest.raises(DatabaseError, match=message) as error:
                cli.main(args=["--dsn", dsn, command], standalone_mode=False)
            assert error.value.exit_code == 5
            assert error.value.hint.startswith(("Check ", "Write host=", "Write postgresql:// without a driver"))
            assert "tpw" not in str(error.value)


def test_a_command_without_a_server_ends_with_5_and_a_hint(auditctl: RunAuditctl) -> None:
    done = auditctl("tables", dsn="host=/nonexistent", check=5)
    assert done.out == ""
    assert done.err.startswith("error: connection")
    assert done.err.splitlines()[-1] == (
        "hint: Check --dsn, AUDITCTL_DSN or libpq's PG variables, and that the server runs."
    )


def test_a_server_that_is_too_old_is_refused(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MINIMUM_SERVER_VERSION", 990000)
    for refused in (lambda: store.install(db), lambda: database.connect_store(db).__enter__()):
        with pytest.raises(DatabaseError, match=r"PostgreSQL \d+ is too old for auditctl") as error:
            refused()
        assert error.value.hint == "auditctl needs PostgreSQL 99 or newer."
    assert MINIMUM_SERVER_VERSION == 140000
