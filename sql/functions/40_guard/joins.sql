-- How the coverage guard takes in tables that are created under a stored rule, in the transaction that creates them.

create or replace function auditctl_internal.record_new_rows(p_relation regclass, p_rows anyarray) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
set "IntervalStyle" = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
set lc_monetary = 'C'
set array_nulls = on
set quote_all_identifiers = off
set jit = off
as $auditctl$
declare
    v_capture auditctl.capture;
    v_site constant auditctl.capture_site := auditctl_internal.describe_site(p_relation, p_relation);
    v_captured auditctl.captured_column[];
    v_key auditctl.captured_column[];
    v_careful text;
    v_query text;
    v_who auditctl.identity;
begin
    select k.* into v_capture from auditctl.capture as k where k.relation = p_relation;
    v_captured := array(select c from unnest(v_site.columns) as c where c.name <> all (v_capture.exclude));
    -- A table that a query creates has no primary key yet.
    v_key := auditctl_internal.named_columns(v_site.columns, v_capture.key);
    v_capture.key := array(select k.name from unnest(v_key) as k);
    v_who := auditctl_internal.conditional_identity(
        auditctl_internal.identify(), v_capture.target, 'create', v_capture.require_actor, v_capture.require_reason, null
    );
    v_careful := format(
        'auditctl_internal.careful_change(''INSERT'', r.new, r.new, $6, %L::text[], %L::text[], %L::text[], %L::text[])',
        v_capture.exclude, v_capture.mask, array(select c.name from unnest(v_site.columns) as c), v_capture.key
    );
    v_query := $query$
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
        select $1, $2, $3, $4, %s, 'CREATE', %s, $5
        from (%s) as r
        %s
    $query$;
    begin
        execute format(
            v_query, 'coalesce(careful.target_id, r.key)', 'coalesce(careful.new_values, r.image)',
            format(
                'select r.new, %s as image, %s as key from (select unnest($7) as new offset 0) as r offset 0',
                auditctl_internal.row_code('(r.new)', v_captured, v_capture.mask, auditctl_internal.is_whole(v_site, v_captured, v_capture.mask)),
                auditctl_internal.key_code('(r.new)', v_key, v_capture.exclude || v_capture.mask)
            ),
            format(
                -- As a condition of the join, it would be asked after the function.
                'left join lateral (select c.* from %s as c where (pg_column_size(r.image) > 8192%s) and auditctl_internal.text_size(r.image) > auditctl_internal.event_limit() offset 0) as careful on true',
                v_careful, ' or ' || nullif(substr(auditctl_internal.is_large_code(
                    'r.image', auditctl_internal.document_columns(v_captured, v_capture.mask)
                ), 3), '')
            )
        )
        using v_who.actor, v_who.actor_kind, v_who.ip, v_capture.target, v_who.context, p_relation::oid, p_rows;
    exception when data_exception or program_limit_exceeded then
        -- As in a capture function, a value that JSONB cannot hold.
        execute format(v_query, 'careful.target_id', 'careful.new_values', 'select unnest($7) as new offset 0', 'cross join lateral ' || v_careful || ' as careful')
        using v_who.actor, v_who.actor_kind, v_who.ip, v_capture.target, v_who.context, p_relation::oid, p_rows;
    end;
end
$auditctl$;
comment on function auditctl_internal.record_new_rows is
    'Records rows that a table was created with, each as an event CREATE, as its capture function would; called by auditctl_guard.read_new_rows';

create or replace function auditctl_internal.ancestors(p_relation oid) returns setof oid
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive ancestor as (
        select i.inhparent as relation from pg_inherits as i where i.inhrelid = p_relation
        union
        select parent.relation
        from ancestor as a
        cross join lateral (select i.inhparent as relation from pg_inherits as i where i.inhrelid = a.relation offset 0) as parent
    )

    select a.relation from ancestor as a
