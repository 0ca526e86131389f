-- Rules on audited tables that do something in place of a write (check rule_instead) or in addition to it (rule_also).
select
    quote_ident(r.rulename) || ' on ' || r.ev_class::regclass as object,
    r.ev_class::regclass::text as relation,
    quote_ident(r.rulename) as rule,
    pg_get_userbyid(audited.relowner)::text as owner,
    case r.ev_type when '2' then 'update' when '3' then 'insert' else 'delete' end as command,
    case
        when written.missing <> ''
            then format('Audit what the rule writes to, and accept the finding if an application needs the rule: %%s', written.missing)
        when written.number > 0
            then 'What the rule writes to is audited: accept the finding if an application needs the rule'
    end as remedy
from pg_rewrite as r
join pg_class as audited on audited.oid = r.ev_class
cross join lateral (
    select
        count(*) as number,
        coalesce(string_agg('auditctl enable ' || d.quoted, '; ' order by d.name) filter (
            where not exists (
                select from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
                where t.tgrelid = d.refobjid and f.pronamespace = to_regnamespace('auditctl_triggers')
            )
        ), '') as missing
    from (
        select distinct
            dependency.refobjid, written_to.name,
            -- For a shell.
            case
                when written_to.name ~ '^[A-Za-z0-9_.]+$' then written_to.name
                else '''' || replace(written_to.name, '''', '''' || chr(92) || '''''') || ''''
            end as quoted
        from pg_depend as dependency
        join pg_class as c on c.oid = dependency.refobjid and c.relkind in ('r', 'p', 'f')
        cross join lateral (select c.oid::regclass::text as name) as written_to
        where dependency.classid = 'pg_rewrite'::regclass and dependency.objid = r.oid
            and dependency.refclassid = 'pg_class'::regclass and dependency.refobjid <> r.ev_class
    ) as d
) as written
where r.is_instead = (%(check)s = 'rule_instead') and r.ev_type in ('2', '3', '4') and r.ev_enabled <> 'D'
    and r.ev_class in (
        select t.tgrelid from pg_trigger as t join pg_proc as f on f.oid = t.tgfoid
        where f.pronamespace = to_regnamespace('auditctl_triggers')
    )
order by r.ev_class::regclass::text, r.rulename
