-- Parts of the coverage guard that are missing, call something else, or do not always fire.
select
    g.name as object,
    g.name,
    case
        when e.oid is null then 'missing'
        when e.evtevent <> g.event or e.evttags is not null or e.evtfoid::regprocedure::text <> g.function || '()'
            then 'another one of that name'
        when e.evtenabled = 'D' then 'switched off'
        else 'silent in some replication modes'
    end as state,
    case
        when e.oid is null
            then case when login.rolsuper then 'auditctl install' else 'as a superuser: auditctl install' end
        when e.evtevent <> g.event or e.evttags is not null or e.evtfoid::regprocedure::text <> g.function || '()'
            then format('drop event trigger %I;', g.name)
        else format('alter event trigger %I enable always;', g.name)
    end as remedy,
    -- The guard cannot be installed where the provider reserves superusers for itself.
    case
        when exists (
            select from pg_roles as r
            where r.rolname in ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'alloydbsuperuser')
        ) then 'notice'
        else 'warning'
    end as severity
from (
    values
    ('auditctl_guard_ddl', 'ddl_command_end', 'auditctl_guard.guard_ddl'),
    ('auditctl_guard_drop', 'sql_drop', 'auditctl_guard.guard_drop')
) as g (name, event, function)
join pg_roles as login on login.rolname = current_user
left join pg_event_trigger as e on e.evtname = g.name
where (
    e.oid is null or e.evtenabled <> 'A' or e.evtevent <> g.event or e.evttags is not null
    or e.evtfoid::regprocedure::text <> g.function || '()'
)
    -- After an uninstall that kept the log, nothing is audited that it would guard.
    and (
        exists (select from auditctl.rule) or coalesce((
            select not u.context ->> 'summary' ^@ 'auditctl uninstalled'
            from auditctl.event as u
            where u.target = 'auditctl.store' and u.action = 'EVENT'
            order by u.occurred_at desc, u.event_id desc
            limit 1
        ), true)
    )
order by 1
