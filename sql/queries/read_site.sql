-- What records the reads of some tables, and of every other table that has something of ours.
select
    c.oid::bigint,
    s.target,
    s.root::oid::bigint,
    coalesce(s.read_query, false),
    coalesce(s.read_force, false),
    coalesce(s.had_row_security, false),
    coalesce(s.had_force, false),
    c.relrowsecurity,
    c.relforcerowsecurity,
    ours.policies,
    auditctl.own_policies(c.oid, true),
    auditctl.own_policies(c.oid, false),
    array(select f.fault from auditctl.read_faults(c.oid) as f order by f.fault collate "C")
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
