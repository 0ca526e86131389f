-- What a capture function depends on, and whether it was already compared with what the generator makes of that. To
-- generate a function takes milliseconds, to compute its digest microseconds: with thousands of tables, only what is not
-- known to be sound is generated.

create or replace function auditctl_internal.function_inputs(p_captures auditctl.capture[])
returns table (root oid, relation oid, inputs text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
begin
    -- Everything that auditctl_internal.capture_function reads. A relation, a column or a type of another database has
    -- other numbers, so nothing is known in a restored one.
    return query
    with generator as materialized (
        select encode(sha256(convert_to(
            string_agg(row(t.action, t.generator, t.parts)::text, '' order by t.action)
            || current_setting('server_version_num')::integer / 10000, getdatabaseencoding()
        )), 'hex') as digest
        from auditctl.template as t
    ),

    capture as materialized (
        select
            k.relation::oid as root,
            k.members::oid[] as members,
            k.exclude || k.mask as hidden,
            (to_jsonb(k) - '{relation,actions,members,detached,columns,columns_of,rules,shape,key_indexes,being_changed_by,former_exclude,former_mask,on_drop,taken_in_by}'::text[])::text as keys
        from unnest(p_captures) as k
    ),

    -- A partition has the functions of the audited table, a child its own.
    site as materialized (
        select
            k.root,
            c.oid as relation,
            k.hidden,
            row(
                k.root, c.oid, k.keys, n.nspname, c.relname, c.relkind, pg_get_userbyid(c.relowner), rn.nspname, r.relname,
                case c.relkind when 'p' then pg_partition_root(c.oid)::oid end
            )::text as described
        from capture as k
        cross join lateral unnest(k.root || k.members) as m (oid)
        join pg_class as c on c.oid = m.oid and (c.oid = k.root or not c.relispartition)
        join pg_namespace as n on n.oid = c.relnamespace
        join pg_class as r on r.oid = k.root
        join pg_namespace as rn on rn.oid = r.relnamespace
    ),

    attribute as materialized (
        select a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated, a.attisdropped
        from (select distinct s.relation from site as s) as s
        join pg_attribute as a on a.attrelid = s.relation and a.attnum > 0
    ),

    -- PostgreSQL's own types, whose object ids are below 16384, never change.
    foreign_type as materialized (
        select a.atttypid, row(d.base_oid, d.is_plain, d.constituents, n.nspname, t.typname, t.typcategory)::text as described
        from (select distinct a.atttypid from attribute as a where a.atttypid >= 16384) as a
        cross join lateral auditctl_internal.describe_types(array[a.atttypid]) as d
        join pg_type as t on t.oid = d.base_oid
        join pg_namespace as n on n.oid = t.typnamespace
    ),

    shape as (
        select a.attrelid, string_agg(a::text || coalesce(f.described, ''), '' order by a.attnum) as columns
        from attribute as a
        left join foreign_type as f on f.atttypid = a.atttypid
        group by a.attrelid
    ),

    -- The first index alone: a new one that comes later, or the key that the table is registered with at last, changes nothing.
    key as (
        select distinct on (s.root, s.relation) s.root, s.relation, row(k.columns, k.is_primary)::text as described
        from site as s
        join auditctl_internal.key_indexes(array(select distinct s.relation from site as s)) as k on k.relation = s.relation
        where k.is_primary or not k.columns && s.hidden
        order by s.root, s.relation, k.rank
    )

    select
        s.root,
        s.relation,
        encode(sha256(convert_to(
            row(s.described, shape.columns, key.described, g.digest)::text, getdatabaseencoding()
        )), 'hex')
    from site as s
    cross join generator as g
    left join shape on shape.attrelid = s.relation
    left join key on key.root = s.root and key.relation = s.relation;
end
$auditctl$;
comment on function auditctl_internal.function_inputs is
    'For each audited table and each child: a digest of everything from which their capture functions are generated';

create or replace function auditctl_internal.function_digest(p_inputs text, p_action auditctl.action, p_source text, p_settings text[])
returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- PL/pgSQL keeps its plans; PostgreSQL would plan the body of an SQL function at each call.
    return encode(sha256(convert_to(
        row(p_inputs, p_action, p_source, array(select s.setting from unnest(p_settings) as s (setting) order by s.setting collate "C"))::text,
        getdatabaseencoding()
    )), 'hex');
end
$auditctl$;
comment on function auditctl_internal.function_digest is
    'What stands in auditctl.function_digest for a function of this source and settings that was generated from these inputs';

create or replace function auditctl_internal.store_digests(p_digests jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    insert into auditctl.function_digest as known (function, digest)
    select d.key, d.value from jsonb_each_text(p_digests) as d
    on conflict (function) do update set digest = excluded.digest where known.digest <> excluded.digest;
end
$auditctl$;
comment on function auditctl_internal.store_digests is
    'Stores that functions, by name, are as generated: their digests, as auditctl_internal.function_digest computes each';

create or replace function auditctl_internal.forget_digests() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    delete from auditctl.function_digest as d
    where not exists (select from pg_proc as p where p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = d.function)
$auditctl$;
comment on function auditctl_internal.forget_digests is 'Deletes what auditctl.function_digest has of functions that were dropped';
