-- What all capture functions share: the last steps from a row to its event. A capture function keeps a compiled copy and
-- plans in each session that writes to its table, these keep one, so all that does not depend on the table's columns is here.
--
-- Called by capture functions only, whose search_path is pinned; pinning it again would cost more than everything else.

create or replace function auditctl_internal.conditional_identity(
    p_who auditctl.identity, p_target text, p_operation text, p_require_actor boolean, p_require_reason boolean, p_partition text
) returns auditctl.identity
language plpgsql stable
as $auditctl$
begin
    if p_require_actor and p_who.actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', p_operation, p_target
            using errcode = 'UA002', hint = 'Name the user in the transaction: select auditctl.set_context(''alice'', ''203.0.113.7'')';
    end if;
    if p_require_reason then
        if not coalesce(
            jsonb_typeof(p_who.context -> 'reason') in ('string', 'number') and auditctl_internal.has_visible(p_who.context ->> 'reason'), false
        )
            -- What another server's transaction wrote is only repeated.
            and current_setting('session_replication_role') <> 'replica'
        then
            raise exception '% of % refused: no reason is given%', p_operation, p_target,
                case when p_who.context ? 'context_rejected' then ', as auditctl.context is not a JSON object of at most 16 kB' else '' end
                using errcode = 'UA004', hint = case
                    when p_who.actor_kind = 'database'
                        then 'Give it in the same transaction: select auditctl.set_context(null, p_reason => ''ticket 4711'')'
                    else 'Give it by acting_as("alice", reason="ticket 4711") in Python, or in the same transaction by SQL: '
                        'select auditctl.set_context(''alice'', p_reason => ''ticket 4711'')'
                end;
        end if;
    end if;
    if p_partition is not null then
        p_who.context := coalesce(p_who.context, '{}') || jsonb_build_object('partition', p_partition);
    end if;
    return p_who;
end
$auditctl$;
comment on function auditctl_internal.conditional_identity is
    'Who acts, with the partition or child that was written to in the context; raises UA002 or UA004 where a rule requires an actor or a reason and there is none';

create or replace function auditctl_internal.record_row(
    p_target text, p_action auditctl.action, p_target_id text, p_old jsonb, p_new jsonb,
    p_is_large boolean default false, p_require_actor boolean default false, p_require_reason boolean default false,
    p_partition text default null
) returns boolean
language plpgsql volatile
as $auditctl$
declare
    v_who auditctl.identity;
begin
    begin
        v_who := auditctl_internal.session_identity();
    exception when others then
        v_who := auditctl_internal.identify();
    end;
    -- PostgreSQL prepares each expression anew in each transaction, so whatever is rare is asked by one.
    if p_is_large or p_require_actor or p_require_reason or p_partition is not null or octet_length(p_target_id) > 1000
        or coalesce(pg_column_size(coalesce(p_new, p_old)), 8193) > 8192
    then
        if p_old is null and p_new is null and p_action <> 'TRUNCATE'
            or (p_is_large or pg_column_size(coalesce(p_new, p_old)) > 8192) and not auditctl_internal.fits(p_old, p_new)
        then
            return false;
        end if;
        p_target_id := auditctl_internal.fit_key(p_target_id);
        v_who := auditctl_internal.conditional_identity(
            v_who, p_target, case p_action when 'CREATE' then 'insert' else lower(p_action::text) end, p_require_actor, p_require_reason, p_partition
        );
    end if;

    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, p_target, p_target_id, p_action, p_old, p_new, v_who.context);
    return true;
end
$auditctl$;
comment on function auditctl_internal.record_row is
    'Inserts the event of a row that was created or deleted, or of a TRUNCATE; false, and nothing is inserted, if there are no values or they exceed the limit of an event. With p_is_large they are measured however short they look';

create or replace function auditctl_internal.record_update(
    p_target text, p_key text, p_changes jsonb[], p_old jsonb default null, p_previous_key jsonb default null,
    p_most integer default 8192, p_require_actor boolean default false, p_require_reason boolean default false,
    p_partition text default null
) returns boolean
language plpgsql volatile
as $auditctl$
declare
    v_who auditctl.identity;
    v_count constant integer := cardinality(p_changes) - 1;
    v_target_id text;
    v_old jsonb;
    v_new jsonb;
