-- Policies on tables of the store that let somebody write.
select
    quote_ident(p.polname) || ' on ' || p.polrelid::regclass as object,
    p.polrelid::regclass::text as relation,
    quote_ident(p.polname) as policy
from pg_policy as p
join pg_class as c on c.oid = p.polrelid
where c.relnamespace = to_regnamespace('auditctl') and p.polcmd <> 'r'
order by 1
