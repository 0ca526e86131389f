-- Superusers besides the one that initdb made; those that may name users have a check of their own.
with recursive held as (
    select r.oid as role, r.oid as member from pg_roles as r where r.rolname = 'auditctl_app'
    union
    select held.role, m.member
    from held
    join pg_auth_members as m on m.roleid = held.member
)

select r.rolname::text as object, quote_ident(r.rolname) as role
from pg_roles as r
where r.rolsuper and r.oid <> 10 and not exists (select from held where held.member = r.oid)
order by 1
