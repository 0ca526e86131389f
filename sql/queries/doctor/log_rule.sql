-- Rewrite rules on tables of the store.
select
    quote_ident(r.rulename) || ' on ' || r.ev_class::regclass as object,
    r.ev_class::regclass::text as relation,
    quote_ident(r.rulename) as rule
from pg_rewrite as r
join pg_class as c on c.oid = r.ev_class
where c.relnamespace = to_regnamespace('auditctl') and r.rulename <> '_RETURN'
order by 1
