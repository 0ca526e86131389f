"""The names that several modules share: schemas, roles, the revision of the store.

Decides how things are called inside the database and on the command line. Imports nothing of this package.
"""

from __future__ import annotations

from typing import Final

APPLICATION_NAME: Final = "auditctl"
"""`application_name` of the tool's own sessions, unless the DSN names another."""

SCHEMA: Final = "auditctl"
"""The schema of the log and of everything that people and applications use."""

TRIGGER_SCHEMA: Final = "auditctl_triggers"
"""The schema of generated functions: may be rebuilt at any time."""

INTERNAL_SCHEMA: Final = "auditctl_internal"
"""The schema of functions that only auditctl itself calls: nobody but the owner has USAGE on it."""

GUARD_SCHEMA: Final = "auditctl_guard"
"""The schema of what the coverage guard runs as a superuser; only where a superuser installed."""

OWN_SCHEMAS: Final = (SCHEMA, INTERNAL_SCHEMA, TRIGGER_SCHEMA, GUARD_SCHEMA)
"""The schemas of the store: what is in them is never audited, and nobody else records events under their names."""

LOOKUPS: Final = "auditctl.lookup"
"""The target of the events that say who looked at the log."""

SESSIONS: Final = "auditctl.session"
"""The target of the events that say who signed in to the page, and out."""

OWN_EVENT_TYPES: Final = (LOOKUPS, SESSIONS)
"""Of auditctl's own events, those that the configuration can switch off."""

STORE_REVISION: Final = "0001"
"""The Alembic revision this version of the tool works with."""

LOOPBACK: Final = "127.0.0.1"
"""The address that only this machine reaches."""

MINIMUM_SERVER_VERSION: Final = 140000
"""`server_version_num` of the oldest supported PostgreSQL."""

ROLE_OWNER: Final = "auditctl_owner"
ROLE_ADMIN: Final = "auditctl_admin"
ROLE_READER: Final = "auditctl_reader"
ROLE_APP: Final = "auditctl_app"
ROLE_BACKUP: Final = "auditctl_backup"

GRANTABLE_ROLES: Final = {"reader": ROLE_READER, "admin": ROLE_ADMIN, "app": ROLE_APP, "backup": ROLE_BACKUP}
"""What `grant` and `revoke` call a role, and the role it stands for."""

SYSTEM_USER: Final = "System"
"""How an event without an actor is shown, and what the filter `--user` calls it."""

IDENTIFIER_BYTES: Final = 63
"""The longest identifier PostgreSQL keeps, in bytes of UTF-8 (NAMEDATALEN - 1)."""

STORE_WAIT: Final = "60s"
"""How long a command waits for the store, and an install for sessions that change it."""

INSTALL_LOCK: Final = 0x6175646974  # "audit" in ASCII
"""Key of the advisory lock that lets one install run at a time in a database."""

VALUE_INDEX_LOCK: Final = 0x76616C756573  # "values" in ASCII
"""Key of the advisory lock that lets one session at a time index the values of the current month."""
