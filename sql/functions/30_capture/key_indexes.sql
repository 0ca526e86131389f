-- The key of an audited table: by which columns its rows are identified.

create or replace function auditctl_internal.key_indexes(p_relations oid[])
returns table (relation oid, name text, columns text[], is_primary boolean, rank bigint)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_number integer;
    v_others oid[];
begin
    return query
    select
        i.indrelid, null::text, array(
            select a.attname::text
            from unnest(i.indkey) with ordinality as k (number, position)
            join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
            where k.position <= i.indnkeyatts
            order by k.position
        ), true, 1::bigint
    from pg_index as i
    where i.indrelid = any (p_relations) and i.indisprimary;
    get diagnostics v_number = row_count;
    if v_number = cardinality(p_relations) then
        return;
    end if;
    v_others := array(
        select r.oid
        from unnest(p_relations) as r (oid)
        where not exists (select from pg_index as p where p.indrelid = r.oid and p.indisprimary)
    );
    return query
    select
        i.indrelid, format('%I.%I', n.nspname, c.relname), k.columns, false,
        row_number() over (
            partition by i.indrelid
            order by
                i.indisreplident desc, registered.key_columns is not distinct from k.columns desc, cardinality(k.columns),
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
    where i.indrelid = any (v_others) and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
        and k.are_sure;
end
$auditctl$;
comment on function auditctl_internal.key_indexes is
    'The indexes by whose columns rows may be identified, the best first: the primary key alone, or else whole unique indexes over columns that are not null, first that of the replica identity, then that by which rows are identified until now, then those of the fewest columns; a primary key without its name';

create or replace function auditctl_internal.best_key(p_indexes auditctl.key_index[], p_columns text[], p_key text[], p_hidden text[])
returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_index auditctl.key_index;
begin
    if p_indexes[1].is_primary then
        return p_indexes[1].columns;
    elsif p_key <> '{}' and p_key <@ p_columns then
        return p_key;
    end if;
    foreach v_index in array p_indexes loop
        if v_index.columns <@ p_columns and not v_index.columns && p_hidden then
            return v_index.columns;
        end if;
    end loop;
    return '{}';
end
$auditctl$;
comment on function auditctl_internal.best_key is
    'The columns that identify a row, in order: of the primary key, or else those that the rule names and that exist, or else of the first unique index without hidden columns; empty if there are none';

create or replace function auditctl_internal.ranked_key_indexes(p_relation oid) returns auditctl.key_index[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return array(
        select row(k.name, k.columns, k.is_primary)::auditctl.key_index
        from auditctl_internal.key_indexes(array[p_relation]) as k
        order by k.rank
    );
end
$auditctl$;
comment on function auditctl_internal.ranked_key_indexes is 'The indexes of auditctl_internal.key_indexes of one table, the best first';

create or replace function auditctl_internal.key_columns(p_relation oid, p_columns text[], p_key text[], p_hidden text[]) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return auditctl_internal.best_key(auditctl_internal.ranked_key_indexes(p_relation), p_columns, p_key, p_hidden);
end
$auditctl$;
comment on function auditctl_internal.key_columns is 'The columns that identify a row of a table: see auditctl_internal.best_key';

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
