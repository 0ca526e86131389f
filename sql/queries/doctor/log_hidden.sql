-- Tables of the store whose rows are hidden from logins that row security holds: a dump by one would lack them.
with shown as (
    select
        p.polrelid,
        bool_or(p.polrelid = to_regclass('auditctl.log_key') or pg_get_expr(p.polqual, p.polrelid) = 'true') as is_whole
    from pg_policy as p
    where p.polcmd = 'r' and p.polpermissive and p.polroles = '{0}'
    group by p.polrelid
)

select
    c.oid::regclass::text as object,
    c.oid::regclass::text as relation,
    case when hiding.polname is null then 'no policy shows them' else format('the policy %I hides some', hiding.polname) end as reason,
    case
        when hiding.polname is null then 'set role auditctl_owner; select auditctl_internal.open_store_to_dumps(); reset role;'
        else format('set role auditctl_owner; drop policy %I on %s; reset role;', hiding.polname, c.oid::regclass)
    end as remedy
from pg_class as c
left join pg_policy as hiding on hiding.polrelid = c.oid and not hiding.polpermissive and hiding.polcmd in ('r', '*')
where c.relnamespace = to_regnamespace('auditctl') and c.relkind in ('r', 'p') and c.relrowsecurity
    and (hiding.polname is not null or not exists (select from shown where shown.polrelid = c.oid and shown.is_whole))
order by 1, 3
