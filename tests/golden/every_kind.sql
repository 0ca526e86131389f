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
    v_new jsonb;
    v_target_id text;
begin
    begin
        v_new := case when auditctl_internal.has_shape(tg_relid, '...', new, '...') then jsonb_build_object(
                'id', new.id,
                'line', new.line,
                'note', new.note,
                'paid_at', new.paid_at,
                'took', new.took,
                'weight', auditctl_internal.float_image(new.weight),
                'file', new.file,
                'exact', case when num_nulls(new.exact) = 0 then format('%s', new.exact) end,
                'loose', auditctl_internal.document_image(new.loose),
                'tags', auditctl_internal.array_image(new.tags),
                'mood', case when num_nulls(new.mood) = 0 then format('%s', new.mood) end,
                'total', (case when num_nulls(new.total) = 0 then format('%s', new.total) end)::pg_catalog."numeric",
                'secret', '{"$masked": true}'::jsonb
            ) end;
        v_target_id := case when v_new is not null then jsonb_build_array(new.id, new.line)::text end;
    exception when others then
        v_new := null;
    end;
    if not auditctl_internal.record_row('shop.every_kind', 'CREATE', v_target_id, null, v_new, pg_column_size(v_new -> 'loose') > 200, p_require_actor => true, p_require_reason => true) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.every_kind', '{updated_at}', '{secret}', '{id,line,note,paid_at,took,weight,file,exact,loose,tags,mood,total,secret,updated_at}', '{id,line}', p_require_actor => true, p_require_reason => true
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return old;
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
    v_changes jsonb[];
    v_previous_key jsonb;
begin
    begin
        v_changes := case when auditctl_internal.has_shape(tg_relid, '...', new, '...') then array_remove(array[
            coalesce(to_jsonb(jsonb_build_array(new.id, new.line)::text), 'null'),
            auditctl_internal.changed('id', old.id, new.id),
            auditctl_internal.changed('line', old.line, new.line),
            auditctl_internal.changed_text('note', old.note, new.note),
            auditctl_internal.changed('paid_at', old.paid_at, new.paid_at),
            auditctl_internal.changed('file', old.file, new.file)
        ], null) end;
        if record_image_ne(row(old.took, old.weight, old.exact, old.loose, old.tags, old.mood, old.total, old.secret), row(new.took, new.weight, new.exact, new.loose, new.tags, new.mood, new.total, new.secret)) then
            v_changes := case when v_changes is not null then v_changes || array_remove(array[
                auditctl_internal.changed_image('took', old.took, new.took),
                auditctl_internal.changed_float('weight', old.weight, new.weight),
                case when record_image_ne(row(old.exact), row(new.exact)) then jsonb_build_array('exact', case when num_nulls(old.exact) = 0 then format('%s', old.exact) end, case when num_nulls(new.exact) = 0 then format('%s', new.exact) end) end,
                auditctl_internal.changed_document('loose', old.loose, new.loose),
                auditctl_internal.changed_array('tags', old.tags, new.tags),
                case when record_image_ne(row(old.mood), row(new.mood)) then jsonb_build_array('mood', case when num_nulls(old.mood) = 0 then format('%s', old.mood) end, case when num_nulls(new.mood) = 0 then format('%s', new.mood) end) end,
                case when record_image_ne(row(old.total), row(new.total)) then jsonb_build_array('total', (case when num_nulls(old.total) = 0 then format('%s', old.total) end)::pg_catalog."numeric", (case when num_nulls(new.total) = 0 then format('%s', new.total) end)::pg_catalog."numeric") end,
                case when record_image_ne(row(old.secret), row(new.secret)) then jsonb_build_array('secret', '{"$masked": true}'::jsonb, '{"$masked": true}'::jsonb) end
            ], null) end;
        end if;
        if record_image_ne(row(old.id, old.line), row(new.id, new.line)) then
            v_previous_key := case when v_changes is not null then jsonb_build_object('previous_target_id', auditctl_internal.fit_key(jsonb_build_array(old.id, old.line)::text)) end;
        end if;
    exception when others then
        v_changes := null;
    end;
    if not auditctl_internal.record_update('shop.every_kind', null, v_changes, p_previous_key => v_previous_key, p_most => 200, p_require_actor => true, p_require_reason => true) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.every_kind', '{updated_at}', '{secret}', '{id,line,note,paid_at,took,weight,file,exact,loose,tags,mood,total,secret,updated_at}', '{id,line}', p_require_actor => true, p_require_reason => true
        );
    end if;
    -- Ignored. Null itself would be one more plan.
    return new;
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
    v_target_id text;
begin
    begin
        v_old := case when auditctl_internal.has_shape(tg_relid, '...', old, '...') then jsonb_build_object(
                'id', old.id,
                'line', old.line,
                'note', old.note,
                'paid_at', old.paid_at,
                'took', old.took,
                'weight', auditctl_internal.float_image(old.weight),
                'file', old.file,
                'exact', case when num_nulls(old.exact) = 0 then format('%s', old.exact) end,
                'loose', auditctl_internal.document_image(old.loose),
                'tags', auditctl_internal.array_image(old.tags),
                'mood', case when num_nulls(old.mood) = 0 then format('%s', old.mood) end,
                'total', (case when num_nulls(old.total) = 0 then format('%s', old.total) end)::pg_catalog."numeric",
                'secret', '{"$masked": true}'::jsonb
            ) end;
        v_target_id := case when v_old is not null then jsonb_build_array(old.id, old.line)::text end;
    exception when others then
        v_old := null;
    end;
    if not auditctl_internal.record_row('shop.every_kind', 'DELETE', v_target_id, v_old, null, pg_column_size(v_old -> 'loose') > 200, p_require_actor => true, p_require_reason => true) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.every_kind', '{updated_at}', '{secret}', '{id,line,note,paid_at,took,weight,file,exact,loose,tags,mood,total,secret,updated_at}', '{id,line}', p_require_actor => true, p_require_reason => true
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return new;
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
begin
    perform auditctl_internal.record_row('shop.every_kind', 'TRUNCATE', null, null, null, p_require_actor => true, p_require_reason => true);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__every_kind__truncate"() from public;

comment on function "auditctl_triggers"."shop__every_kind__truncate"() is 'auditctl: truncate of shop.every_kind';

create trigger "auditctl_truncate" after truncate on "shop"."every_kind" for each statement execute function "auditctl_triggers"."shop__every_kind__truncate"();

alter table "shop"."every_kind" enable always trigger "auditctl_truncate";

