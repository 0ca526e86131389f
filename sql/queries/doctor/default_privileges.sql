-- Privileges that others would get on objects that auditctl_owner creates, such as the next month's partition.
select
    privilege.kind || ' for ' || privilege.who as object,
    privilege.kind,
    privilege.who,
    privilege.place,
    privilege.grantee
from (
    select distinct
        case d.defaclobjtype
            when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' else 'schemas'
        end as kind,
        coalesce(' in schema ' || quote_ident(n.nspname), '') as place,
        case a.grantee when 0 then 'everybody' else pg_get_userbyid(a.grantee) end as who,
        case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee
    from pg_default_acl as d
    left join pg_namespace as n on n.oid = d.defaclnamespace
    cross join lateral aclexplode(d.defaclacl) as a
    where d.defaclrole = to_regrole('auditctl_owner')::oid and a.grantee <> d.defaclrole
        -- PostgreSQL grants these to everybody by default; auditctl revokes them from each function.
        and not (a.grantee = 0 and d.defaclnamespace = 0 and d.defaclobjtype in ('f', 'T'))
) as privilege
order by 1, privilege.place
