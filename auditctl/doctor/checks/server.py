"""The checks of the server: settings and versions that the promises rest on."""

from __future__ import annotations

from auditctl.doctor.model import Check, Right, Severity

SERVER = (
    Check(
        "setting_grant",
        Severity.WARNING,
        "the privilege to set what decides whether triggers fire",
        "{who} may set {parameter}, and so keep triggers, and what they guard, from firing.",
        "revoke all on parameter {parameter} from {grantee} cascade;",
        since=15,
        needs=Right.SUPERUSER,
    ),
    Check(
        "setting_default",
        Severity.WARNING,
        "sessions that start in replica mode, or without event triggers",
        "Sessions start with {parameter} = {setting}: then only triggers fire that fire always, or no event trigger "
        "does.",
        "alter {place} reset {parameter};",
        needs=Right.SUPERUSER,
    ),
    Check(
        "server_crash",
        Severity.WARNING,
        "fsync or full_page_writes is off",
        "A crash of the server can lose or damage events of committed transactions: {name} is off.",
        "alter system set {name} = on; select pg_reload_conf();",
        otherwise="Set {name} = on among the parameters of the server that the service lets you change",
        needs=Right.SUPERUSER,
    ),
    Check(
        "server_end_of_life",
        Severity.WARNING,
        "a version of PostgreSQL that is no longer supported",
        "Faults of the server are no longer fixed: its series had its last release on {last}.",
        "Upgrade the server to a newer series: {page}",
        needs=Right.NOBODY,
    ),
    Check(
        "server_prerelease",
        Severity.WARNING,
        "a prerelease of PostgreSQL",
        "The server is a prerelease: the next version may not be able to read its files, the log's included.",
        "Install a release: {page}",
        needs=Right.NOBODY,
    ),
)
"""Every check of the server, in the order of the reference."""
