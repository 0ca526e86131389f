-- The generated functions as they are now, and whatever else lies in their schema: that with its arguments.
select
    case when p.prokind = 'f' and p.pronargs = 0 then p.proname::text else p.proname || pg_catalog.substring(p.oid::regprocedure::text, '[(].*') end,
    p.prosrc,
    coalesce(p.proconfig, '{}'),
    p.prosecdef
    and p.prokind = 'f'
    and p.pronargs = 0
    and p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype
    and l.lanname = 'plpgsql',
    pg_catalog.pg_get_userbyid(p.proowner)::text,
    array(
        select distinct case a.grantee when 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee) end::text as grantee
        from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) as a
        where a.grantee <> p.proowner
        order by grantee
    ),
    coalesce(pg_catalog.obj_description(p.oid, 'pg_proc'), ''),
    'drop routine if exists ' || p.oid::regprocedure::text
from pg_catalog.pg_proc as p
join pg_catalog.pg_language as l on l.oid = p.prolang
where p.pronamespace = %(trigger_schema)s::pg_catalog.regnamespace
order by p.proname collate "C"
