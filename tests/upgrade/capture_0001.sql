create or replace function "audit_triggers"."shop__plain__create"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
as $auditctl$
declare
    v_who audit.identity;
    v_new jsonb;
    v_target_id text;
begin
    begin
        if has_column_privilege(tg_relid, 4::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 5::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 6::smallint, 'select') is not null
            or pg_typeof(new."id") <> '23'::oid
            or pg_typeof(new."name") <> '25'::oid
            or pg_typeof(new."price") <> '1700'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        v_new := jsonb_build_object(
                'id', new."id",
                'name', new."name",
                'price', new."price"
            );
        v_target_id := new."id"::text;
    exception when others then
        v_new := audit.row_image(new, tg_relid, '{}'::text[], '{}'::text[], '{id,name,price}'::text[]);
        v_target_id := audit.row_key(new, tg_relid, '{id}'::text[]);
    end;
    v_who := audit.identify();

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.plain', v_target_id, 'CREATE', v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__plain__create"() from public;

comment on function "audit_triggers"."shop__plain__create"() is 'auditctl: create of shop.plain';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__plain__create"() to session_user;

create trigger "auditctl_create" after insert on "shop"."plain" for each row execute function "audit_triggers"."shop__plain__create"();

alter table "shop"."plain" enable always trigger "auditctl_create";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__plain__create"() from session_user;

create or replace function "audit_triggers"."shop__plain__update"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
as $auditctl$
declare
    v_who audit.identity;
    v_old jsonb := '{}';
    v_new jsonb := '{}';
    v_target_id text;
    v_previous_target_id text;
begin
    begin
        if has_column_privilege(tg_relid, 4::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 5::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 6::smallint, 'select') is not null
            or pg_typeof(new."id") <> '23'::oid
            or pg_typeof(new."name") <> '25'::oid
            or pg_typeof(new."price") <> '1700'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        if old."id" is distinct from new."id" then
            v_old := v_old || jsonb_build_object('id', old."id");
            v_new := v_new || jsonb_build_object('id', new."id");
        end if;
        if old."name" collate "C" is distinct from new."name" collate "C" then
            v_old := v_old || jsonb_build_object('name', old."name");
            v_new := v_new || jsonb_build_object('name', new."name");
        end if;
        if record_image_ne(row(old."price"), row(new."price")) then
            v_old := v_old || jsonb_build_object('price', old."price");
            v_new := v_new || jsonb_build_object('price', new."price");
        end if;
        if v_new = '{}' then
            return null;
        end if;
        v_target_id := new."id"::text;
        if old."id" is distinct from new."id" then
            v_previous_target_id := old."id"::text;
        end if;
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_target_id
        into v_old, v_new, v_target_id, v_previous_target_id
        from audit.compare_rows(
            old, new, tg_relid, '{}'::text[], '{}'::text[], '{id,name,price}'::text[], '{id}'::text[]
        ) as c;
        if v_new = '{}' then
            return null;
        end if;
    end;
    v_who := audit.identify();
    if v_previous_target_id is not null then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('previous_target_id', v_previous_target_id);
    end if;

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.plain', v_target_id, 'UPDATE', v_old, v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__plain__update"() from public;

comment on function "audit_triggers"."shop__plain__update"() is 'auditctl: update of shop.plain';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__plain__update"() to session_user;

create trigger "auditctl_update" after update on "shop"."plain" for each row execute function "audit_triggers"."shop__plain__update"();

alter table "shop"."plain" enable always trigger "auditctl_update";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__plain__update"() from session_user;

create or replace function "audit_triggers"."shop__plain__delete"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
as $auditctl$
declare
    v_who audit.identity;
    v_old jsonb;
    v_target_id text;
begin
    begin
        if has_column_privilege(tg_relid, 4::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 5::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 6::smallint, 'select') is not null
            or pg_typeof(old."id") <> '23'::oid
            or pg_typeof(old."name") <> '25'::oid
            or pg_typeof(old."price") <> '1700'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        v_old := jsonb_build_object(
                'id', old."id",
                'name', old."name",
                'price', old."price"
            );
        v_target_id := old."id"::text;
    exception when others then
        v_old := audit.row_image(old, tg_relid, '{}'::text[], '{}'::text[], '{id,name,price}'::text[]);
        v_target_id := audit.row_key(old, tg_relid, '{id}'::text[]);
    end;
    v_who := audit.identify();

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, old_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.plain', v_target_id, 'DELETE', v_old, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__plain__delete"() from public;

comment on function "audit_triggers"."shop__plain__delete"() is 'auditctl: delete of shop.plain';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__plain__delete"() to session_user;

create trigger "auditctl_delete" after delete on "shop"."plain" for each row execute function "audit_triggers"."shop__plain__delete"();

alter table "shop"."plain" enable always trigger "auditctl_delete";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__plain__delete"() from session_user;

create or replace function "audit_triggers"."shop__plain__truncate"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
as $auditctl$
declare
    v_who audit.identity;
begin
    v_who := audit.identify();

    insert into audit.event (actor, actor_kind, ip, target, action, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.plain', 'TRUNCATE', v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__plain__truncate"() from public;

comment on function "audit_triggers"."shop__plain__truncate"() is 'auditctl: truncate of shop.plain';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__plain__truncate"() to session_user;

create trigger "auditctl_truncate" after truncate on "shop"."plain" for each statement execute function "audit_triggers"."shop__plain__truncate"();

alter table "shop"."plain" enable always trigger "auditctl_truncate";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__plain__truncate"() from session_user;

