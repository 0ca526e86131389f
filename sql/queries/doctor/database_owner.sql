-- A login that may drop the database, and the log with it; but no superuser, and not the login that installed.
select
    d.datname || ' of ' || r.rolname as object,
    quote_ident(d.datname) as database,
    r.rolname::text as who,
    quote_ident(boss.rolname) as superuser
from pg_database as d
join pg_roles as r on r.oid = d.datdba
join pg_roles as boss on boss.oid = 10
where d.datname = current_database()
    and r.rolcanlogin and not r.rolsuper and not pg_has_role(r.oid, 'auditctl_owner', 'MEMBER')
