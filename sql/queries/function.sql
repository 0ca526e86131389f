-- The generated functions, and all other routines in their schema, which are named with their arguments.
select
    case when p.prokind = 'f' and p.pronargs = 0 then p.proname::text else p.proname || pg_catalog.substring(p.oid::regprocedure::text, '[(].*') end as name,
    coalesce(pg_catalog.obj_description(p.oid, 'pg_proc'), '') as comment,
    'drop routine if exists ' || p.oid::regprocedure::text as drop_statement
from pg_catalog.pg_proc as p
where p.pronamespace = %(trigger_schema)s::pg_catalog.regnamespace
order by p.proname collate "C"
