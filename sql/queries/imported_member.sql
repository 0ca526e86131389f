-- Every audited table and all its partitions and children by their names now, with the target they belong to, whether
-- they are that table, and whether its reads are recorded.
select
    auditctl.qualified(n.nspname, c.relname) as name,
    k.target,
    member.relation = k.relation as is_itself,
    'READ' = any(k.actions) as is_read
from auditctl.capture as k
cross join lateral unnest(k.relation || k.members) as member (relation)
join pg_class as c on c.oid = member.relation
join pg_namespace as n on n.oid = c.relnamespace
