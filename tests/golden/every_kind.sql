create or replace function auditctl_triggers.shop__every_kind__create() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set "IntervalStyle" = 'postgres'
set "TimeZone" = 'UTC'
set bytea_output = 'hex'
set extra_float_digits = '1'
as $auditctl$
declare
    v_old jsonb;
    v_new jsonb;
    v_target_id text;
    v_previous_key jsonb;
    v_who auditctl.identity;
begin
    begin
        if tg_relid <> '...'::oid
            or pg_describe_object('...'::oid, tg_relid, 15) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_new := jsonb_build_object(
                'id', auditctl_internal.typed(new.id, null::pg_catalog.uuid),
                'line', auditctl_internal.typed(new.line, null::pg_catalog.int2),
                'note', auditctl_internal.typed(new.note, null::pg_catalog."varchar"),
                'paid_at', auditctl_internal.typed(new.paid_at, null::pg_catalog.timestamptz),
                'took', auditctl_internal.typed(new.took, null::pg_catalog."interval"),
                'weight', case when auditctl_internal.typed(new.weight, null::pg_catalog.float8) = 0 and format('%s', new.weight) = '-0' then to_jsonb(format('%s', new.weight)) else to_jsonb(auditctl_internal.typed(new.weight, null::pg_catalog.float8)) end,
                'file', auditctl_internal.typed(new.file, null::pg_catalog.bytea),
                'exact', case when num_nulls(new.exact) = 0 then format('%s', new.exact) end,
                'loose', case when jsonb_typeof(auditctl_internal.typed(new.loose, null::pg_catalog.jsonb)) = 'null' or auditctl_internal.typed(new.loose, null::pg_catalog.jsonb) ?| '{$masked,$sha256,$json}' then jsonb_build_object('$json', auditctl_internal.typed(new.loose, null::pg_catalog.jsonb)) else auditctl_internal.typed(new.loose, null::pg_catalog.jsonb) end,
                'tags', case when (case when array_ndims(auditctl_internal.typed(new.tags, null::pg_catalog._text)) > 1 then strpos(replace(array_dims(auditctl_internal.typed(new.tags, null::pg_catalog._text)), '[1:', ''), '[') > 0 else array_lower(auditctl_internal.typed(new.tags, null::pg_catalog._text), 1) <> 1 end) then to_jsonb(format('%s', new.tags)) else to_jsonb(auditctl_internal.typed(new.tags, null::pg_catalog._text)) end,
                'mood', case when num_nulls(new.mood) = 0 then format('%s', new.mood) end,
                'total', (case when num_nulls(new.total) = 0 then format('%s', new.total) end)::pg_catalog."numeric",
                'secret', '{"$masked": true}'::jsonb
            );
        if pg_column_size(v_new) > 8192
            or pg_column_size(v_new -> 'loose') > 200 then
            perform auditctl_internal.require_fit(null, v_new);
        end if;
        v_target_id := jsonb_build_array(auditctl_internal.typed(new.id, null::pg_catalog.uuid), auditctl_internal.typed(new.line, null::pg_catalog.int2))::text;
        v_who := auditctl_internal.session_identity();
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{updated_at}'::text[], '{secret}'::text[], '{id,line,note,paid_at,took,weight,file,exact,loose,tags,mood,total,secret,updated_at}'::text[], '{id,line}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;
    if v_who.actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.every_kind'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select auditctl.set_context(''alice'', ''203.0.113.7'')';
    end if;

    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.every_kind', v_target_id, 'CREATE', v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__every_kind__create"() from public;

comment on function "auditctl_triggers"."shop__every_kind__create"() is 'auditctl: create of shop.every_kind';

create trigger "auditctl_create" after insert on "shop"."every_kind" for each row execute function "auditctl_triggers"."shop__every_kind__create"();

alter table "shop"."every_kind" enable always trigger "auditctl_create";

create or replace function auditctl_triggers.shop__every_kind__update() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set "IntervalStyle" = 'postgres'
set "TimeZone" = 'UTC'
set bytea_output = 'hex'
set extra_float_digits = '1'
as $auditctl$
declare
    v_old jsonb;
    v_new jsonb;
    v_target_id text;
    v_previous_key jsonb;
    v_who auditctl.identity;
