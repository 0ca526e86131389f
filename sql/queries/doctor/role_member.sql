-- Members of the store's roles but auditctl_owner, through other roles too, that were not granted the role in this database;
-- without members of auditctl_owner, who are named as such.
with recursive store_role (name, power) as (
    values
    ('auditctl_admin', 'read this log, shorten its retention and change what is audited'),
    ('auditctl_reader', 'read this log'),
    ('auditctl_app', 'name any user in its events, and is believed'),
    ('auditctl_backup', 'read this log and its secrets')
),

membership as (
    select s.name, s.power, m.member, m.roleid as via, m.grantor
    from store_role as s
    join pg_auth_members as m on m.roleid = to_regrole(s.name)::oid
    -- An administrator is a reader too.
    where pg_get_userbyid(m.member) not in (select other.name from store_role as other)
    union
    select membership.name, membership.power, m.member, m.roleid, m.grantor
    from membership
    join pg_auth_members as m on m.roleid = membership.member
)

select
    r.rolname::text as object,
    membership.name as store_role,
    membership.power,
    substr(membership.name, length('auditctl_') + 1) as short_name,
    quote_ident(r.rolname) as role,
    quote_ident(pg_get_userbyid(membership.via)) as via,
    case when current_setting('server_version_num')::integer >= 160000 then pg_get_userbyid(membership.grantor)::text end as grantor,
    case when current_setting('server_version_num')::integer >= 160000 and membership.grantor <> 10
        then format(' granted by %I', pg_get_userbyid(membership.grantor)) else '' end as by_grantor
from membership
join pg_roles as r on r.oid = membership.member
where not r.rolsuper and r.rolname <> 'auditctl_owner' and not pg_has_role(r.oid, 'auditctl_owner', 'MEMBER')
    and not exists (select from auditctl.member as k where k.role = membership.name and k.login = r.rolname)
order by r.rolname, membership.name, membership.via, membership.grantor
