"""The checks of roles: who can do what the promises exclude."""

from __future__ import annotations

from auditctl.doctor.model import Check, Right, Severity

ROLES = (
    Check(
        "role_superuser",
        Severity.NOTICE,
        "a superuser besides the one of the installation",
        "{object} can switch capture off and change the log: it is a superuser.",
        "alter role {role} nosuperuser;",
        needs=Right.SUPERUSER,
    ),
    Check(
        "role_app_superuser",
        Severity.WARNING,
        "a superuser that is an application as well",
        "{object} can name anybody as the user, and can change the log too: it is a superuser with auditctl_app.",
        "alter role {role} nosuperuser;",
        needs=Right.SUPERUSER,
    ),
    Check(
        "role_bypass_rls",
        Severity.NOTICE,
        "a role that row security does not hold",
        "{object} can write to any table it has the privilege for, the log included: row security does not hold it.",
        "alter role {role} nobypassrls;",
        needs=Right.SUPERUSER,
    ),
    Check(
        "role_replication",
        Severity.NOTICE,
        "a login that may replicate, and so read everything",
        "{object} can read every table and the log without leaving an event, by logical decoding or by a copy of the "
        "server: it may replicate.",
        "alter role {role} noreplication;",
        needs=Right.SUPERUSER,
    ),
    Check(
        "role_backup",
        Severity.NOTICE,
        "a role that can dump the whole database, and was not named as a backup role",
        "{object} can read every table without leaving an event, the secrets of the log included: if it makes backups, "
        "name it as a backup role; otherwise it should not have BYPASSRLS.",
        "auditctl backup-role {login}",
        needs=Right.SUPERUSER,
    ),
    Check(
        "role_createrole",
        Severity.WARNING,
        "a role that may make itself auditctl_owner",
        "{object} can make itself a member of auditctl_owner, and then change capture: it may administer every role.",
        "alter role {role} nocreaterole;",
        until=15,
        needs=Right.SUPERUSER,
    ),
    Check(
        "role_owner_member",
        Severity.WARNING,
        "a member of auditctl_owner that did not install this store, such as one that installed in another database",
        "{object} can act as auditctl_owner: change capture, write events, and take the guards off the log.",
        "revoke {via} from {role}{by_grantor};",
        needs=Right.GRANTOR,
    ),
    Check(
        "role_member",
        Severity.NOTICE,
        "a member of another role of auditctl that was not granted it here, with auditctl",
        "{object} can {power}: it is a member of {store_role}, which belongs to the whole cluster, but was not granted "
        "it in this database with auditctl grant {short_name} LOGIN.",
        "revoke {via} from {role}{by_grantor};",
        needs=Right.GRANTOR,
    ),
    Check(
        "role_predefined",
        Severity.WARNING,
        "a member of a role of PostgreSQL's own that reaches around the log",
        "{who} may {power}.",
        "revoke {predefined} from {role};",
        needs=Right.SUPERUSER,
    ),
    Check(
        "role_claims",
        Severity.NOTICE,
        "a login that names users without being an application",
        "{login} named the user who acts in {events} of the last 30 days' events, the last on {last}, and was not "
        "believed: grant it the role if it is an application; otherwise it should stop naming users.",
        "auditctl grant app {login}",
        needs=Right.GRANTOR,
    ),
    Check(
        "table_owner",
        Severity.WARNING,
        "a login that owns audited tables; with the coverage guard in place, a notice",
        "{who} can {power}: it owns {relations}.",
        "alter table {relation} owner to {superuser}; "
        "grant select, insert, update, delete, truncate, references on {relation} to {role};",
        otherwise="Give {relations} to a role that nobody can log in as.",
        needs=Right.SUPERUSER,
    ),
    Check(
        "table_owner_member",
        Severity.WARNING,
        "a login that can act as the owner of audited tables; with the coverage guard in place, a notice",
        "{who} can {power}: it may act as {owner}, who owns audited tables.",
        "revoke {via} from {role}{by_grantor};",
        needs=Right.GRANTOR,
    ),
    Check(
        "database_owner",
        Severity.WARNING,
        "a login that owns the database",
        "{who} can drop the database, and the log with it.",
        "alter database {database} owner to {superuser};",
        otherwise="Give it to a role that nobody can log in as: alter database {database} owner to ROLE",
        needs=Right.SUPERUSER,
    ),
    Check(
        "event_trigger_other",
        Severity.WARNING,
        "an event trigger whose function another login can change, and that has the rights of whoever runs DDL",
        "{owner} can act as whoever runs DDL, the coverage guard included: it owns {function}, which event trigger "
        "{object} runs with their rights, so that administrators may not change capture.",
        "alter function {function} security definer set search_path = pg_catalog, pg_temp;",
        needs=Right.OWNER,
    ),
)
"""Every check of roles, in the order of the reference."""
