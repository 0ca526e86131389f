-- The roles of the store with their members and the other databases that use them.
select
    r.rolname::text as name,
    array(
        select m.member::regrole::text from pg_auth_members as m
        where m.roleid = r.oid and m.member::regrole::text <> all (%(roles)s) order by 1
    ) as members,
    array(
        select distinct d.datname::text
        from pg_shdepend as s
        join pg_database as d on d.oid = s.dbid
        where s.refclassid = 'pg_authid'::regclass and s.refobjid = r.oid and d.datname <> current_database()
        order by 1
    ) as databases
from pg_roles as r
where r.rolname = any (%(roles)s)
order by array_position(%(roles)s::text[], r.rolname::text)
