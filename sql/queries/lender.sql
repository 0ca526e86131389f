-- The login whose rights administrators' changes of capture have: the one that installed auditctl.
select pg_get_userbyid(p.proowner)::text
from pg_proc as p
inner join pg_namespace as n on n.oid = p.pronamespace
inner join pg_roles as r on r.oid = p.proowner
where p.proname = 'lend' and (n.nspname = 'auditctl_guard' and r.rolsuper or n.nspname = 'auditctl_internal')
order by n.nspname
limit 1
