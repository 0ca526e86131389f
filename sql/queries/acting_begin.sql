-- Names who acts until the end of the transaction; null leaves address or context as it is. Returns the previous settings.
select
    before.actor,
    before.ip,
    before.context,
    pg_catalog.now()::text as transaction,
    pg_catalog.set_config('auditctl.actor', %(actor)s, true),
    pg_catalog.set_config('auditctl.ip', coalesce(%(ip)s, before.ip), true),
    pg_catalog.set_config('auditctl.context', coalesce(%(context)s, before.context), true)
from (
    select
        coalesce(pg_catalog.current_setting('auditctl.actor', true), '') as actor,
        coalesce(pg_catalog.current_setting('auditctl.ip', true), '') as ip,
        coalesce(pg_catalog.current_setting('auditctl.context', true), '') as context
    -- Keeps the planner from reading the settings in the select list, where they are set.
    offset 0
) as before
