-- Where the columns of an event's table stand in it, as an object; null for a table that is not audited now.
select pg_catalog.jsonb_object_agg(a.attname, a.attnum)::text
from auditctl.capture as k
inner join pg_catalog.pg_attribute as a on k.relation = a.attrelid
where k.target = event.target_name and a.attnum > 0 and not a.attisdropped
