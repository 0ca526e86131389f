-- Functions in the schema of generated functions that no rule needs and no trigger calls.
select
    p.oid::regprocedure::text as object,
    p.oid::regprocedure::text as function,
    -- Administrators drop only what auditctl itself may have generated.
    case
        when p.proowner = to_regrole('auditctl_owner')::oid and p.pronargs = 0 and p.prokind = 'f' then 'configuration' else 'installer'
    end as needs
from pg_proc as p
where p.pronamespace = to_regnamespace('auditctl_triggers')
    and not (p.pronargs = 0 and p.proname = any (%(needed)s))
    and not exists (select from pg_trigger as t where t.tgfoid = p.oid)
order by 1
