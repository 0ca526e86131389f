-- What a capture function depends on, and whether it was already compared with what the generator makes of that. To
-- generate a function takes milliseconds, to compute its digest microseconds: with thousands of tables, only what is not
-- known to be sound is generated.

create or replace function auditctl_internal.generator() returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return auditctl_internal.digest((
        select string_agg(row(t.action, t.generator, t.parts)::text, '' order by t.action) from auditctl.template as t
    ) || current_setting('server_version_num')::integer / 10000);
end
$auditctl$;
comment on function auditctl_internal.generator is 'A digest of the templates and the SQL that generate functions, and of the version of the server';

create or replace function auditctl_internal.site_inputs(p_site auditctl.capture_site, p_capture auditctl.capture, p_generator text)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_site auditctl.capture_site := p_site;
    v_index auditctl.key_index;
begin
    -- The first index alone: a new one that comes later, or the key that the table is registered with at last, changes nothing.
    v_site.key_indexes := '{}';
    foreach v_index in array p_site.key_indexes loop
        if v_index.is_primary or not v_index.columns && (p_capture.exclude || p_capture.mask) then
            v_index.name := null;
            v_site.key_indexes := array[v_index];
            exit;
        end if;
    end loop;
    -- Everything that auditctl_internal.capture_function reads. A relation, a column or a type of another database has
    -- other numbers, so nothing is known in a restored one.
    return auditctl_internal.digest(row(
        v_site,
        to_jsonb(p_capture) - '{relation,actions,members,detached,columns,columns_of,rules,shape,key_indexes,being_changed_by,former_exclude,former_mask,on_drop,taken_in_by}'::text[],
        p_generator
    )::text);
end
$auditctl$;
comment on function auditctl_internal.site_inputs is
    'A digest of everything from which the capture functions of an audited table, or of a child of it, are generated, given auditctl_internal.generator';

create or replace function auditctl_internal.function_inputs(p_captures auditctl.capture[])
returns table (root oid, relation oid, inputs text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_generator constant text := auditctl_internal.generator();
    v_relations oid[];
    v_roots oid[];
begin
    -- A partition has the functions of the audited table, a child its own.
    select array_agg(c.oid), array_agg(k.relation::oid)
    into v_relations, v_roots
    from unnest(p_captures) as k
    cross join lateral unnest(k.relation::oid || k.members::oid[]) as m (oid)
    join pg_class as c on c.oid = m.oid and (c.oid = k.relation or not c.relispartition);
    return query
    select s.root, s.relation, auditctl_internal.site_inputs(s, k, v_generator)
    from auditctl_internal.describe_sites(v_relations, v_roots) as s
    join unnest(p_captures) as k on k.relation::oid = s.root;
end
$auditctl$;
comment on function auditctl_internal.function_inputs is 'auditctl_internal.site_inputs of each audited table and each child';

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
