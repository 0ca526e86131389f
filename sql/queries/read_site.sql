-- The state of read logging on the given tables, and on every other table that has read policies or is registered for them.
select
    c.oid::bigint as oid,
    s.target,
    s.root::oid::bigint as root,
    coalesce(s.read_query, false) as query,
    coalesce(s.read_force, false) as force,
    coalesce(s.had_row_security, false) as had_row_security,
    coalesce(s.had_force, false) as had_force,
    c.relrowsecurity as has_row_security,
    c.relforcerowsecurity as is_forced,
    ours.policies,
    auditctl.own_policies(c.oid, true) as permissive,
    auditctl.own_policies(c.oid, false) as restrictive,
    array(select f.fault from auditctl.read_faults(c.oid) as f order by f.fault collate "C") as faults
from pg_catalog.pg_class as c
left join auditctl.read_site as s on s.relation = c.oid
cross join lateral (
    select array(
        select p.polname::text
        from pg_catalog.pg_policy as p
        where p.polrelid = c.oid and p.polname in ('auditctl_read', 'auditctl_open')
        order by p.polname
    ) as policies
) as ours
where c.relkind in ('r', 'p') and (c.oid = any (%(relations)s) or s.relation is not null or ours.policies <> '{}')
