-- INSTEAD rules on audited tables, which do something in place of a write.
select
    quote_ident(r.rulename) || ' on ' || r.ev_class::regclass as object,
    r.ev_class::regclass::text as relation,
    quote_ident(r.rulename) as rule,
    case r.ev_type when '2' then 'update' when '3' then 'insert' else 'delete' end as command,
    case
        when written.missing <> ''
            then format('Audit what the rule writes to, and accept the finding if an application needs the rule: %s', written.missing)
        when written.number > 0
            then 'What the rule writes to is audited: accept the finding if an application needs the rule'
    end as remedy
from pg_rewrite as r
cross join lateral (
    select
        count(*) as number,
        coalesce(string_agg('auditctl enable ' || d.refobjid::regclass::text, '; ' order by d.refobjid::regclass::text) filter (
            where not exists (
                select from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
                where t.tgrelid = d.refobjid and f.pronamespace = to_regnamespace('auditctl_triggers')
            )
        ), '') as missing
    from (
        select distinct d.refobjid
        from pg_depend as d
        join pg_class as c on c.oid = d.refobjid and c.relkind in ('r', 'p', 'f')
        where d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> r.ev_class
    ) as d
) as written
where r.is_instead and r.ev_type in ('2', '3', '4') and r.ev_enabled <> 'D'
    and r.ev_class in (
        select t.tgrelid from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
        where f.pronamespace = to_regnamespace('auditctl_triggers')
    )
order by r.ev_class::regclass::text, r.rulename
