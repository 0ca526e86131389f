-- Whether the database has a store as auditctl made it before its first release, in a schema called audit. Asks the catalog
-- alone: a schema audit of somebody else may be closed to this login.
select exists (
    select
    from pg_catalog.pg_namespace as log
    join pg_catalog.pg_namespace as functions on log.nspowner = functions.nspowner and functions.nspname = 'audit_triggers'
    where log.nspname = 'audit' and pg_catalog.pg_get_userbyid(log.nspowner) = 'audit_owner'
        and (
            select pg_catalog.count(*)
            from pg_catalog.pg_class as c
            where c.relnamespace = log.oid and c.relname in ('alembic_version', 'event', 'rule')
        ) = 3
)
