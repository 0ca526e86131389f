create or replace function auditctl_triggers.shop__plain__create() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_new jsonb;
begin
    begin
        v_new := case when auditctl_internal.has_shape(tg_relid, '...', new, '...') then to_jsonb(new) end;

    exception when others then
        null;
    end;
    if not auditctl_internal.record_row('shop.plain', 'CREATE', v_new ->> 'id', null, v_new) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.plain', '{}', '{}', '{id,name,price}', '{id}'
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return old;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__plain__create"() from public;

comment on function "auditctl_triggers"."shop__plain__create"() is 'auditctl: create of shop.plain';

create trigger "auditctl_create" after insert on "shop"."plain" for each row execute function "auditctl_triggers"."shop__plain__create"();

alter table "shop"."plain" enable always trigger "auditctl_create";

create or replace function auditctl_triggers.shop__plain__update() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_changes jsonb[];
begin
    begin
        v_changes := case when auditctl_internal.has_shape(tg_relid, '...', new, '...') then array_remove(array[
            coalesce(to_jsonb(new.id), 'null'),
            auditctl_internal.changed('id', old.id, new.id),
            auditctl_internal.changed_text('name', old.name, new.name)
        ], null) end;
        if record_image_ne(row(old.price), row(new.price)) then
            v_changes := case when v_changes is not null then v_changes || array_remove(array[
                auditctl_internal.changed_image('price', old.price, new.price)
            ], null) end;
        end if;

    exception when others then
        v_changes := null;
    end;
    if not auditctl_internal.record_update('shop.plain', 'id', v_changes) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.plain', '{}', '{}', '{id,name,price}', '{id}'
        );
    end if;
    -- Ignored. Null itself would be one more plan.
    return new;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__plain__update"() from public;

comment on function "auditctl_triggers"."shop__plain__update"() is 'auditctl: update of shop.plain';

create trigger "auditctl_update" after update on "shop"."plain" for each row execute function "auditctl_triggers"."shop__plain__update"();

alter table "shop"."plain" enable always trigger "auditctl_update";

create or replace function auditctl_triggers.shop__plain__delete() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_old jsonb;
begin
    begin
        v_old := case when auditctl_internal.has_shape(tg_relid, '...', old, '...') then to_jsonb(old) end;

    exception when others then
        null;
    end;
    if not auditctl_internal.record_row('shop.plain', 'DELETE', v_old ->> 'id', v_old, null) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop.plain', '{}', '{}', '{id,name,price}', '{id}'
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return new;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__plain__delete"() from public;

comment on function "auditctl_triggers"."shop__plain__delete"() is 'auditctl: delete of shop.plain';

create trigger "auditctl_delete" after delete on "shop"."plain" for each row execute function "auditctl_triggers"."shop__plain__delete"();

alter table "shop"."plain" enable always trigger "auditctl_delete";

create or replace function auditctl_triggers.shop__plain__truncate() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl_internal.record_row('shop.plain', 'TRUNCATE', null, null, null);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__plain__truncate"() from public;

comment on function "auditctl_triggers"."shop__plain__truncate"() is 'auditctl: truncate of shop.plain';

create trigger "auditctl_truncate" after truncate on "shop"."plain" for each statement execute function "auditctl_triggers"."shop__plain__truncate"();

alter table "shop"."plain" enable always trigger "auditctl_truncate";