$auditctl$;
comment on function auditctl_internal.ancestors is 'The tables that a table is a partition or child of, directly or not';

create or replace function auditctl_internal.merge_captures(p_relations oid[]) returns regclass[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_merged regclass[];
begin
    if not exists (select from pg_inherits as i where i.inhrelid = any (p_relations)) then
        return '{}';
    end if;
    with merged as (
        delete from auditctl.capture as k
        where k.relation::oid = any (p_relations)
            and k.being_changed_by is distinct from pg_current_xact_id()
            and not exists (select from auditctl.rule as r where r.name = k.target)
            and exists (
                select from auditctl_internal.ancestors(k.relation) as a join auditctl.capture as parent on parent.relation::oid = a
            )
        returning k.relation
    )

    select coalesce(array_agg(m.relation), '{}') into v_merged from merged as m;
    return v_merged;
end
$auditctl$;
comment on function auditctl_internal.merge_captures is
    'Ends the captures of tables that no rule of their own covers and that have become partitions or children of an audited table: they are members of that; returns them';

create or replace function auditctl_internal.join_table(p_relation regclass, p_rule auditctl.rule, p_command text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_target constant text := auditctl_internal.registered_name(p_relation);
    v_key text[];
    v_capture auditctl.capture;
    v_state record;
begin
    insert into auditctl.capture
    select k.*
    from jsonb_populate_record(null::auditctl.capture, to_jsonb(p_rule) || jsonb_build_object(
        'relation', p_relation::oid, 'target', v_target, 'former_exclude', '{}'::text[], 'former_mask', '{}'::text[], 'members', '{}'::text[],
        'detached', '{}'::text[], 'columns', '{}'::jsonb, 'rules', '[]'::jsonb, 'key_indexes', '{}'::text[],
        'exclude', coalesce(p_rule.exclude, '{}'), 'mask', coalesce(p_rule.mask, '{}'),
        'being_changed_by', pg_current_xact_id(), 'taken_in_by', pg_current_xact_id()
    )) as k
    returning * into v_capture;
    perform auditctl_internal.merge_captures(array(select r.oid from auditctl_internal.related_relations(array[p_relation::oid]) as r (oid)));
    v_capture.members := auditctl_internal.current_members(p_relation);
    if p_rule.name = v_target then
        -- Its columns may be others than those of the table that had the name before.
        v_capture := auditctl_internal.sync_rule(v_capture);
    end if;
    perform auditctl_internal.require_free_names(p_relation || v_capture.members);
    update auditctl.capture
    set members = v_capture.members, exclude = v_capture.exclude, mask = v_capture.mask, key = v_capture.key,
        former_exclude = v_capture.former_exclude, former_mask = v_capture.former_mask
    where relation = p_relation;
    v_key := auditctl_internal.key_columns(
        p_relation, auditctl_internal.column_names(p_relation), v_capture.key, v_capture.exclude || v_capture.mask
    );
    perform auditctl_internal.write_functions(v_capture, p_relation || v_capture.members, true);
    for v_state in select s.* from auditctl_internal.trigger_states(array[v_capture]) as s where s.fault = 'missing' or s.phrase ^@ 'calls auditctl_triggers.' loop
        perform auditctl_internal.put_trigger(v_state.relation, v_state.trigger, v_state.type_bits, v_state.function);
    end loop;
    perform auditctl_internal.warn_of_uncovered(p_relation, v_capture);
    insert into auditctl.target (target, label, key_columns, key_types, hidden)
    values (
        v_target, case when p_rule.name = v_target then p_rule.label end, v_key, auditctl_internal.key_types(p_relation, v_key),
        v_capture.exclude || v_capture.mask || v_capture.former_exclude || v_capture.former_mask
    )
    on conflict (target) do update
    set label = excluded.label, key_columns = excluded.key_columns, key_types = excluded.key_types, hidden = case
        when v_capture.actions && '{CREATE, UPDATE, DELETE}' then excluded.hidden else target.hidden
    end;
    perform auditctl_internal.record_ddl(
        v_target, p_command,
        jsonb_build_array(jsonb_build_object('joined', v_target)) || auditctl_internal.function_changes('{}', v_capture.members)
    );
    if p_command in ('CREATE TABLE AS', 'SELECT INTO') and 'CREATE' = any (v_capture.actions) then
        -- Before its reads are recorded.
        perform auditctl_guard.read_new_rows(p_relation);
    end if;
    if 'READ' = any (v_capture.actions) then
        perform auditctl_internal.attach_read_policies(site.relation, v_capture)
        from unnest(p_relation || v_capture.members) as site (relation);
    end if;
    perform auditctl_internal.require_triggers(v_capture);
    perform auditctl_internal.renew_reading(v_capture);
    update auditctl.capture
    set
        columns = auditctl_internal.current_columns(p_relation, v_capture.members),
        columns_of = auditctl_internal.table_identity(p_relation),
        rules = auditctl_internal.current_rules(p_relation, v_capture.members),
        shape = auditctl_internal.current_shape(p_relation, v_capture.members),
        key_indexes = auditctl_internal.key_index_names(p_relation, v_capture.members),
        being_changed_by = null
    where relation = p_relation;
end
$auditctl$;
comment on function auditctl_internal.join_table is 'Installs capture on a new table by a rule, and records the rows that it was created with';

create or replace function auditctl_internal.try_to_join(p_relation regclass, p_rule auditctl.rule, p_command text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_target constant text := auditctl_internal.registered_name(p_relation);
    v_message text;
begin
    perform auditctl_internal.join_table(p_relation, p_rule, p_command);
exception when others then
    -- What the table's owner can bring about, such as a full stack, ends the command; so does what another attempt may not meet.
    if sqlstate !~ '^(0A|23|2B|42|XX)' then
        raise;
    end if;
    v_message := sqlerrm;
    perform auditctl_internal.record_ddl(v_target, p_command, jsonb_build_array(jsonb_build_object('waits', v_target, 'because', v_message)));
    raise warning '% is not audited yet, although rule % covers it: %', v_target, p_rule.name, v_message
        using hint = 'The login that installed auditctl or a superuser must run: auditctl apply';
end
$auditctl$;
comment on function auditctl_internal.try_to_join is
    'Takes in a table; what auditctl itself cannot do is recorded and a warning, as `check` finds it, and the table is created';

create or replace function auditctl_internal.join_tables(p_relations oid[], p_command text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_table record;
    v_rule auditctl.rule;
begin
    if not exists (select from auditctl.rule) then
        return;
    end if;
    for v_table in
        select c.oid::regclass as relation, auditctl_internal.registered_name(c.oid) as name, c.relispartition, ancestor.all as ancestors
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        cross join lateral (select array(select auditctl_internal.ancestors(c.oid)) as all) as ancestor
        where c.oid = any (p_relations) and c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't'
            and not auditctl_internal.is_system_schema(n.nspname)
            -- The tables of an extension are its own affair.
            and not exists (
                select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.objsubid = 0 and d.deptype = 'e'
            )
            and not exists (select from auditctl.capture as k where k.relation = c.oid::regclass)
        order by cardinality(ancestor.all), c.oid
    loop
        v_rule := auditctl_internal.table_rule(v_table.relation);
        continue when v_rule.name is null or v_rule.actions = '{}' or v_rule.name <> v_table.name and not v_rule.auto;
        -- Through its parent, or with it; only a child may have a rule of its own.
        continue when (v_table.relispartition or v_rule.name <> v_table.name) and exists (
            select from unnest(v_table.ancestors) as a (relation) where (auditctl_internal.table_rule(a.relation)).actions <> '{}'
        );
        perform auditctl_internal.try_to_join(v_table.relation, v_rule, p_command);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.join_tables is 'Takes in the tables among these that a rule covers and that are not audited yet';
