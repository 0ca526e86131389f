create or replace function "audit_triggers"."shop__odd ""%s"" 'name'__create"() returns trigger
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
            or pg_typeof(new."Säule") <> '23'::oid
            or pg_typeof(new."v'new") <> '25'::oid
            or pg_typeof(new."100%") <> '23'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        v_new := jsonb_build_object(
                'Säule', new."Säule",
                'v''new', new."v'new",
                '100%', new."100%"
            );
        v_target_id := new."Säule"::text;
    exception when others then
        v_new := audit.row_image(new, tg_relid, '{}'::text[], '{}'::text[], '{Säule,v''new,100%}'::text[]);
        v_target_id := audit.row_key(new, tg_relid, '{Säule}'::text[]);
    end;
    v_who := audit.identify();

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop."odd ""%s"" ''name''"', v_target_id, 'CREATE', v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__odd ""%s"" 'name'__create"() from public;

comment on function "audit_triggers"."shop__odd ""%s"" 'name'__create"() is 'auditctl: create of shop."odd ""%s"" ''name''"';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__odd ""%s"" 'name'__create"() to session_user;

create trigger "auditctl_create" after insert on "shop"."odd ""%s"" 'name'" for each row execute function "audit_triggers"."shop__odd ""%s"" 'name'__create"();

alter table "shop"."odd ""%s"" 'name'" enable always trigger "auditctl_create";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__odd ""%s"" 'name'__create"() from session_user;

create or replace function "audit_triggers"."shop__odd ""%s"" 'name'__update"() returns trigger
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
            or pg_typeof(new."Säule") <> '23'::oid
            or pg_typeof(new."v'new") <> '25'::oid
            or pg_typeof(new."100%") <> '23'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        if old."Säule" is distinct from new."Säule" then
            v_old := v_old || jsonb_build_object('Säule', old."Säule");
            v_new := v_new || jsonb_build_object('Säule', new."Säule");
        end if;
        if old."v'new" collate "C" is distinct from new."v'new" collate "C" then
            v_old := v_old || jsonb_build_object('v''new', old."v'new");
            v_new := v_new || jsonb_build_object('v''new', new."v'new");
        end if;
        if old."100%" is distinct from new."100%" then
            v_old := v_old || jsonb_build_object('100%', old."100%");
            v_new := v_new || jsonb_build_object('100%', new."100%");
        end if;
        if v_new = '{}' then
            return null;
        end if;
        v_target_id := new."Säule"::text;
        if old."Säule" is distinct from new."Säule" then
            v_previous_target_id := old."Säule"::text;
        end if;
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_target_id
        into v_old, v_new, v_target_id, v_previous_target_id
        from audit.compare_rows(
            old, new, tg_relid, '{}'::text[], '{}'::text[], '{Säule,v''new,100%}'::text[], '{Säule}'::text[]
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
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop."odd ""%s"" ''name''"', v_target_id, 'UPDATE', v_old, v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__odd ""%s"" 'name'__update"() from public;

comment on function "audit_triggers"."shop__odd ""%s"" 'name'__update"() is 'auditctl: update of shop."odd ""%s"" ''name''"';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__odd ""%s"" 'name'__update"() to session_user;

create trigger "auditctl_update" after update on "shop"."odd ""%s"" 'name'" for each row execute function "audit_triggers"."shop__odd ""%s"" 'name'__update"();

alter table "shop"."odd ""%s"" 'name'" enable always trigger "auditctl_update";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__odd ""%s"" 'name'__update"() from session_user;

create or replace function "audit_triggers"."shop__odd ""%s"" 'name'__delete"() returns trigger
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
            or pg_typeof(old."Säule") <> '23'::oid
            or pg_typeof(old."v'new") <> '25'::oid
            or pg_typeof(old."100%") <> '23'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        v_old := jsonb_build_object(
                'Säule', old."Säule",
                'v''new', old."v'new",
                '100%', old."100%"
            );
        v_target_id := old."Säule"::text;
    exception when others then
        v_old := audit.row_image(old, tg_relid, '{}'::text[], '{}'::text[], '{Säule,v''new,100%}'::text[]);
        v_target_id := audit.row_key(old, tg_relid, '{Säule}'::text[]);
    end;
    v_who := audit.identify();

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, old_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop."odd ""%s"" ''name''"', v_target_id, 'DELETE', v_old, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__odd ""%s"" 'name'__delete"() from public;

comment on function "audit_triggers"."shop__odd ""%s"" 'name'__delete"() is 'auditctl: delete of shop."odd ""%s"" ''name''"';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__odd ""%s"" 'name'__delete"() to session_user;

create trigger "auditctl_delete" after delete on "shop"."odd ""%s"" 'name'" for each row execute function "audit_triggers"."shop__odd ""%s"" 'name'__delete"();

alter table "shop"."odd ""%s"" 'name'" enable always trigger "auditctl_delete";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__odd ""%s"" 'name'__delete"() from session_user;

create or replace function "audit_triggers"."shop__odd ""%s"" 'name'__truncate"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
as $auditctl$
declare
    v_who audit.identity;
begin
    v_who := audit.identify();

    insert into audit.event (actor, actor_kind, ip, target, action, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop."odd ""%s"" ''name''"', 'TRUNCATE', v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__odd ""%s"" 'name'__truncate"() from public;

comment on function "audit_triggers"."shop__odd ""%s"" 'name'__truncate"() is 'auditctl: truncate of shop."odd ""%s"" ''name''"';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__odd ""%s"" 'name'__truncate"() to session_user;

create trigger "auditctl_truncate" after truncate on "shop"."odd ""%s"" 'name'" for each statement execute function "audit_triggers"."shop__odd ""%s"" 'name'__truncate"();

alter table "shop"."odd ""%s"" 'name'" enable always trigger "auditctl_truncate";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__odd ""%s"" 'name'__truncate"() from session_user;

