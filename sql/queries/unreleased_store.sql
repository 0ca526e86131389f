-- Whether the database has a store from before auditctl's first release, in a schema called audit. Reads only the catalog:
-- this login may have no access to another product's schema audit.
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
