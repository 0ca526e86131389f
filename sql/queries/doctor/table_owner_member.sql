-- Logins that can act as a role that owns audited tables and is not a superuser, without the login that installed auditctl.
with recursive owner as (
    select distinct c.relowner as role
    from pg_class as c
    join pg_roles as r on r.oid = c.relowner and not r.rolsuper
    join pg_trigger as t on t.tgrelid = c.oid
    join pg_proc as f on f.oid = t.tgfoid
    where f.pronamespace = to_regnamespace('auditctl_triggers')
),

membership as (
    select owner.role, m.member, m.roleid as via, m.grantor
    from owner
    join pg_auth_members as m on m.roleid = owner.role
    where coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
    union
    select membership.role, m.member, m.roleid, m.grantor
    from membership
    join pg_auth_members as m on m.roleid = membership.member
    where coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) or coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
)

select
    r.rolname || ' as ' || pg_get_userbyid(membership.role) as object,
    r.rolname::text as who,
    pg_get_userbyid(membership.role)::text as owner,
    quote_ident(r.rolname) as role,
    quote_ident(pg_get_userbyid(membership.via)) as via,
    case when current_setting('server_version_num')::integer >= 160000 then pg_get_userbyid(membership.grantor)::text end as grantor,
    case when current_setting('server_version_num')::integer >= 160000 and membership.grantor <> 10
        then format(' granted by %%I', pg_get_userbyid(membership.grantor)) else '' end as by_grantor,
    case when %(is_guarded)s then 'notice' else 'warning' end as severity,
    case when %(is_guarded)s then 'change their data by DDL, which no trigger sees' else 'switch their capture off' end as power
from membership
join pg_roles as r on r.oid = membership.member
where r.rolcanlogin and not r.rolsuper and not pg_has_role(r.oid, 'auditctl_owner', 'MEMBER')
order by 1, membership.via, membership.grantor
