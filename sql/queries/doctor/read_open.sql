-- Tables that have permissive policies of their own while auditctl's policy lets every row through.
select
    auditctl.qualified(n.nspname, c.relname) as object,
    s.relation::text as relation,
    pg_get_userbyid(c.relowner)::text as owner,
    array_to_string(auditctl.own_policies(s.relation, true), ', ') as policies
from auditctl.read_site as s
join pg_class as c on c.oid = s.relation
join pg_namespace as n on n.oid = c.relnamespace
where not s.had_row_security and auditctl.own_policies(s.relation, true) <> '{}'
    and exists (select from pg_policy as p where p.polrelid = s.relation and p.polname = 'auditctl_open')
order by 1
