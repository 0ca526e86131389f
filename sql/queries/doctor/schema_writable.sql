-- Roles other than the owner that may create objects in the schemas of the store, or name functions there: a login that
-- attaches such a function to a table of its own can forge events.
select
    n.nspname || ' by ' || case a.grantee when 0 then 'everybody' else pg_get_userbyid(a.grantee) end as object,
    n.nspname::text as schema,
    case a.grantee when 0 then 'Everybody' else pg_get_userbyid(a.grantee) end as who,
    case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee,
    string_agg(distinct lower(a.privilege_type), ', ') as privileges
from pg_namespace as n
cross join lateral aclexplode(n.nspacl) as a
where n.nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers') and a.grantee <> n.nspowner
    and (a.privilege_type = 'CREATE' or n.nspname <> 'auditctl')
group by n.nspname, a.grantee
order by 1
