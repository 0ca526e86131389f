-- What keeps writes from capture although every trigger is in place, for `check`, `doctor` and the coverage guard.

create or replace function auditctl.is_audited_view(p_relation oid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- The view and what it reads, through any number of views.
    with recursive site as (
        select c.oid as relation, c.relkind as kind
        from pg_class as c
        where c.oid = p_relation
        union
        select c.oid, c.relkind
        from site
        join pg_rewrite as r on r.ev_class = site.relation and r.ev_type = '1'
        join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
        join pg_class as c on c.oid = d.refobjid and c.relkind in ('r', 'p', 'f', 'v', 'm')
        where site.kind = 'v'
    ),

    audited as (
        select k.relation::oid as relation from auditctl.capture as k
        union
        select i.inhrelid from audited join pg_inherits as i on i.inhparent = audited.relation
    )

    select
        pg_relation_is_updatable(p_relation, true) = 0
        or bool_and(
            case
                -- An INSTEAD OF trigger or rule may write anywhere.
                when site.kind = 'v' then not exists (
                    select from pg_rewrite as r where r.ev_class = site.relation and r.ev_type <> '1'
                ) and not exists (select from pg_trigger as t where t.tgrelid = site.relation and t.tgtype & 64 <> 0)
                else site.relation in (select audited.relation from audited)
            end
        )
    from site
$auditctl$;
revoke execute on function auditctl.is_audited_view from public;
grant execute on function auditctl.is_audited_view to auditctl_reader;
comment on function auditctl.is_audited_view is
    'Whether no write through a view is missing from the log: it cannot be written to, or writes to audited tables only';

create or replace function auditctl.new_write_rules() returns table (target text, rule text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select k.target, r.name
    from auditctl.capture as k
    cross join lateral auditctl_internal.current_rules(k.relation, auditctl_internal.current_members(k.relation)) as present
    cross join lateral auditctl_internal.new_rules(k.rules, present) as r (name)
    order by k.target, r.name
$auditctl$;
revoke execute on function auditctl.new_write_rules from public;
grant execute on function auditctl.new_write_rules to auditctl_reader;
comment on function auditctl.new_write_rules is
    'The INSTEAD rules on audited tables and their members that were not there, or did something else, when capture was installed';
