-- Audited foreign tables: what is written at their own server is not seen.
select
    c.oid::regclass::text as object,
    c.oid::regclass::text as relation,
    -- The name as auditctl takes it: in double quotes where it holds a dot, a quote or a wildcard.
    case when n.nspname ~ '[."*?\[\]]' then '"' || replace(n.nspname, '"', '""') || '"' else n.nspname end
    || '.'
    || case when c.relname ~ '[."*?\[\]]' then '"' || replace(c.relname, '"', '""') || '"' else c.relname end as table
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
-- A foreign partition is audited with its table, and cannot be left out.
where c.relkind = 'f' and not c.relispartition
    and exists (
        select
        from pg_trigger as t
        join pg_proc as f on f.oid = t.tgfoid
        where t.tgrelid = c.oid and f.pronamespace = to_regnamespace('audit_triggers')
    )
order by 1
