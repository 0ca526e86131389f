-- Logins that bypass row security and may select from a table whose reads are audited; not the superuser of initdb, and
-- not those that can read everything, as backup roles do: role_backup and role_bypass_rls report them.
select
    r.rolname::text as object,
    quote_ident(r.rolname) as role,
    case when r.rolsuper then 'superusers' else 'logins with BYPASSRLS' end as kind,
    case when r.rolsuper then 'nosuperuser' else 'nobypassrls' end as without,
    string_agg(distinct s.target, ', ' order by s.target) as relations
from pg_roles as r
cross join auditctl.read_site as s
join pg_class as c on c.oid = s.relation
where r.rolcanlogin and r.oid <> 10 and has_any_column_privilege(r.oid, c.oid, 'SELECT')
    and (r.rolsuper or r.rolbypassrls and not pg_has_role(r.oid, 'pg_read_all_data', 'usage'))
group by r.rolname, r.rolsuper
order by 1
