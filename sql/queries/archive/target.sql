-- Every target of the log (known_target.sql), with the key of its rows.
with known as (
    {known_target}
)

select
    k.name,
    k.label,
    k.later_name,
    coalesce(t.key_columns, '{{}}') as key_columns,
    array(
        select case when c.ignores_case then 'citext' else format_type(c.type, c.modifier) end
        from unnest(t.key_types) with ordinality as c
        order by c.ordinality
    ) as key_types
from known as k
left join auditctl.target as t on t.target = k.name
order by k.name
