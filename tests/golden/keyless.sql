create or replace function "audit_triggers"."shop__keyless__create"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
set "DateStyle" = 'ISO, YMD'
as $auditctl$
declare
    v_who audit.identity;
    v_new jsonb;
    v_target_id text;
begin
    begin
        if has_column_privilege(tg_relid, 3::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 4::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 5::smallint, 'select') is not null
            or pg_typeof(new."day") <> '1082'::oid
            or pg_typeof(new."amount") <> '23'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        v_new := jsonb_build_object(
                'day', new."day",
                'amount', new."amount"
            );
        v_target_id := case when num_nulls(new."day") = 0 then format('%s', new."day") end;
    exception when others then
        v_new := audit.row_image(new, tg_relid, '{}'::text[], '{}'::text[], '{day,amount}'::text[]);
        v_target_id := audit.row_key(new, tg_relid, '{day}'::text[]);
    end;
    v_who := audit.identify();

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.keyless', v_target_id, 'CREATE', v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__keyless__create"() from public;

comment on function "audit_triggers"."shop__keyless__create"() is 'auditctl: create of shop.keyless';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__keyless__create"() to session_user;

create trigger "auditctl_create" after insert on "shop"."keyless" for each row execute function "audit_triggers"."shop__keyless__create"();

alter table "shop"."keyless" enable always trigger "auditctl_create";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__keyless__create"() from session_user;

create or replace function "audit_triggers"."shop__keyless__update"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
set "DateStyle" = 'ISO, YMD'
as $auditctl$
declare
    v_who audit.identity;
    v_old jsonb := '{}';
    v_new jsonb := '{}';
    v_target_id text;
    v_previous_target_id text;
begin
    begin
        if has_column_privilege(tg_relid, 3::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 4::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 5::smallint, 'select') is not null
            or pg_typeof(new."day") <> '1082'::oid
            or pg_typeof(new."amount") <> '23'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        if old."day" is distinct from new."day" then
            v_old := v_old || jsonb_build_object('day', old."day");
            v_new := v_new || jsonb_build_object('day', new."day");
        end if;
        if old."amount" is distinct from new."amount" then
            v_old := v_old || jsonb_build_object('amount', old."amount");
            v_new := v_new || jsonb_build_object('amount', new."amount");
        end if;
        if v_new = '{}' then
            return null;
        end if;
        v_target_id := case when num_nulls(new."day") = 0 then format('%s', new."day") end;
        if old."day" is distinct from new."day" then
            v_previous_target_id := case when num_nulls(old."day") = 0 then format('%s', old."day") end;
        end if;
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_target_id
        into v_old, v_new, v_target_id, v_previous_target_id
        from audit.compare_rows(
            old, new, tg_relid, '{}'::text[], '{}'::text[], '{day,amount}'::text[], '{day}'::text[]
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
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.keyless', v_target_id, 'UPDATE', v_old, v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__keyless__update"() from public;

comment on function "audit_triggers"."shop__keyless__update"() is 'auditctl: update of shop.keyless';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__keyless__update"() to session_user;

create trigger "auditctl_update" after update on "shop"."keyless" for each row execute function "audit_triggers"."shop__keyless__update"();

alter table "shop"."keyless" enable always trigger "auditctl_update";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__keyless__update"() from session_user;

create or replace function "audit_triggers"."shop__keyless__delete"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
set "DateStyle" = 'ISO, YMD'
as $auditctl$
declare
    v_who audit.identity;
    v_old jsonb;
    v_target_id text;
begin
    begin
        if has_column_privilege(tg_relid, 3::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 4::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 5::smallint, 'select') is not null
            or pg_typeof(old."day") <> '1082'::oid
            or pg_typeof(old."amount") <> '23'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        v_old := jsonb_build_object(
                'day', old."day",
                'amount', old."amount"
            );
        v_target_id := case when num_nulls(old."day") = 0 then format('%s', old."day") end;
    exception when others then
        v_old := audit.row_image(old, tg_relid, '{}'::text[], '{}'::text[], '{day,amount}'::text[]);
        v_target_id := audit.row_key(old, tg_relid, '{day}'::text[]);
    end;
    v_who := audit.identify();

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, old_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.keyless', v_target_id, 'DELETE', v_old, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__keyless__delete"() from public;

comment on function "audit_triggers"."shop__keyless__delete"() is 'auditctl: delete of shop.keyless';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__keyless__delete"() to session_user;

create trigger "auditctl_delete" after delete on "shop"."keyless" for each row execute function "audit_triggers"."shop__keyless__delete"();

alter table "shop"."keyless" enable always trigger "auditctl_delete";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__keyless__delete"() from session_user;

create or replace function "audit_triggers"."shop__keyless__truncate"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
as $auditctl$
declare
    v_who audit.identity;
begin
    v_who := audit.identify();

    insert into audit.event (actor, actor_kind, ip, target, action, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.keyless', 'TRUNCATE', v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__keyless__truncate"() from public;

comment on function "audit_triggers"."shop__keyless__truncate"() is 'auditctl: truncate of shop.keyless';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__keyless__truncate"() to session_user;

create trigger "auditctl_truncate" after truncate on "shop"."keyless" for each statement execute function "audit_triggers"."shop__keyless__truncate"();

alter table "shop"."keyless" enable always trigger "auditctl_truncate";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__keyless__truncate"() from session_user;

