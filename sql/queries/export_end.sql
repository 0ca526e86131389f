-- Complete exports, newest first: by their content, or by the event that records their beginning.
select
    b.event_id,
    e.event_id as end_id,
    e.db_user as login,
    coalesce(e.actor, e.db_user) as user_name,
    e.occurred_at as ended_at,
    b.new_values as request,
    e.new_values as facts
from auditctl.event as e
join auditctl.event as b on b.action = 'EVENT' and b.target = 'auditctl.export' and b.target_id is null and b.event_id::text = e.target_id
where e.action = 'EVENT' and e.target = 'auditctl.export'
    and (e.target_id = %(export)s::text or e.target_id is not null and e.new_values ->> 'sha256' = %(sha256)s::text)
order by e.event_id desc
