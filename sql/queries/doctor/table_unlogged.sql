-- Audited tables, and parts of the log, that a crash empties.
select
    c.oid::regclass::text as object,
    c.oid::regclass::text as relation,
    pg_get_userbyid(c.relowner)::text as owner
from pg_class as c
where c.relpersistence = 'u' and c.relkind in ('r', 'p')
    and (
        c.relnamespace = to_regnamespace('auditctl')
        or c.oid in (
            select t.tgrelid from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
            where f.pronamespace = to_regnamespace('auditctl_triggers')
        )
    )
order by 1
