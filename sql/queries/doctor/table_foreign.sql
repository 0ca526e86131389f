-- Audited foreign tables: writes made on the foreign server itself are not captured.
select
    c.oid::regclass::text as object,
    c.oid::regclass::text as relation,
    auditctl.qualified(n.nspname, c.relname) as table
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
-- A foreign partition is audited with its table, and cannot be left out.
where c.relkind = 'f' and not c.relispartition
    and c.oid in (
        select t.tgrelid from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
        where f.pronamespace = to_regnamespace('auditctl_triggers')
    )
order by 1
