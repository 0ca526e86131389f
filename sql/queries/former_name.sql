-- Tables and views that have the former name of an audited table but are not audited, directly or as members; each with the
-- present capture of the table that had the name, nulls if it is no longer audited. A view of audited tables is none of them.
with recursive audited as (
    select capture.relation::oid as relation
    from auditctl.capture as capture
    union
    select link.inhrelid
    from audited
    join pg_catalog.pg_inherits as link on link.inhparent = audited.relation
),

candidate as (
    select
        relation.oid,
        relation.relkind,
        auditctl.qualified(namespace.nspname, relation.relname) as name
    from pg_catalog.pg_class as relation
    join pg_catalog.pg_namespace as namespace on namespace.oid = relation.relnamespace
    where relation.relpersistence <> 't'
        and relation.relkind in ('r', 'p', 'f', 'm', 'v')
        and relation.oid not in (select audited.relation from audited)
),

-- The table that gave up the name last, followed through its later names.
follow as (
    select
        candidate.oid,
        candidate.relkind,
        candidate.name,
        rename.new_target as target,
        rename.renamed_at as since
    from candidate
    join auditctl.rename as rename on rename.old_target = candidate.name
    where not exists (
        select from auditctl.rename as back
        where back.new_target = candidate.name and back.renamed_at > rename.renamed_at
    )
    union
    select
        follow.oid,
        follow.relkind,
        follow.name,
        rename.new_target,
        rename.renamed_at
    from follow
    join auditctl.rename as rename on rename.old_target = follow.target and rename.renamed_at > follow.since
)

select distinct on (follow.name)
    follow.name,
    follow.target,
    to_jsonb(capture) || case
        when exists (select from pg_catalog.pg_index as i where i.indrelid = follow.oid and i.indisprimary) then '{"key": []}'::jsonb
        else '{}'::jsonb
    end as capture,
    array(
        select attribute.attname::text
        from pg_catalog.pg_attribute as attribute
        where attribute.attrelid in (follow.oid, capture.relation) and attribute.attnum > 0 and not attribute.attisdropped
    ) as columns,
    case follow.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind
from follow
left join auditctl.capture as capture on capture.target = follow.target
-- A table with a rule of its own is deliberately not audited.
where not exists (select from auditctl.rule as rule where rule.name = follow.name)
    -- Decided last, for few: it takes longer than all the rest, and a condition on `candidate` would be checked for every view.
    and (follow.relkind <> 'v' or not auditctl.is_audited_view(follow.oid))
order by follow.name, follow.since desc
