-- How to drop what the login that installed owns in the store's schemas, in this order, without CASCADE: the triggers that
-- call the guard's functions, then these functions and those lent to auditctl_owner, tables, and the guard's schema.
with lent as (
    select 1 as step, format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass) as statement
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid
    where p.pronamespace = to_regnamespace('auditctl_guard') and t.tgparentid = 0
    union all
    select 2, 'drop function ' || string_agg(p.oid::regprocedure::text, ', ')
    from pg_proc as p
    where p.pronamespace in (to_regnamespace('auditctl_guard'), to_regnamespace('auditctl_internal'))
        and p.proowner <> 'auditctl_owner'::regrole and pg_has_role(p.proowner, 'auditctl_owner', 'MEMBER')
    having count(*) > 0
    union all
    select 3, format('drop table %s', c.oid::regclass)
    from pg_class as c
    where (c.oid = to_regclass('auditctl.place') or c.relnamespace = to_regnamespace('auditctl_guard'))
        and c.relkind = 'r' and c.relowner <> 'auditctl_owner'::regrole
    union all
    select 4, 'drop schema auditctl_guard' from pg_namespace as n where n.nspname = 'auditctl_guard'
)

select l.statement from lent as l order by l.step, l.statement
