create or replace function auditctl_triggers.shop__keyless__create() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set "DateStyle" = 'ISO, YMD'
as $auditctl$
declare
    v_new jsonb;
    v_target_id text;
begin
    begin
        v_new := case when auditctl_internal.has_shape(tg_relid, '...', new, '...') then to_jsonb(new) end;
        v_target_id := case when v_new is not null then case when num_nulls(new.day) = 0 then format('%s', new.day) end end;
    exception when others then
        v_new := null;
    end;
    if not auditctl_internal.record_row('shop.keyless', 'CREATE', v_target_id, null, v_new) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.keyless', '{}', '{}', '{day,amount}', '{day}'
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return old;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__keyless__create"() from public;

comment on function "auditctl_triggers"."shop__keyless__create"() is 'auditctl: create of shop.keyless';

create trigger "auditctl_create" after insert on "shop"."keyless" for each row execute function "auditctl_triggers"."shop__keyless__create"();

alter table "shop"."keyless" enable always trigger "auditctl_create";

create or replace function auditctl_triggers.shop__keyless__update() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set "DateStyle" = 'ISO, YMD'
as $auditctl$
declare
    v_changes jsonb[];
    v_previous_key jsonb;
begin
    begin
        v_changes := case when auditctl_internal.has_shape(tg_relid, '...', new, '...') then array_remove(array[
            coalesce(to_jsonb(case when num_nulls(new.day) = 0 then format('%s', new.day) end), 'null'),
            auditctl_internal.changed('day', old.day, new.day),
            auditctl_internal.changed('amount', old.amount, new.amount)
        ], null) end;
        if record_image_ne(row(old.day), row(new.day)) then
            v_previous_key := case when v_changes is not null then jsonb_build_object('previous_target_id', auditctl_internal.fit_key(case when num_nulls(old.day) = 0 then format('%s', old.day) end)) end;
        end if;
    exception when others then
        v_changes := null;
    end;
    if not auditctl_internal.record_update('shop.keyless', null, v_changes, p_previous_key => v_previous_key) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.keyless', '{}', '{}', '{day,amount}', '{day}'
        );
    end if;
    -- Ignored. Null itself would be one more plan.
    return new;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__keyless__update"() from public;

comment on function "auditctl_triggers"."shop__keyless__update"() is 'auditctl: update of shop.keyless';

create trigger "auditctl_update" after update on "shop"."keyless" for each row execute function "auditctl_triggers"."shop__keyless__update"();

alter table "shop"."keyless" enable always trigger "auditctl_update";

create or replace function auditctl_triggers.shop__keyless__delete() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set "DateStyle" = 'ISO, YMD'
as $auditctl$
declare
    v_old jsonb;
    v_target_id text;
begin
    begin
        v_old := case when auditctl_internal.has_shape(tg_relid, '...', old, '...') then to_jsonb(old) end;
        v_target_id := case when v_old is not null then case when num_nulls(old.day) = 0 then format('%s', old.day) end end;
    exception when others then
        v_old := null;
    end;
    if not auditctl_internal.record_row('shop.keyless', 'DELETE', v_target_id, v_old, null) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.keyless', '{}', '{}', '{day,amount}', '{day}'
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return new;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__keyless__delete"() from public;

comment on function "auditctl_triggers"."shop__keyless__delete"() is 'auditctl: delete of shop.keyless';

create trigger "auditctl_delete" after delete on "shop"."keyless" for each row execute function "auditctl_triggers"."shop__keyless__delete"();

alter table "shop"."keyless" enable always trigger "auditctl_delete";

create or replace function auditctl_triggers.shop__keyless__truncate() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl_internal.record_row('shop.keyless', 'TRUNCATE', null, null, null);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__keyless__truncate"() from public;

comment on function "auditctl_triggers"."shop__keyless__truncate"() is 'auditctl: truncate of shop.keyless';

create trigger "auditctl_truncate" after truncate on "shop"."keyless" for each statement execute function "auditctl_triggers"."shop__keyless__truncate"();

alter table "shop"."keyless" enable always trigger "auditctl_truncate";