begin
    begin
        if tg_relid <> '...'::oid
            or pg_describe_object('...'::oid, tg_relid, 15) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        if auditctl_internal.typed(old.id, null::pg_catalog.uuid) is distinct from new.id
            or auditctl_internal.typed(old.line, null::pg_catalog.int2) is distinct from new.line
            or auditctl_internal.typed(old.note, null::pg_catalog."varchar") collate "C" is distinct from new.note collate "C"
            or auditctl_internal.typed(old.paid_at, null::pg_catalog.timestamptz) is distinct from new.paid_at then
            if auditctl_internal.typed(old.id, null::pg_catalog.uuid) is distinct from new.id then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('id', auditctl_internal.typed(old.id, null::pg_catalog.uuid));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('id', auditctl_internal.typed(new.id, null::pg_catalog.uuid));
            end if;
            if auditctl_internal.typed(old.line, null::pg_catalog.int2) is distinct from new.line then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('line', auditctl_internal.typed(old.line, null::pg_catalog.int2));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('line', auditctl_internal.typed(new.line, null::pg_catalog.int2));
            end if;
            if auditctl_internal.typed(old.note, null::pg_catalog."varchar") collate "C" is distinct from new.note collate "C" then
                v_old := coalesce(v_old, '{}') || jsonb_object(array['note', auditctl_internal.typed(old.note, null::pg_catalog."varchar")]);
                v_new := coalesce(v_new, '{}') || jsonb_object(array['note', auditctl_internal.typed(new.note, null::pg_catalog."varchar")]);
            end if;
            if auditctl_internal.typed(old.paid_at, null::pg_catalog.timestamptz) is distinct from new.paid_at then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('paid_at', auditctl_internal.typed(old.paid_at, null::pg_catalog.timestamptz));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('paid_at', auditctl_internal.typed(new.paid_at, null::pg_catalog.timestamptz));
            end if;
        end if;
        if auditctl_internal.typed(old.file, null::pg_catalog.bytea) is distinct from new.file
            or auditctl_internal.typed(old.secret, null::pg_catalog.text) collate "C" is distinct from new.secret collate "C" then
            if auditctl_internal.typed(old.file, null::pg_catalog.bytea) is distinct from new.file then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('file', auditctl_internal.typed(old.file, null::pg_catalog.bytea));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('file', auditctl_internal.typed(new.file, null::pg_catalog.bytea));
            end if;
            if auditctl_internal.typed(old.secret, null::pg_catalog.text) collate "C" is distinct from new.secret collate "C" then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('secret', '{"$masked": true}'::jsonb);
                v_new := coalesce(v_new, '{}') || jsonb_build_object('secret', '{"$masked": true}'::jsonb);
            end if;
        end if;
        if record_image_ne(row(old.took, old.weight, old.exact, old.loose), row(new.took, new.weight, new.exact, new.loose)) then
            if record_image_ne(row(old.took), row(new.took)) then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('took', auditctl_internal.typed(old.took, null::pg_catalog."interval"));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('took', auditctl_internal.typed(new.took, null::pg_catalog."interval"));
            end if;
            if record_image_ne(row(old.weight), row(new.weight)) then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('weight', case when auditctl_internal.typed(old.weight, null::pg_catalog.float8) = 0 and format('%s', old.weight) = '-0' then to_jsonb(format('%s', old.weight)) else to_jsonb(auditctl_internal.typed(old.weight, null::pg_catalog.float8)) end);
                v_new := coalesce(v_new, '{}') || jsonb_build_object('weight', case when auditctl_internal.typed(new.weight, null::pg_catalog.float8) = 0 and format('%s', new.weight) = '-0' then to_jsonb(format('%s', new.weight)) else to_jsonb(auditctl_internal.typed(new.weight, null::pg_catalog.float8)) end);
            end if;
            if record_image_ne(row(old.exact), row(new.exact)) then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('exact', case when num_nulls(old.exact) = 0 then format('%s', old.exact) end);
                v_new := coalesce(v_new, '{}') || jsonb_build_object('exact', case when num_nulls(new.exact) = 0 then format('%s', new.exact) end);
            end if;
            if record_image_ne(row(old.loose), row(new.loose)) then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('loose', case when jsonb_typeof(auditctl_internal.typed(old.loose, null::pg_catalog.jsonb)) = 'null' or auditctl_internal.typed(old.loose, null::pg_catalog.jsonb) ?| '{$masked,$sha256,$json}' then jsonb_build_object('$json', auditctl_internal.typed(old.loose, null::pg_catalog.jsonb)) else auditctl_internal.typed(old.loose, null::pg_catalog.jsonb) end);
                v_new := coalesce(v_new, '{}') || jsonb_build_object('loose', case when jsonb_typeof(auditctl_internal.typed(new.loose, null::pg_catalog.jsonb)) = 'null' or auditctl_internal.typed(new.loose, null::pg_catalog.jsonb) ?| '{$masked,$sha256,$json}' then jsonb_build_object('$json', auditctl_internal.typed(new.loose, null::pg_catalog.jsonb)) else auditctl_internal.typed(new.loose, null::pg_catalog.jsonb) end);
            end if;
        end if;
        if record_image_ne(row(old.tags, old.mood, old.total), row(new.tags, new.mood, new.total)) then
            if record_image_ne(row(old.tags), row(new.tags)) then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('tags', case when (case when array_ndims(auditctl_internal.typed(old.tags, null::pg_catalog._text)) > 1 then strpos(replace(array_dims(auditctl_internal.typed(old.tags, null::pg_catalog._text)), '[1:', ''), '[') > 0 else array_lower(auditctl_internal.typed(old.tags, null::pg_catalog._text), 1) <> 1 end) then to_jsonb(format('%s', old.tags)) else to_jsonb(auditctl_internal.typed(old.tags, null::pg_catalog._text)) end);
                v_new := coalesce(v_new, '{}') || jsonb_build_object('tags', case when (case when array_ndims(auditctl_internal.typed(new.tags, null::pg_catalog._text)) > 1 then strpos(replace(array_dims(auditctl_internal.typed(new.tags, null::pg_catalog._text)), '[1:', ''), '[') > 0 else array_lower(auditctl_internal.typed(new.tags, null::pg_catalog._text), 1) <> 1 end) then to_jsonb(format('%s', new.tags)) else to_jsonb(auditctl_internal.typed(new.tags, null::pg_catalog._text)) end);
            end if;
            if record_image_ne(row(old.mood), row(new.mood)) then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('mood', case when num_nulls(old.mood) = 0 then format('%s', old.mood) end);
                v_new := coalesce(v_new, '{}') || jsonb_build_object('mood', case when num_nulls(new.mood) = 0 then format('%s', new.mood) end);
            end if;
            if record_image_ne(row(old.total), row(new.total)) then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('total', (case when num_nulls(old.total) = 0 then format('%s', old.total) end)::pg_catalog."numeric");
                v_new := coalesce(v_new, '{}') || jsonb_build_object('total', (case when num_nulls(new.total) = 0 then format('%s', new.total) end)::pg_catalog."numeric");
            end if;
        end if;
        if v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.session_identity();
        v_target_id := jsonb_build_array(auditctl_internal.typed(new.id, null::pg_catalog.uuid), auditctl_internal.typed(new.line, null::pg_catalog.int2))::text;
        if auditctl_internal.typed(old.id, null::pg_catalog.uuid) is distinct from new.id or auditctl_internal.typed(old.line, null::pg_catalog.int2) is distinct from new.line then
            v_previous_key := jsonb_build_object('previous_target_id', jsonb_build_array(auditctl_internal.typed(old.id, null::pg_catalog.uuid), auditctl_internal.typed(old.line, null::pg_catalog.int2))::text);
        end if;
        if pg_column_size(v_old) > 8192
            or pg_column_size(v_old -> 'loose') > 200
            or pg_column_size(v_new) > 8192
            or pg_column_size(v_new -> 'loose') > 200 then
            perform auditctl_internal.require_fit(v_old, v_new);
        end if;
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{updated_at}'::text[], '{secret}'::text[], '{id,line,note,paid_at,took,weight,file,exact,loose,tags,mood,total,secret,updated_at}'::text[], '{id,line}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;
    if v_who.actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.every_kind'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select auditctl.set_context(''alice'', ''203.0.113.7'')';
    end if;

    if v_previous_key is null then
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
        values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.every_kind', v_target_id, 'UPDATE', v_old, v_new, v_who.context);
    else
        perform auditctl_internal.insert_key_change(
            v_who.actor, v_who.actor_kind, v_who.ip, 'shop.every_kind', v_target_id, v_old, v_new, v_who.context, v_previous_key
        );
    end if;
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__every_kind__update"() from public;

