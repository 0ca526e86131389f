-- Superusers other than the one that initdb created; role_app_superuser checks those that may name users.
with recursive membership as (
    select r.oid as role, r.oid as member from pg_roles as r where r.rolname = 'auditctl_app'
    union
    select membership.role, m.member
    from membership
    join pg_auth_members as m on m.roleid = membership.member
)

select r.rolname::text as object, quote_ident(r.rolname) as role
from pg_roles as r
where r.rolsuper and r.oid <> 10 and not exists (select from membership where membership.member = r.oid)
order by 1
