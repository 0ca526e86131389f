-- Logins whose claim to act for a user was not believed in the last 30 days, and would not be believed today. A superuser's
-- claims are in the log as well, but call for no grant. Reads the events of those 30 days.
select
    r.rolname::text as object,
    r.rolname::text as login,
    'auditctl_app' as via,
    claim.events,
    claim.last
from (
    select
        e.db_user,
        count(*) as events,
        to_char(max(e.occurred_at) at time zone 'UTC', 'YYYY-MM-DD') as last
    from auditctl.event as e
    where e.occurred_at >= now() - interval '30 days' and e.actor_kind = 'database' and e.context ? 'claimed_actor'
    group by e.db_user
) as claim
join pg_roles as r on r.rolname = claim.db_user
where not r.rolsuper and not pg_has_role(r.oid, 'auditctl_app', 'MEMBER')
order by 1
