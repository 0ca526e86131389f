-- Those of the given relations whose owner a role cannot act as, so that it cannot create triggers on them.
select
    n.nspname::text,
    c.relname::text,
    pg_get_userbyid(c.relowner)::text
from pg_class as c
inner join pg_namespace as n on n.oid = c.relnamespace
where c.oid = any(%(relations)s::oid[]) and not pg_has_role(coalesce(%(role)s, session_user)::name, c.relowner, 'USAGE')
order by n.nspname, c.relname
