-- Every audited table with its partitions and children by their present names, each with the target it belongs to,
-- whether it is the table itself, and whether its reads are recorded.
select
    auditctl.qualified(n.nspname, c.relname) as name,
    k.target,
    member.relation = k.relation as is_itself,
    'READ' = any(k.actions) as is_read
from auditctl.capture as k
cross join lateral unnest(k.relation || k.members) as member (relation)
join pg_class as c on c.oid = member.relation
join pg_namespace as n on n.oid = c.relnamespace
