-- INSTEAD rules on audited tables, which do something in place of a write.
select
    quote_ident(r.rulename) || ' on ' || r.ev_class::regclass as object,
    r.ev_class::regclass::text as relation,
    quote_ident(r.rulename) as rule,
    case r.ev_type when '2' then 'update' when '3' then 'insert' else 'delete' end as command
from pg_rewrite as r
where r.is_instead and r.ev_type in ('2', '3', '4') and r.ev_enabled <> 'D'
    and r.ev_class in (
        select t.tgrelid from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
        where f.pronamespace = to_regnamespace('auditctl_triggers')
    )
order by r.ev_class::regclass::text, r.rulename
