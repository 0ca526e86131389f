-- Functions of the store that a role may execute without needing to.
select
    p.oid::regprocedure::text as object,
    p.oid::regprocedure::text as function,
    pg_get_userbyid(p.proowner)::text as owner,
    case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee,
    case a.grantee when 0 then 'Everybody' else pg_get_userbyid(a.grantee) end as who
from pg_proc as p
cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
where
    -- Found once, and before privileges are looked at: the functions of other schemas are thousands.
    p.pronamespace = any (
        array(select n.oid from pg_namespace as n where n.nspname in ('auditctl', 'auditctl_internal', 'auditctl_triggers'))
    )
    and a.grantee <> p.proowner
    -- PostgreSQL requires this of a partitioned table's owner; without USAGE on the schema it cannot name the function.
    and p.proname || ' ' || pg_get_userbyid(a.grantee) <> all (%(granted)s::text [])
    and not exists (
        select
        from pg_trigger as t
        join pg_class as c on c.oid = t.tgrelid and c.relkind = 'p' and c.relowner = a.grantee
        where t.tgfoid = p.oid
    )
    and (
        p.pronamespace = to_regnamespace('auditctl_triggers')
        and (p.proname = any (%(needed)s) or exists (select from pg_trigger as t where t.tgfoid = p.oid))
        -- pg_read_all_data and pg_write_all_data include USAGE on every schema.
        or p.pronamespace = to_regnamespace('auditctl_internal') and a.grantee is distinct from to_regrole('auditctl_owner')::oid
        or p.pronamespace = to_regnamespace('auditctl')
        -- Any session may set the context, but only applications are believed. Policies run with the reader's rights.
        and p.proname not in ('set_context', 'record_read', 'refuse_secret')
        -- Monitoring sees no event.
        and not (p.proname = 'metrics' and a.grantee = to_regrole('pg_monitor'))
        and a.grantee <> all (
            array[
                to_regrole('auditctl_owner'), to_regrole('auditctl_app'), to_regrole('auditctl_reader'), to_regrole('auditctl_admin')
            ]::oid[]
        )
    )
group by p.oid, a.grantee
order by 1, 3
