-- Records what was done to the capture of tables: one event for each.
select auditctl_internal.insert_event(
    'auditctl.capture', e.target, 'EVENT', null, pg_catalog.jsonb_build_object('changes', e.changes), e.summary
)
from pg_catalog.jsonb_array_elements(%(events)s) with ordinality as event (value, position)
cross join lateral pg_catalog.jsonb_to_record(event.value) as e (target text, changes jsonb, summary text)
order by event.position
