-- Event triggers whose function another login can replace, and that runs with the rights of whoever runs DDL.
select
    e.evtname::text as object,
    p.oid::regprocedure::text as function,
    r.rolname::text as owner
from pg_event_trigger as e
join pg_proc as p on p.oid = e.evtfoid
join pg_roles as r on r.oid = p.proowner
where e.evtenabled <> 'D' and e.evtevent <> 'login' and not p.prosecdef and not r.rolsuper
    -- Without a superuser's install, the login that installed runs the DDL.
    and not pg_has_role(r.oid, 'auditctl_owner', 'MEMBER')
order by e.evtname
