-- Roles other than the owner that may write to a table or sequence of the store, or create triggers on it.
select
    item.relation::regclass || ' by ' || item.who as object,
    item.relation::regclass::text as relation,
    item.kind,
    item.grantee,
    item.who,
    string_agg(item.privilege, ', ' order by item.privilege) as privileges
from (
    select distinct
        c.oid as relation,
        case c.relkind when 'S' then 'sequence' else 'table' end as kind,
        case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee,
        case a.grantee when 0 then 'everybody' else pg_get_userbyid(a.grantee) end as who,
        lower(a.privilege_type) as privilege
    from pg_class as c
    cross join lateral (
        select a.grantee, a.privilege_type
        from aclexplode(c.relacl) as a
        union all
        select a.grantee, a.privilege_type
        from pg_attribute as t
        cross join lateral aclexplode(t.attacl) as a
        where t.attrelid = c.oid
    ) as a
    where c.relnamespace = to_regnamespace('auditctl') and a.grantee <> c.relowner
        and (
            a.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
            or c.relkind = 'S' and a.privilege_type = 'USAGE'
        )
) as item
group by item.relation, item.kind, item.grantee, item.who
order by 1
