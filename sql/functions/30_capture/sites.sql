-- What the generator of capture functions knows of a table: it reads the catalog here only.

create or replace function auditctl_internal.describe_sites(p_relations oid[], p_roots oid[]) returns setof auditctl.capture_site
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
-- The order below is the best; to find that out takes milliseconds, once in each session.
set join_collapse_limit = 1
as $auditctl$
begin
    return query
    with attribute as materialized (
        select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attgenerated
        from pg_attribute as a
        where a.attrelid = any (p_relations) and a.attnum > 0 and not a.attisdropped
    ),

    type as materialized (
        select d.* from auditctl_internal.describe_types(array(select distinct a.atttypid from attribute as a)) as d
    ),

    shape as (
        select
            a.attrelid,
            array_agg(
                row(
                    a.attname,
                    -- A domain of information_schema is PostgreSQL's own, too, but its values have not the type underneath.
                    case when t.is_plain and a.atttypid < 16384 and a.atttypid = t.base_oid then t.base_type end,
                    t.base_type, t.base_oid, a.atttypmod, t.is_array, t.is_plain, t.constituents
                )::auditctl.captured_column order by a.attnum
                -- A virtual generated column has no value in a trigger.
            ) filter (where a.attgenerated <> 'v') as columns,
            array_agg(lpad(to_hex(a.atttypid::bigint), 8, '0') order by a.attnum) as types
        from attribute as a
        join type as t on t.type = a.atttypid
        group by a.attrelid
    ),

    key as (
        select k.relation, array_agg(row(k.name, k.columns, k.is_primary)::auditctl.key_index order by k.rank) as indexes
        from auditctl_internal.key_indexes(p_relations) as k
        group by k.relation
    )

    select
        c.oid, n.nspname::text, c.relname::text, c.relkind::text, pg_get_userbyid(c.relowner)::text, r.oid, rn.nspname::text,
        r.relname::text, case c.relkind when 'p' then pg_partition_root(c.oid)::oid end, coalesce(shape.columns, '{}'),
        coalesce(shape.types, '{}'), coalesce(key.indexes, '{}')
    from unnest(p_relations, p_roots) as site (relation, root)
    join pg_class as c on c.oid = site.relation
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_class as r on r.oid = site.root
    join pg_namespace as rn on rn.oid = r.relnamespace
    left join shape on shape.attrelid = site.relation
    left join key on key.relation = site.relation;
end
$auditctl$;
comment on function auditctl_internal.describe_sites is
    'All in the catalog from which the capture functions of audited tables, or of children of them, are generated';

create or replace function auditctl_internal.describe_site(p_relation oid, p_root oid) returns auditctl.capture_site
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_site auditctl.capture_site;
begin
    select s.* into v_site from auditctl_internal.describe_sites(array[p_relation], array[p_root]) as s;
    return v_site;
end
$auditctl$;
comment on function auditctl_internal.describe_site is 'auditctl_internal.describe_sites of one table';
