-- Triggers on tables of the store whose function is not auditctl's.
select
    quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass as object,
    t.tgrelid::regclass::text as relation,
    quote_ident(t.tgname) as trigger
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
join pg_proc as f on f.oid = t.tgfoid
where c.relnamespace = to_regnamespace('auditctl') and not t.tgisinternal and t.tgparentid = 0
    and f.pronamespace is distinct from to_regnamespace('auditctl')
    and f.pronamespace is distinct from to_regnamespace('auditctl_internal')
    and f.pronamespace is distinct from to_regnamespace('auditctl_guard')
order by 1
