-- Other events of the same records that still have values of the columns that an erasure names.
with erasure as (
    select
        one.event_id,
        one.target,
        one.target_id,
        place.name
    from pg_catalog.jsonb_to_recordset(%(erasures)s) as one (event_id bigint, target text, target_id text, places text [])
    cross join lateral pg_catalog.unnest(one.places) as place (name)
    where place.name ^@ 'values.' or place.name in ('event.old_values', 'event.new_values')
),

record as (
    select
        target,
        target_id,
        pg_catalog.array_agg(distinct name) as names
    from erasure
    where target_id is not null
    group by target, target_id
)

select
    record.target,
    record.target_id,
    place.name,
    pg_catalog.array_agg(e.event_id order by e.event_id) as events
from record
cross join lateral auditctl.history(record.target, record.target_id) as life
join auditctl.event as e on e.occurred_at = life.occurred_at and e.event_id = life.event_id
cross join lateral pg_catalog.unnest(record.names) as place (name)
where not exists (select from erasure where erasure.event_id = e.event_id and erasure.name = place.name)
    and case place.name
        when 'event.old_values' then e.old_values <> '{"$erased": true}'
        when 'event.new_values' then e.new_values <> '{"$erased": true}'
        else
            e.old_values -> pg_catalog.substr(place.name, 8) <> '{"$erased": true}'
            or e.new_values -> pg_catalog.substr(place.name, 8) <> '{"$erased": true}'
    end
    and not (
        place.name ^@ 'values.' and exists (
            select from erasure
            where erasure.event_id = e.event_id and erasure.name in ('event.old_values', 'event.new_values')
        )
    )
group by record.target, record.target_id, place.name
order by record.target collate "C", record.target_id collate "C", place.name