begin
    if v_count = 1 then
        v_old := jsonb_build_object(p_changes[2] ->> 0, p_changes[2] -> 1);
        v_new := jsonb_build_object(p_changes[2] ->> 0, p_changes[2] -> 2);
    elsif v_count = 2 then
        v_old := jsonb_build_object(p_changes[2] ->> 0, p_changes[2] -> 1, p_changes[3] ->> 0, p_changes[3] -> 1);
        v_new := jsonb_build_object(p_changes[2] ->> 0, p_changes[2] -> 2, p_changes[3] ->> 0, p_changes[3] -> 2);
    elsif v_count = 0 then
        return true;
    elsif v_count > 2 then
        v_old := '{}';
        v_new := '{}';
        for v_number in 2..v_count + 1 loop
            v_old := v_old || jsonb_build_object(p_changes[v_number] ->> 0, p_changes[v_number] -> 1);
            v_new := v_new || jsonb_build_object(p_changes[v_number] ->> 0, p_changes[v_number] -> 2);
        end loop;
    else
        return false;
    end if;
    v_target_id := p_changes[1] #>> '{}';
    begin
        v_who := auditctl_internal.session_identity();
    exception when others then
        v_who := auditctl_internal.identify();
    end;
    if v_old ? p_key or p_old is not null or p_require_actor or p_require_reason or p_partition is not null or octet_length(v_target_id) > 1000
        or pg_column_size(v_old) > p_most or pg_column_size(v_new) > p_most
    then
        if v_old ? p_key then
            p_previous_key := jsonb_build_object('previous_target_id', auditctl_internal.fit_key(v_old ->> p_key));
        end if;
        v_old := coalesce(p_old, v_old);
        if (pg_column_size(v_old) > p_most or pg_column_size(v_new) > p_most) and not auditctl_internal.fits(v_old, v_new) then
            return false;
        end if;
        v_target_id := auditctl_internal.fit_key(v_target_id);
        v_who := auditctl_internal.conditional_identity(v_who, p_target, 'update', p_require_actor, p_require_reason, p_partition);
    end if;

    if p_previous_key is null then
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
        values (v_who.actor, v_who.actor_kind, v_who.ip, p_target, v_target_id, 'UPDATE', v_old, v_new, v_who.context);
    else
        perform auditctl_internal.insert_key_change(
            v_who.actor, v_who.actor_kind, v_who.ip, p_target, v_target_id, v_old, v_new, v_who.context, p_previous_key
        );
    end if;
    return true;
end
$auditctl$;
comment on function auditctl_internal.record_update is
    'Inserts the event of an update, given its key, a string or a JSON null, and after it its changes, each an array of column, old and new value; the column that is the key, or else the previous key if that changed; without a key p_old is the whole old row. False, and nothing is inserted, if there are no changes to be seen (null) or they exceed the limit of an event; p_most is the size from which they are measured';

create or replace function auditctl_internal.record_carefully(
    p_operation text, p_old anyelement, p_new anyelement, p_relation oid, p_target text,
    p_exclude text[], p_mask text[], p_known text[], p_key text[],
    p_require_actor boolean default false, p_require_reason boolean default false, p_partition text default null
) returns void
language plpgsql volatile
as $auditctl$
declare
    v_change constant auditctl.change := auditctl_internal.careful_change(
        p_operation, p_old, p_new, p_relation, p_exclude, p_mask, p_known, p_key
    );
    v_who auditctl.identity;
begin
    if v_change.old_values is null and v_change.new_values is null then
        return;
    end if;
    v_who := auditctl_internal.conditional_identity(
        auditctl_internal.identify(), p_target, lower(p_operation), p_require_actor, p_require_reason, p_partition
    );
    if v_change.previous_key is null then
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
        values (
            v_who.actor, v_who.actor_kind, v_who.ip, p_target, v_change.target_id,
            case p_operation when 'INSERT' then 'CREATE' else p_operation end::auditctl.action,
            v_change.old_values, v_change.new_values, v_who.context
        );
    else
        perform auditctl_internal.insert_key_change(
            v_who.actor, v_who.actor_kind, v_who.ip, p_target, v_change.target_id, v_change.old_values, v_change.new_values,
            v_who.context, v_change.previous_key
        );
    end if;
end
$auditctl$;
comment on function auditctl_internal.record_carefully is
    'Inserts the event of a row that the generated code could not record: see auditctl_internal.careful_change';
