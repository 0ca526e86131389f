-- How to grant again what DROP OWNED revokes from auditctl_owner beyond this database, where another store may need it.
select format(
    'grant %s on %s %I to auditctl_owner%s', a.privilege_type, o.kind, o.name, case when a.is_grantable then ' with grant option' else '' end
) as statement
from (
    select 'tablespace' as kind, t.spcname as name, t.spcacl as acl from pg_tablespace as t
    union all
    select 'database', d.datname, d.datacl from pg_database as d where d.datname <> current_database()
) as o
cross join lateral aclexplode(o.acl) as a
where a.grantee = to_regrole('auditctl_owner')
