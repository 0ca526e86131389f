-- The audited tables with an action whose trigger is missing or switched off at this moment. Reads the catalog alone. READ is recorded by a policy, which `doctor` checks.
select
    capture.target as name,
    action.action::text as action
from auditctl.capture as capture
cross join lateral unnest(capture.actions) as action (action)
where action.action not in ('READ', 'EVENT')
    and not exists (
        select
        from pg_catalog.pg_trigger as trigger
        where trigger.tgrelid = capture.relation and trigger.tgname = 'auditctl_' || lower(action.action::text)
            and trigger.tgenabled = 'A'
    )
order by 1, 2
