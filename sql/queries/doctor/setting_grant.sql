-- Roles other than superusers that may change the settings that decide whether triggers fire.
select
    p.parname || ' by ' || case a.grantee when 0 then 'everybody' else pg_get_userbyid(a.grantee) end as object,
    p.parname::text as parameter,
    case a.grantee when 0 then 'Everybody' else pg_get_userbyid(a.grantee) end as who,
    case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee
from pg_parameter_acl as p
cross join lateral aclexplode(p.paracl) as a
where p.parname in ('session_replication_role', 'event_triggers') and a.grantee <> 10
group by p.parname, a.grantee
order by 1
