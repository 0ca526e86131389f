-- Logins that own an audited table, but no superuser, and not the login that installed, which owns what it audits.
-- With the coverage guard in place an owner cannot switch capture off, but still changes data by DDL.
with guard as (
    select count(*) = 2 as is_complete
    from pg_event_trigger as e
    where e.evtname in ('auditctl_guard_ddl', 'auditctl_guard_drop') and e.evtenabled = 'A'
)

select
    c.oid::regclass || ' of ' || r.rolname as object,
    c.oid::regclass::text as relation,
    r.rolname::text as who,
    quote_ident(r.rolname) as role,
    quote_ident(boss.rolname) as superuser,
    case when guard.is_complete then 'notice' else 'warning' end as severity,
    case when guard.is_complete then 'change its data by DDL, which no trigger sees' else 'switch its capture off' end as power
from pg_class as c
join pg_roles as r on r.oid = c.relowner
join pg_roles as boss on boss.oid = 10
cross join guard
where r.rolcanlogin and not r.rolsuper and not pg_has_role(r.oid, 'audit_owner', 'MEMBER')
    and exists (
        select
        from pg_trigger as t
        join pg_proc as f on f.oid = t.tgfoid
        where t.tgrelid = c.oid and f.pronamespace = to_regnamespace('audit_triggers')
    )
order by 1
