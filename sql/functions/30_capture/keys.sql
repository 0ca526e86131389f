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

create or replace function auditctl_internal.key_code(p_row text, p_key auditctl.captured_column[], p_hidden text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
    v_parts text[] := '{}';
    v_code text;
    v_is_short boolean := true;
begin
    foreach v_column in array p_key loop
        if v_column.name = any (p_hidden) then
            v_parts := v_parts || format(
                'auditctl_internal.hidden_key(%s)', auditctl_internal.text_code(format('%s.%I', p_row, v_column.name))
            );
            continue;
        end if;
        v_parts := v_parts || auditctl_internal.value_code(p_row, v_column);
        v_is_short := v_is_short
            and v_column.constituents <@ array['int2', 'int4', 'int8', 'oid', 'uuid', 'date', 'timestamp', 'timestamptz', 'bool'];
    end loop;
    if cardinality(p_key) = 0 then
        return 'null';
    elsif cardinality(p_key) > 1 then
        v_code := format('jsonb_build_array(%s)::text', array_to_string(v_parts, ', '));
    elsif p_key[1].name = any (p_hidden) then
        v_code := v_parts[1];
    -- Types whose cast to text is their output function.
    elsif p_key[1].own_type is not null and p_key[1].base_oid = any (
        array['int2', 'int4', 'int8', 'oid', 'uuid', 'text', 'varchar', 'numeric']::regtype[]::oid[]
    ) then
        v_code := format('%s::text', v_parts[1]);
    else
        v_code := auditctl_internal.text_code(format('%s.%I', p_row, p_key[1].name));
    end if;
    return case
        when v_is_short then v_code
        else format('case when octet_length(%1$s) > 1000 then auditctl_internal.fit_key(%1$s) else %1$s end', v_code)
    end;
end
$auditctl$;
comment on function auditctl_internal.key_code is
    'The expression for the key of a row, with a keyed hash for each excluded or masked column; null without a key';

create or replace function auditctl_internal.update_key_code(p_key auditctl.captured_column[], p_hidden text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select format(
            E'        v_target_id := %s;\n'
            '        if %s then\n'
            '            v_previous_key := jsonb_build_object(''previous_target_id'', %s);\n'
            '        end if;',
            auditctl_internal.key_code('new', p_key, p_hidden), string_agg(auditctl_internal.differs_code(k), ' or '),
            auditctl_internal.key_code('old', p_key, p_hidden)
        )
        from unnest(p_key) as k
        having count(*) > 0
    );
end
$auditctl$;
comment on function auditctl_internal.update_key_code is
    'The statements that record the key of an updated row, and its previous key if the update changed it; null without a key';

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
