-- What in the store is not as this version creates it, and would be run (auditctl/store_code.py).
select c.name as object from unnest(%(changed)s::text []) as c (name) order by 1
