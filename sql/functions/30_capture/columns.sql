-- The columns of an audited table.

create or replace function auditctl.qualified(p_schema text, p_name text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return concat_ws(
        '.',
        case when p_schema ~ '[].*?"[]' then '"' || replace(p_schema, '"', '""') || '"' else p_schema end,
        case when p_name ~ '[].*?"[]' then '"' || replace(p_name, '"', '""') || '"' else p_name end
    );
end
$auditctl$;
revoke execute on function auditctl.qualified from public;
grant execute on function auditctl.qualified to auditctl_reader;
comment on function auditctl.qualified is 'The name under which a table is registered: each part in double quotes only where it would be ambiguous';

create or replace function auditctl_internal.is_system_schema(p_schema text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select p_schema ^@ 'pg_' or p_schema in ('information_schema', 'auditctl', 'auditctl_internal', 'auditctl_triggers', 'auditctl_guard')
$auditctl$;
comment on function auditctl_internal.is_system_schema is 'Whether a schema is one of PostgreSQL or auditctl, whose tables no rule covers';

create or replace function auditctl.canonical_target(p_text text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        coalesce(
            (
                select string_agg(
                    case
                        when part.name like '"%' and part.name !~ '^".*[].*?"[].*"$' then btrim(part.name, '"')
                        else part.name
                    end, '.' order by part.position
                )
                from unnest(
                    regexp_match(p_text, '^(?:((?:"(?:[^"]|"")+")|[^".]+)[.])?((?:"(?:[^"]|"")+")|[^".]+)$')
                ) with ordinality as part (name, position)
            ), p_text
        )
$auditctl$;
revoke execute on function auditctl.canonical_target from public;
grant execute on function auditctl.canonical_target to auditctl_reader;
comment on function auditctl.canonical_target is
    'The name under which a table is registered, from one that has parts in quotes as in SQL, or a glob with such parts; any other text as it is';

create or replace function auditctl_internal.describe_types(p_types oid[])
returns table (type oid, base_oid oid, base_type text, is_array boolean, is_plain boolean, constituents text[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_number integer;
    v_others oid[];
begin
    -- Nearly all columns have such a type, or an array of one. Object ids below 16384 belong to PostgreSQL itself.
    return query
    select
        t.oid, t.oid, format('%I.%I', 'pg_catalog', t.typname), t.typcategory = 'A', t.typname not in ('json', '_json', '_jsonb'),
        array[coalesce(e.typname, t.typname)::text]
    from pg_type as t
    left join pg_type as e on t.typcategory = 'A' and e.oid = t.typelem
    where t.oid = any (p_types) and t.oid < 16384 and t.typtype = 'b'
        and (t.typcategory <> 'A' or e.typtype = 'b' and e.typcategory <> 'A');
    get diagnostics v_number = row_count;
    if v_number = cardinality(p_types) then
        return;
    end if;
    v_others := array(
        select t.oid
        from pg_type as t
        left join pg_type as e on t.typcategory = 'A' and e.oid = t.typelem
        where t.oid = any (p_types)
            and not (t.oid < 16384 and t.typtype = 'b' and (t.typcategory <> 'A' or e.typtype = 'b' and e.typcategory <> 'A'))
    );
    if v_others = '{}' then
        return;
    end if;
    return query
    with recursive part as (
        select u.type, u.type as oid, true as is_outer
        from unnest(v_others) as u (type)
        union
        select p.type, inner_type.oid, p.is_outer and t.typtype = 'd'
        from part as p
        join pg_type as t on t.oid = p.oid
        cross join lateral (
            select t.typbasetype as oid where t.typtype = 'd'
            union all
            select t.typelem where t.typcategory = 'A' and t.typelem <> 0 and t.typtype <> 'd'
            union all
            select r.rngsubtype from pg_range as r where t.oid in (r.rngtypid, r.rngmultitypid)
            union all
            select a.atttypid from pg_attribute as a
            where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        ) as inner_type
    ),

    described as (
        select
            p.type,
            max(p.oid) filter (where p.is_outer) as base_oid,
            bool_and(p.oid < 16384 and t.typname not in ('json', '_json', '_jsonb')) as is_plain,
            -- The text of an enum depends on no setting; about a foreign type nothing is known, and a composite may change.
            coalesce(
                array_agg(distinct case when p.oid < 16384 then t.typname::text else '?' end)
                    filter (where t.typtype <> 'e' and t.typcategory <> 'A'), '{}'
            ) as constituents
        from part as p
        join pg_type as t on t.oid = p.oid
        where not (p.is_outer and t.typtype = 'd')
        group by p.type
    )

    select d.type, d.base_oid, format('%I.%I', n.nspname, t.typname), t.typcategory = 'A', d.is_plain, d.constituents
    from described as d
    join pg_type as t on t.oid = d.base_oid
    join pg_namespace as n on n.oid = t.typnamespace;
end
$auditctl$;
comment on function auditctl_internal.describe_types is
    'For each type: the type without domains, whether its values are converted to JSONB directly, and the types that they may consist of; see auditctl.captured_column';

create or replace function auditctl_internal.column_names(p_relation oid) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return array(
        select a.attname::text
        from pg_attribute as a
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
        order by a.attnum
    );
end
$auditctl$;
comment on function auditctl_internal.column_names is 'The names of the columns that capture can see, in order';
