-- Which of these names the log has as actors, each with the kind of its newest event, and which are logins.
select
    spelling.name,
    newest.kind,
    login.is_login
from pg_catalog.unnest(%(names)s::text []) as spelling (name)
left join lateral (
    select event.actor_kind::text as kind
    from auditctl.event as event
    where event.actor = spelling.name
    order by event.occurred_at desc
    limit 1
) as newest on true
cross join lateral (
    select
        exists (
            select
            from pg_catalog.pg_roles as role
            where role.rolname = spelling.name and role.rolcanlogin
        ) as is_login
) as login
where newest.kind is not null or login.is_login