comment on function "auditctl_triggers"."shop__every_kind__update"() is 'auditctl: update of shop.every_kind';

create trigger "auditctl_update" after update on "shop"."every_kind" for each row execute function "auditctl_triggers"."shop__every_kind__update"();

alter table "shop"."every_kind" enable always trigger "auditctl_update";

create or replace function auditctl_triggers.shop__every_kind__delete() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set "IntervalStyle" = 'postgres'
set "TimeZone" = 'UTC'
set bytea_output = 'hex'
set extra_float_digits = '1'
as $auditctl$
declare
    v_old jsonb;
    v_new jsonb;
    v_target_id text;
    v_previous_key jsonb;
    v_who auditctl.identity;
begin
    begin
        if tg_relid <> '...'::oid
            or pg_describe_object('...'::oid, tg_relid, 15) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_old := jsonb_build_object(
                'id', auditctl_internal.typed(old.id, null::pg_catalog.uuid),
                'line', auditctl_internal.typed(old.line, null::pg_catalog.int2),
                'note', auditctl_internal.typed(old.note, null::pg_catalog."varchar"),
                'paid_at', auditctl_internal.typed(old.paid_at, null::pg_catalog.timestamptz),
                'took', auditctl_internal.typed(old.took, null::pg_catalog."interval"),
                'weight', case when auditctl_internal.typed(old.weight, null::pg_catalog.float8) = 0 and format('%s', old.weight) = '-0' then to_jsonb(format('%s', old.weight)) else to_jsonb(auditctl_internal.typed(old.weight, null::pg_catalog.float8)) end,
                'file', auditctl_internal.typed(old.file, null::pg_catalog.bytea),
                'exact', case when num_nulls(old.exact) = 0 then format('%s', old.exact) end,
                'loose', case when jsonb_typeof(auditctl_internal.typed(old.loose, null::pg_catalog.jsonb)) = 'null' or auditctl_internal.typed(old.loose, null::pg_catalog.jsonb) ?| '{$masked,$sha256,$json}' then jsonb_build_object('$json', auditctl_internal.typed(old.loose, null::pg_catalog.jsonb)) else auditctl_internal.typed(old.loose, null::pg_catalog.jsonb) end,
                'tags', case when (case when array_ndims(auditctl_internal.typed(old.tags, null::pg_catalog._text)) > 1 then strpos(replace(array_dims(auditctl_internal.typed(old.tags, null::pg_catalog._text)), '[1:', ''), '[') > 0 else array_lower(auditctl_internal.typed(old.tags, null::pg_catalog._text), 1) <> 1 end) then to_jsonb(format('%s', old.tags)) else to_jsonb(auditctl_internal.typed(old.tags, null::pg_catalog._text)) end,
                'mood', case when num_nulls(old.mood) = 0 then format('%s', old.mood) end,
                'total', (case when num_nulls(old.total) = 0 then format('%s', old.total) end)::pg_catalog."numeric",
                'secret', '{"$masked": true}'::jsonb
            );
        if pg_column_size(v_old) > 8192
            or pg_column_size(v_old -> 'loose') > 200 then
            perform auditctl_internal.require_fit(v_old, null);
        end if;
        v_target_id := jsonb_build_array(auditctl_internal.typed(old.id, null::pg_catalog.uuid), auditctl_internal.typed(old.line, null::pg_catalog.int2))::text;
        v_who := auditctl_internal.session_identity();
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{updated_at}'::text[], '{secret}'::text[], '{id,line,note,paid_at,took,weight,file,exact,loose,tags,mood,total,secret,updated_at}'::text[], '{id,line}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;
    if v_who.actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.every_kind'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select auditctl.set_context(''alice'', ''203.0.113.7'')';
    end if;

    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.every_kind', v_target_id, 'DELETE', v_old, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__every_kind__delete"() from public;

comment on function "auditctl_triggers"."shop__every_kind__delete"() is 'auditctl: delete of shop.every_kind';

create trigger "auditctl_delete" after delete on "shop"."every_kind" for each row execute function "auditctl_triggers"."shop__every_kind__delete"();

alter table "shop"."every_kind" enable always trigger "auditctl_delete";

create or replace function auditctl_triggers.shop__every_kind__truncate() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_who auditctl.identity;
begin
    begin
        v_who := auditctl_internal.session_identity();
    exception when others then
        v_who := auditctl_internal.identify();
    end;
    if v_who.actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.every_kind'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select auditctl.set_context(''alice'', ''203.0.113.7'')';
    end if;

    insert into auditctl.event (actor, actor_kind, ip, target, action, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.every_kind', 'TRUNCATE', v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__every_kind__truncate"() from public;

comment on function "auditctl_triggers"."shop__every_kind__truncate"() is 'auditctl: truncate of shop.every_kind';

create trigger "auditctl_truncate" after truncate on "shop"."every_kind" for each statement execute function "auditctl_triggers"."shop__every_kind__truncate"();

alter table "shop"."every_kind" enable always trigger "auditctl_truncate";

