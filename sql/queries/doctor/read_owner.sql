-- Owners of tables whose reads are audited, if row security would apply to them but is not forced.
select
    s.target as object,
    r.rolname::text as owner,
    s.relation::text as relation
from auditctl.read_site as s
join pg_class as c on c.oid = s.relation
join pg_roles as r on r.oid = c.relowner
where s.relation::oid = s.root::oid and not c.relforcerowsecurity and not r.rolsuper and not r.rolbypassrls
order by 1
