-- The login that may drop the database with the log, unless it is a superuser or the login that installed auditctl.
select
    d.datname || ' of ' || r.rolname as object,
    quote_ident(d.datname) as database,
    r.rolname::text as who,
    quote_ident(bootstrap.rolname) as superuser
from pg_database as d
join pg_roles as r on r.oid = d.datdba
join pg_roles as bootstrap on bootstrap.oid = 10
where d.datname = current_database()
    and r.rolcanlogin and not r.rolsuper and not pg_has_role(r.oid, 'auditctl_owner', 'MEMBER')
