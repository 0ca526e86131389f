-- What an erasure takes, as text that is short enough to show: one row for each event and place, and whether the event's key
-- has the same value.
select
    e.event_id,
    place.name,
    case
        when place.name ^@ 'values.' then pg_catalog.concat_ws(
            ' ' || pg_catalog.chr(8594) || ' ',
            case when e.old_values ? place.field then auditctl.shown(e.old_values ->> place.field) end,
            case when e.new_values ? place.field then auditctl.shown(e.new_values ->> place.field) end
        )
        else auditctl.shown(
            case place.field
                when 'actor' then e.actor
                when 'ip' then pg_catalog.abbrev(e.ip)
                when 'db_user' then e.db_user
                when 'target_id' then e.target_id
                when 'old_values' then e.old_values::text
                when 'new_values' then e.new_values::text
                when 'context' then e.context::text
            end
        )
    end as value,
    place.name ^@ 'values.' and e.target_id in (e.old_values ->> place.field, e.new_values ->> place.field) as is_key
from pg_catalog.jsonb_to_recordset(%(erasures)s) as erasure (event_id bigint, created_on timestamptz, places text [])
join auditctl.event as e on e.occurred_at = erasure.created_on and e.event_id = erasure.event_id
cross join lateral (
    select
        name,
        pg_catalog.regexp_replace(name, '^(values|event)[.]', '') as field
    from pg_catalog.unnest(erasure.places) as name
) as place
order by e.event_id, place.name
