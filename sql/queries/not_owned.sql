-- Those of the given relations on which this session's login cannot create triggers, because it cannot act as their owner:
-- schema, name and owner of each.
select
    n.nspname::text,
    c.relname::text,
    pg_get_userbyid(c.relowner)::text
from pg_class as c
inner join pg_namespace as n on n.oid = c.relnamespace
where c.oid = any(%(relations)s::oid[]) and not pg_has_role(session_user, c.relowner, 'USAGE')
order by n.nspname, c.relname
