-- Logins that can act as the owner of audited tables, itself no login and no superuser; but not the login that installed.
with recursive owner as (
    select distinct c.relowner as role
    from pg_class as c
    join pg_roles as r on r.oid = c.relowner and not r.rolsuper
    join pg_trigger as t on t.tgrelid = c.oid
    join pg_proc as f on f.oid = t.tgfoid
    where f.pronamespace = to_regnamespace('auditctl_triggers')
),

held as (
    select owner.role, m.member, m.roleid as via
    from owner
    join pg_auth_members as m on m.roleid = owner.role
    where coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
    union
    select held.role, m.member, m.roleid
    from held
    join pg_auth_members as m on m.roleid = held.member
    where coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
)

select
    r.rolname || ' as ' || pg_get_userbyid(held.role) as object,
    r.rolname::text as who,
    pg_get_userbyid(held.role)::text as owner,
    quote_ident(r.rolname) as role,
    quote_ident(pg_get_userbyid(held.via)) as via,
    case when %(is_guarded)s then 'notice' else 'warning' end as severity,
    case when %(is_guarded)s then 'change their data by DDL, which no trigger sees' else 'switch their capture off' end as power
from held
join pg_roles as r on r.oid = held.member
where r.rolcanlogin and not r.rolsuper and not pg_has_role(r.oid, 'auditctl_owner', 'MEMBER')
order by 1, held.via
