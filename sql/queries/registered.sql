-- What the guard and the log know of audited tables: the rule as it was applied, its label, and the columns of the key.
select
    k.relation::oid::bigint as relation,
    k.target as name,
    t.label,
    t.key_columns,
    {columns}
from auditctl.capture as k
left join auditctl.target as t on t.target = k.target
where %(relations)s::bigint [] is null or k.relation::oid = any (%(relations)s::bigint [])
