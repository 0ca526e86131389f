-- Code that runs when somebody uses the store: what has to be compared with the files of this version (auditctl/store_code.py).
-- `source` is a function's body, or an expression, a view or a trigger as PostgreSQL writes it; null for what has no place
-- here. Reads PostgreSQL's own catalogs only, and calls nothing of the store.
with ours as materialized (
    select n.oid from pg_namespace as n where n.nspname in ('auditctl', 'auditctl_internal')
),

relation as materialized (
    select c.oid, c.relkind from pg_class as c where c.relnamespace = any (array(select ours.oid from ours))
),

routine as materialized (
    select p.oid, p.pronargdefaults, p.proargdefaults from pg_proc as p where p.pronamespace = any (array(select ours.oid from ours))
),

data_type as materialized (
    select t.oid, t.typtype, t.typcategory from pg_type as t where t.typnamespace = any (array(select ours.oid from ours))
),

part as (
    select 'table' as kind, 'pg_class'::regclass as class, r.oid as object, null::text as source
    from relation as r
    where r.relkind not in ('v', 'i', 'I')
    union all
    select 'table', 'pg_attrdef'::regclass, d.oid, pg_get_expr(d.adbin, d.adrelid)
    from relation as r
    join pg_attrdef as d on d.adrelid = r.oid
    union all
    select 'table', 'pg_constraint'::regclass, c.oid, pg_get_constraintdef(c.oid)
    from relation as r
    join pg_constraint as c on c.conrelid = r.oid and c.contype = 'c'
    union all
    select 'table', 'pg_class'::regclass, i.indexrelid, pg_get_expr(i.indexprs, i.indrelid) || ' ' || coalesce(pg_get_expr(i.indpred, i.indrelid), '')
    from relation as r
    join pg_index as i on i.indrelid = r.oid
    union all
    select 'table', 'pg_policy'::regclass, p.oid, concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    from relation as r
    join pg_policy as p on p.polrelid = r.oid
    union all
    select 'table', 'pg_trigger'::regclass, t.oid, regexp_replace(pg_get_triggerdef(t.oid), ' EXECUTE FUNCTION .*$', '')
    from relation as r
    join pg_trigger as t on t.tgrelid = r.oid and not t.tgisinternal
    union all
    select 'foreign', 'pg_statistic_ext'::regclass, s.oid, null
    from relation as r
    join pg_statistic_ext as s on s.stxrelid = r.oid
    union all
    select case when r.relkind = 'v' then 'view' else 'foreign' end, 'pg_rewrite'::regclass, w.oid, pg_get_viewdef(r.oid)
    from relation as r
    join pg_rewrite as w on w.ev_class = r.oid
    union all
    select 'foreign', 'pg_cast'::regclass, c.oid, null
    from pg_cast as c
    where exists (select from data_type as t where t.oid = c.castsource) or exists (select from data_type as t where t.oid = c.casttarget)
    union all
    select 'foreign', 'pg_operator'::regclass, o.oid, null from pg_operator as o where o.oprnamespace = any (array(select ours.oid from ours))
    union all
    select 'foreign', 'pg_type'::regclass, t.oid, null from data_type as t where t.typtype not in ('c', 'e') and t.typcategory <> 'A'
    union all
    -- Constants as defaults of parameters call nothing.
    select 'table', 'pg_proc'::regclass, p.oid, pg_get_expr(p.proargdefaults, 0)
    from routine as p
    where p.pronargdefaults > 0
    union all
    select 'table', 'pg_proc'::regclass, p.oid, null from routine as p
),

-- What a part refers to outside PostgreSQL's own catalog and the store; a superuser's own is as good.
outside as (
    select distinct part.class, part.object
    from part
    join pg_depend as d on d.classid = part.class and d.objid = part.object and d.deptype in ('n', 'a')
    cross join lateral (
        select p.pronamespace, p.proowner from pg_proc as p where d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid
        union all
        select t.typnamespace, t.typowner from pg_type as t where d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid
        union all
        select o.oprnamespace, o.oprowner from pg_operator as o where d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
        union all
        select o.opcnamespace, o.opcowner from pg_opclass as o where d.refclassid = 'pg_opclass'::regclass and o.oid = d.refobjid
        union all
        select c.relnamespace, c.relowner
        from pg_class as c
        where d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid and part.class in ('pg_rewrite'::regclass, 'pg_policy'::regclass)
    ) as reference (schema, owner)
    join pg_roles as r on r.oid = reference.owner
    where not r.rolsuper and reference.schema not in (select ours.oid from ours)
)

select
    part.kind,
    case part.kind
        when 'view' then (select w.ev_class::regclass::text from pg_rewrite as w where w.oid = part.object)
        else pg_describe_object(part.class, part.object, 0)
    end as name,
    part.source,
    false as is_definer,
    '{}'::text[] as settings
from part
where part.source is not null and part.kind <> 'foreign'
union all
select distinct 'foreign', pg_describe_object(part.class, part.object, 0), null, false, '{}'::text[]
from part
left join outside on outside.class = part.class and outside.object = part.object
where part.kind = 'foreign' or outside.object is not null
union all
select
    case when not code.is_ours then 'foreign' when p.prosqlbody is null then 'function' else 'body' end,
    case when code.is_ours then format('%s.%s', n.nspname, p.proname) else format('function %s', p.oid::regprocedure) end,
    case when code.is_ours then coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) end,
    p.prosecdef,
    coalesce(p.proconfig, '{}')
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
join pg_language as l on l.oid = p.prolang
join pg_roles as r on r.oid = p.proowner
cross join lateral (
    select l.lanname in ('sql', 'plpgsql') and (r.rolname = 'auditctl_owner' or r.rolsuper or p.prosecdef)
) as code (is_ours)
where n.oid in (select ours.oid from ours)
