-- The columns and the key of an audited table.

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
returns table (type oid, base_oid oid, is_plain boolean, constituents text[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_others oid[];
begin
    -- Nearly all columns have such a type, which consists of nothing else. Object ids below 16384 belong to PostgreSQL itself.
    return query
    select t.oid, t.oid, t.typname <> 'json', array[t.typname::text]
    from pg_type as t
    where t.oid = any (p_types) and t.oid < 16384 and t.typtype = 'b' and t.typcategory <> 'A';
    v_others := array(
        select t.oid from pg_type as t where t.oid = any (p_types) and not (t.oid < 16384 and t.typtype = 'b' and t.typcategory <> 'A')
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
    )

    select
        p.type,
        max(p.oid) filter (where p.is_outer),
        bool_and(p.oid < 16384 and t.typname not in ('json', '_json', '_jsonb')),
        -- The text of an enum depends on no setting; about a foreign type nothing is known, and a composite may change.
        coalesce(
            array_agg(distinct case when p.oid < 16384 then t.typname::text else '?' end)
                filter (where t.typtype <> 'e' and t.typcategory <> 'A'), '{}'
        )
    from part as p
    join pg_type as t on t.oid = p.oid
    where not (p.is_outer and t.typtype = 'd')
    group by p.type;
end
$auditctl$;
comment on function auditctl_internal.describe_types is
    'For each type: the type without domains, whether its values are converted to JSONB directly, and the types that they may consist of; see auditctl.captured_column';

create or replace function auditctl_internal.captured_columns(p_relation oid) returns setof auditctl.captured_column
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return query
    with captured as (
        select a.attnum, a.attname, a.atttypid
        from pg_attribute as a
        -- A virtual generated column has no value in a trigger.
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
    ),

    described as materialized (
        select d.*
        from auditctl_internal.describe_types(array(select c.atttypid from captured as c)) as d
    )

    select
        c.attname::text,
        c.attnum,
        -- A domain of information_schema is PostgreSQL's own, too, but its values have not the type underneath.
        case when d.is_plain and c.atttypid < 16384 and c.atttypid = d.base_oid then format('%I.%I', n.nspname, t.typname) end,
        format('%I.%I', n.nspname, t.typname),
        d.base_oid,
        t.typcategory = 'A',
        d.is_plain,
        d.constituents
    from captured as c
    join described as d on d.type = c.atttypid
    join pg_type as t on t.oid = d.base_oid
    join pg_namespace as n on n.oid = t.typnamespace
    order by c.attnum;
end
$auditctl$;
comment on function auditctl_internal.captured_columns is 'The columns of a table that capture can see, in order';

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

create or replace function auditctl_internal.key_indexes(p_relations oid[])
returns table (relation oid, name text, columns text[], is_primary boolean, rank bigint)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
begin
    return query
    select
        i.indrelid, format('%I.%I', n.nspname, c.relname), k.columns, i.indisprimary,
        row_number() over (
            partition by i.indrelid
            order by
                i.indisprimary desc, i.indisreplident desc, registered.key_columns is not distinct from k.columns desc, cardinality(k.columns),
                c.relname collate "C"
        )
    from pg_index as i
    join pg_class as c on c.oid = i.indexrelid
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_class as r on r.oid = i.indrelid
    join pg_namespace as rn on rn.oid = r.relnamespace
    left join auditctl.capture as audited on audited.relation = i.indrelid::regclass
    left join auditctl.target as registered on registered.target = coalesce(audited.target, auditctl.qualified(rn.nspname, r.relname))
    cross join lateral (
        select
            array_agg(a.attname::text order by k.position) as columns,
            -- From PostgreSQL 18, a column may be NOT NULL although rows from before are null.
            bool_and(a.attnotnull and a.attgenerated <> 'v' and not exists (
                select from pg_constraint as o
                where o.conrelid = i.indrelid and o.contype = 'n' and o.conkey = array[a.attnum] and not o.convalidated
            )) as are_sure
        from unnest(i.indkey) with ordinality as k (number, position)
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
        where k.position <= i.indnkeyatts
    ) as k
    where i.indrelid = any (p_relations) and (
        i.indisprimary
        or i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null and k.are_sure
            and not exists (select from pg_index as p where p.indrelid = i.indrelid and p.indisprimary)
    );
end
$auditctl$;
comment on function auditctl_internal.key_indexes is
    'The indexes by whose columns rows may be identified, the best first: the primary key alone, or else whole unique indexes over columns that are not null, first that of the replica identity, then that by which rows are identified until now, then those of the fewest columns';

create or replace function auditctl_internal.key_columns(p_relation oid, p_columns text[], p_key text[], p_hidden text[]) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return coalesce(
        (
            select k.columns
            from (
                select i.columns, case when i.is_primary then 1 else 3 end as kind, i.rank
                from auditctl_internal.key_indexes(array[p_relation]) as i
                where i.is_primary or i.columns <@ p_columns and not i.columns && p_hidden
                union all
                select p_key, 2, 1 where p_key <> '{}' and p_key <@ p_columns
            ) as k
            order by k.kind, k.rank
            limit 1
        ), '{}'
    );
end
$auditctl$;
comment on function auditctl_internal.key_columns is
    'The columns that identify a row, in order: of the primary key, or else those that the rule names and that exist, or else of the first unique index without hidden columns; empty if there are none';

create or replace function auditctl.capture_keys(p_captures auditctl.capture[]) returns table (root bigint, columns text[], index_name text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return query
    select k.relation::oid::bigint, key.columns, (
            select i.name
            from auditctl_internal.key_indexes(array[k.relation::oid]) as i
            where i.columns = key.columns and not i.is_primary and k.key <> key.columns
            order by i.rank
            limit 1
        )
    from unnest(p_captures) as k
    cross join lateral auditctl_internal.key_columns(
        k.relation, auditctl_internal.column_names(k.relation), k.key, k.exclude || k.mask
    ) as key (columns);
end
$auditctl$;
revoke execute on function auditctl.capture_keys from public;
grant execute on function auditctl.capture_keys to auditctl_reader;
comment on function auditctl.capture_keys is
    'The key of each table as capture identifies its rows, and the unique index that it is taken from; null for a primary key and for what the rule names';
