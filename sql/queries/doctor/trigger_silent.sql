-- Capture triggers that do not always fire, on any table, partition or child.
select
    quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass as object,
    t.tgrelid::regclass::text as relation,
    auditctl.qualified(n.nspname, c.relname) as "table",
    quote_ident(t.tgname) as trigger,
    case t.tgenabled
        when 'D' then 'switched off'
        when 'O' then 'silent in replica mode'
        when 'R' then 'silent outside replica mode'
    end as state
from pg_trigger as t
join pg_proc as f on f.oid = t.tgfoid
join pg_class as c on c.oid = t.tgrelid
join pg_namespace as n on n.oid = c.relnamespace
where f.pronamespace = to_regnamespace('auditctl_triggers') and t.tgenabled <> 'A'
order by t.tgrelid::regclass::text, t.tgname
