-- What an update changed in long values, as an object of sentences by column: a page may not show such a value whole.
select pg_catalog.jsonb_object_agg(pair.key, pg_catalog.to_jsonb(auditctl.column_changes(pair.key, pair.old, pair.new)))::text
from (
    select
        key,
        o.value as old,
        n.value as new
    from pg_catalog.jsonb_each(case pg_catalog.jsonb_typeof(event.old_values) when 'object' then event.old_values else '{}' end) as o
    inner join pg_catalog.jsonb_each(case pg_catalog.jsonb_typeof(event.new_values) when 'object' then event.new_values else '{}' end) as n
        using (key)
    where event.action = 'UPDATE' and greatest(pg_catalog.pg_column_size(o.value), pg_catalog.pg_column_size(n.value)) > 400
    limit 200
) as pair
