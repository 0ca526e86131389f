-- The key of each table, and the unique index that it is taken from.
select
    k.root,
    k.columns,
    k.index_name
from auditctl.capture_keys(
    array(select c from pg_catalog.jsonb_populate_recordset(null::auditctl.capture, %(captures)s) as c)
) as k
