-- How many large objects a role may not read: pg_read_all_data does not include them.
select count(*)
from pg_largeobject_metadata as l
where not pg_has_role(%(login)s::name, l.lomowner, 'usage') and not exists (
    select
    from aclexplode(l.lomacl) as a
    where a.privilege_type = 'SELECT' and (a.grantee = 0 or pg_has_role(%(login)s::name, a.grantee, 'usage'))
)
