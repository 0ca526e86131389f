"""What `auditctl import-log` says where it cannot do what it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.command import RunAuditctl
    from tests.fixtures.databases import MakeLogin


def test_path_that_does_not_exist_is_an_error(auditctl: RunAuditctl, tmp_path: Path) -> None:
    result = auditctl("import-log", tmp_path / "none.json", check=2)
    assert result.err == (
        f"error: cannot read {tmp_path}/none.json: No such file or directory\n"
        "hint: Name the files of the server's log, or the folder that `show log_directory` prints.\n"
    )


@pytest.mark.parametrize("is_folder", [True, False])
def test_file_in_no_known_format_is_an_error(auditctl: RunAuditctl, tmp_path: Path, *, is_folder: bool) -> None:
    log = tmp_path / "server.log"
    log.write_text("2026-11-24 08:00:00.000 UTC [1] the database system is ready to accept connections\n")
    path, what = (tmp_path, "contains no log") if is_folder else (log, "is not a log")
    assert auditctl("import-log", path, check=2).err == (
        f"error: {path} {what} of the server in a known format: "
        "jsonlog, csvlog, cloudnativepg, cloudsql, azure, syslog, rds, stderr\n"
        "hint: Set log_destination = 'jsonlog' (from PostgreSQL 15 on) or 'csvlog', and logging_collector = on.\n"
    )


def test_options_that_exclude_each_other_are_an_error(auditctl: RunAuditctl, tmp_path: Path) -> None:
    result = auditctl("import-log", "--dry-run", "--follow", tmp_path, check=2)
    assert result.err.startswith("error: --dry-run and --follow exclude each other\n")
    assert auditctl("import-log", "--since", "soon", tmp_path, check=2).err.startswith(
        "error: 'soon' is not a valid time"
    )
    assert auditctl("import-log", check=2).err.startswith("error: Missing argument 'FILE|FOLDER...'")


@pytest.mark.parametrize("roles", [[], ["auditctl_reader"], ["auditctl_app"]])
def test_whoever_is_no_admin_is_told_whom_to_ask(
    auditctl: RunAuditctl, tmp_path: Path, login: MakeLogin, roles: list[str]
) -> None:
    other = login("carol", roles=roles)
    result = auditctl("import-log", tmp_path, dsn=other.dsn, check=5)
    assert result.err.endswith(f"hint: Ask the DBA for: auditctl grant admin {other.name}\n")
    assert f"{other.name} may not import a log" in result.err
