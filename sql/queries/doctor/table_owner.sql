-- Logins that own audited tables, without superusers and the login that installed auditctl, which owns what it audits.
-- With the coverage guard in place an owner cannot disable capture, but can still change data by DDL.
with owned as (
    select
        c.relowner as owner,
        count(*) as number,
        array_agg(c.oid::regclass::text order by c.oid::regclass::text) as relations
    from pg_class as c
    where c.oid in (
        select t.tgrelid from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
        where f.pronamespace = to_regnamespace('auditctl_triggers')
    )
    group by c.relowner
)

select
    r.rolname::text as object,
    r.rolname::text as who,
    array_to_string(owned.relations[:3], ', ')
    || case when owned.number > 3 then format(' and %%s more audited tables', owned.number - 3) else '' end as relations,
    case when %(is_guarded)s then 'notice' else 'warning' end as severity,
    case when %(is_guarded)s then 'change data by DDL, which no trigger sees' else 'switch capture off' end as power,
    (
        select string_agg(format('alter table %%s owner to %%I; ', one.relation, bootstrap.rolname), '' order by one.relation)
        from unnest(owned.relations) as one (relation)
    )
    || format(
        'grant select, insert, update, delete, truncate, references on %%s to %%I;',
        array_to_string(owned.relations, ', '), r.rolname
    ) as remedy
from owned
join pg_roles as r on r.oid = owned.owner
join pg_roles as bootstrap on bootstrap.oid = 10
where r.rolcanlogin and not r.rolsuper and not pg_has_role(r.oid, 'auditctl_owner', 'MEMBER')
order by 1
