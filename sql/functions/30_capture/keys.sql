-- The key of a row, as an event records it.

create or replace function auditctl_internal.fit_key(p_key text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if octet_length(p_key) <= 1000 then
        return p_key;
    end if;
    return left(p_key, 100) || chr(8230) || ' sha256:' || encode(sha256(convert_to(p_key, 'UTF8')), 'hex');
exception when others then
    -- Text that is not valid UTF-8 can be neither shortened nor converted.
    return auditctl_internal.readable(p_key);
end
$auditctl$;
comment on function auditctl_internal.fit_key is 'The key, or its start and hash if it is too long for the index (over 1,000 bytes)';

create or replace function auditctl_internal.hidden_key(p_value text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_bytes bytea;
begin
    begin
        v_bytes := convert_to(p_value, getdatabaseencoding());
    exception when others then
        -- Text that is not valid in the database's encoding.
        v_bytes := convert_to(auditctl_internal.readable(p_value), getdatabaseencoding());
    end;
    -- The keys also sign lines in the server's log, which are JSON: the first byte separates the two uses.
    return (
        select 'hidden:' || left(encode(sha256(k.outer_key || sha256(k.inner_key || decode('00', 'hex') || v_bytes)), 'hex'), 32)
        from auditctl.log_key as k
        limit 1
    );
end
$auditctl$;
comment on function auditctl_internal.hidden_key is
    'What the key of a row has in place of the value of an excluded or masked column: a keyed hash, equal for equal values; null for null';

create or replace function auditctl_internal.named_columns(p_columns auditctl.captured_column[], p_names text[])
returns auditctl.captured_column[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name text;
    v_column auditctl.captured_column;
    v_named auditctl.captured_column[] := '{}';
begin
    foreach v_name in array p_names loop
        foreach v_column in array p_columns loop
            if v_column.name = v_name then
                v_named := array_append(v_named, v_column);
            end if;
        end loop;
    end loop;
    return v_named;
end
$auditctl$;
comment on function auditctl_internal.named_columns is 'The columns of these names, in the order of the names; others are left out';

create or replace function auditctl_internal.simple_key(p_key auditctl.captured_column[], p_hidden text[]) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- Types whose text is the same in JSON, by the cast and by the output function.
    return case
        when cardinality(p_key) = 1 and p_key[1].name <> all (p_hidden) and p_key[1].own_type is not null and p_key[1].base_oid = any (
            array['int2', 'int4', 'int8', 'oid', 'uuid', 'text', 'varchar', 'numeric']::regtype[]::oid[]
        ) then p_key[1].name
    end;
end
$auditctl$;
comment on function auditctl_internal.simple_key is 'The column that is the key, if its text can be taken from what is recorded of the row; else null';

create or replace function auditctl_internal.key_code(p_row text, p_key auditctl.captured_column[], p_hidden text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
    v_text text;
    v_parts text[] := '{}';
begin
    foreach v_column in array p_key loop
        v_text := auditctl_internal.text_code(format('%s.%I', p_row, v_column.name));
        v_parts := array_append(v_parts, case
            when v_column.name = any (p_hidden) then format('auditctl_internal.hidden_key(%s)', v_text)
            when cardinality(p_key) > 1 then auditctl_internal.value_code(p_row, v_column)
            else v_text
        end);
    end loop;
    return case cardinality(p_key)
        when 0 then 'null'
        when 1 then v_parts[1]
        else format('jsonb_build_array(%s)::text', array_to_string(v_parts, ', '))
    end;
end
$auditctl$;
comment on function auditctl_internal.key_code is
    'The expression for the key of a row, with a keyed hash for each excluded or masked column; null without a key';

create or replace function auditctl_internal.changed_key_code(p_key auditctl.captured_column[], p_hidden text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return case
        when p_key = '{}' then '''null''::jsonb'
        else format('coalesce(to_jsonb(%s), ''null'')', coalesce(
            'new.' || quote_ident(auditctl_internal.simple_key(p_key, p_hidden)), auditctl_internal.key_code('new', p_key, p_hidden)
        ))
    end;
end
$auditctl$;
comment on function auditctl_internal.changed_key_code is
    'The expression for the key of an updated row as auditctl_internal.record_update takes it, before the changes; a JSON null for none';

create or replace function auditctl_internal.previous_key_code(p_key auditctl.captured_column[], p_hidden text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select format(
            E'        if record_image_ne(row(%s), row(%s)) then\n'
            '            v_previous_key := case when v_changes is not null then jsonb_build_object(''previous_target_id'', auditctl_internal.fit_key(%s)) end;\n'
            '        end if;',
            string_agg(format('old.%I', k.name), ', '), string_agg(format('new.%I', k.name), ', '),
            auditctl_internal.key_code('old', p_key, p_hidden)
        )
        from unnest(p_key) as k
        having auditctl_internal.simple_key(p_key, p_hidden) is null
    );
end
$auditctl$;
comment on function auditctl_internal.previous_key_code is
    'The statement that notes the previous key of an updated row; null where auditctl_internal.record_update sees it among the changes';

create or replace function auditctl_internal.insert_key_change(
    p_actor text, p_actor_kind auditctl.actor_kind, p_ip inet, p_target text, p_target_id text, p_old jsonb, p_new jsonb,
    p_context jsonb, p_previous_key jsonb
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    with event as (
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
        values (
            p_actor, p_actor_kind, p_ip, p_target, p_target_id, 'UPDATE', p_old, p_new, coalesce(p_context, '{}') || p_previous_key
        )
        returning event_id, occurred_at
    )

    insert into auditctl.key_change (event_id, occurred_at, target, previous_target_id, target_id)
    select e.event_id, e.occurred_at, p_target, p_previous_key ->> 'previous_target_id', p_target_id
    from event as e
$auditctl$;
comment on function auditctl_internal.insert_key_change is
    'Inserts the event of an update that changed the key, and the row of auditctl.key_change by which histories are followed';
