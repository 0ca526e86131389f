-- The triggers that rules need, each with what is wrong with it and how to repair it.
select
    t.root::bigint as root,
    t.relation::bigint as relation,
    t.action::text as action,
    t.trigger,
    t.function,
    t.grantee,
    t.is_clone,
    t.faults,
    t.statements,
    t.digest
from auditctl.capture_triggers(
    array(select c from pg_catalog.jsonb_populate_recordset(null::auditctl.capture, %(captures)s) as c), %(is_thorough)s
) as t
