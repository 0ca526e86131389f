-- The login whose rights administrators' changes of capture have: the one that installed auditctl.
select pg_get_userbyid(p.proowner)::text
from pg_proc as p
inner join pg_namespace as n on n.oid = p.pronamespace
where n.nspname in ('auditctl_guard', 'auditctl_internal') and p.proname = 'lend'
order by n.nspname
limit 1
