create or replace function auditctl_triggers.shop__parted__create() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_new jsonb;
begin
    begin
        v_new := case when auditctl_internal.has_shape(pg_partition_root(tg_relid), '...', new, '...') then to_jsonb(new) end;

    exception when others then
        null;
    end;
    if not auditctl_internal.record_row('shop.parted', 'CREATE', v_new ->> 'id', null, v_new, p_partition => case when (tg_table_schema, tg_table_name) <> ('shop', 'parted') then tg_table_schema || '.' || tg_table_name end) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.parted', '{}', '{}', '{id,v}', '{id}', p_partition => case when (tg_table_schema, tg_table_name) <> ('shop', 'parted') then tg_table_schema || '.' || tg_table_name end
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return old;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__parted__create"() from public;

comment on function "auditctl_triggers"."shop__parted__create"() is 'auditctl: create of shop.parted';

create trigger "auditctl_create" after insert on "shop"."parted" for each row execute function "auditctl_triggers"."shop__parted__create"();

alter table "shop"."parted" enable always trigger "auditctl_create";

grant execute on function "auditctl_triggers"."shop__parted__create"() to "postgres";

create or replace function auditctl_triggers.shop__parted__update() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_changes jsonb[];
begin
    begin
        v_changes := case when auditctl_internal.has_shape(pg_partition_root(tg_relid), '...', new, '...') then array_remove(array[
            coalesce(to_jsonb(new.id), 'null'),
            auditctl_internal.changed_text('id', old.id, new.id),
            auditctl_internal.changed('v', old.v, new.v)
        ], null) end;

    exception when others then
        v_changes := null;
    end;
    if not auditctl_internal.record_update('shop.parted', 'id', v_changes, p_partition => case when (tg_table_schema, tg_table_name) <> ('shop', 'parted') then tg_table_schema || '.' || tg_table_name end) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.parted', '{}', '{}', '{id,v}', '{id}', p_partition => case when (tg_table_schema, tg_table_name) <> ('shop', 'parted') then tg_table_schema || '.' || tg_table_name end
        );
    end if;
    -- Ignored. Null itself would be one more plan.
    return new;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__parted__update"() from public;

comment on function "auditctl_triggers"."shop__parted__update"() is 'auditctl: update of shop.parted';

create trigger "auditctl_update" after update on "shop"."parted" for each row execute function "auditctl_triggers"."shop__parted__update"();

alter table "shop"."parted" enable always trigger "auditctl_update";

grant execute on function "auditctl_triggers"."shop__parted__update"() to "postgres";

create or replace function auditctl_triggers.shop__parted__delete() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_old jsonb;
begin
    begin
        v_old := case when auditctl_internal.has_shape(pg_partition_root(tg_relid), '...', old, '...') then to_jsonb(old) end;

    exception when others then
        null;
    end;
    if not auditctl_internal.record_row('shop.parted', 'DELETE', v_old ->> 'id', v_old, null, p_partition => case when (tg_table_schema, tg_table_name) <> ('shop', 'parted') then tg_table_schema || '.' || tg_table_name end) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.parted', '{}', '{}', '{id,v}', '{id}', p_partition => case when (tg_table_schema, tg_table_name) <> ('shop', 'parted') then tg_table_schema || '.' || tg_table_name end
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return new;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__parted__delete"() from public;

comment on function "auditctl_triggers"."shop__parted__delete"() is 'auditctl: delete of shop.parted';

create trigger "auditctl_delete" after delete on "shop"."parted" for each row execute function "auditctl_triggers"."shop__parted__delete"();

alter table "shop"."parted" enable always trigger "auditctl_delete";

grant execute on function "auditctl_triggers"."shop__parted__delete"() to "postgres";

create or replace function auditctl_triggers.shop__parted__truncate() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl_internal.record_row('shop.parted', 'TRUNCATE', null, null, null, p_partition => case when (tg_table_schema, tg_table_name) <> ('shop', 'parted') then tg_table_schema || '.' || tg_table_name end);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__parted__truncate"() from public;

comment on function "auditctl_triggers"."shop__parted__truncate"() is 'auditctl: truncate of shop.parted';

create trigger "auditctl_truncate" after truncate on "shop"."parted" for each statement execute function "auditctl_triggers"."shop__parted__truncate"();

alter table "shop"."parted" enable always trigger "auditctl_truncate";

create trigger "auditctl_truncate" after truncate on "shop"."parted_0" for each statement execute function "auditctl_triggers"."shop__parted__truncate"();

alter table "shop"."parted_0" enable always trigger "auditctl_truncate";

create trigger "auditctl_truncate" after truncate on "shop"."parted_1" for each statement execute function "auditctl_triggers"."shop__parted__truncate"();

alter table "shop"."parted_1" enable always trigger "auditctl_truncate";

