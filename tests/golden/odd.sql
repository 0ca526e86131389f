create or replace function auditctl_triggers."shop__odd ""%s"" 'name'__create"() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
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
            or pg_describe_object('...'::oid, tg_relid, 4) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_new := case when num_nulls(
                auditctl_internal.typed(new."Säule", null::pg_catalog.int4),
                auditctl_internal.typed(new."v'new", null::pg_catalog.text),
                auditctl_internal.typed(new."100%", null::pg_catalog.int4)
            ) >= 0 then to_jsonb(new) end;
        if pg_column_size(v_new) > 8192 then
            perform auditctl_internal.require_fit(null, v_new);
        end if;
        v_target_id := auditctl_internal.typed(new."Säule", null::pg_catalog.int4)::text;
        v_who := auditctl_internal.session_identity();
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{}'::text[], '{}'::text[], '{Säule,v''new,100%}'::text[], '{Säule}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;

    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop."odd ""%s"" ''name''"', v_target_id, 'CREATE', v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__odd ""%s"" 'name'__create"() from public;

comment on function "auditctl_triggers"."shop__odd ""%s"" 'name'__create"() is 'auditctl: create of shop."odd ""%s"" ''name''"';

create trigger "auditctl_create" after insert on "shop"."odd ""%s"" 'name'" for each row execute function "auditctl_triggers"."shop__odd ""%s"" 'name'__create"();

alter table "shop"."odd ""%s"" 'name'" enable always trigger "auditctl_create";

create or replace function auditctl_triggers."shop__odd ""%s"" 'name'__update"() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
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
            or pg_describe_object('...'::oid, tg_relid, 4) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        if auditctl_internal.typed(old."Säule", null::pg_catalog.int4) is distinct from new."Säule"
            or auditctl_internal.typed(old."v'new", null::pg_catalog.text) collate "C" is distinct from new."v'new" collate "C"
            or auditctl_internal.typed(old."100%", null::pg_catalog.int4) is distinct from new."100%" then
            if auditctl_internal.typed(old."Säule", null::pg_catalog.int4) is distinct from new."Säule" then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('Säule', auditctl_internal.typed(old."Säule", null::pg_catalog.int4));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('Säule', auditctl_internal.typed(new."Säule", null::pg_catalog.int4));
            end if;
            if auditctl_internal.typed(old."v'new", null::pg_catalog.text) collate "C" is distinct from new."v'new" collate "C" then
                v_old := coalesce(v_old, '{}') || jsonb_object(array['v''new', auditctl_internal.typed(old."v'new", null::pg_catalog.text)]);
                v_new := coalesce(v_new, '{}') || jsonb_object(array['v''new', auditctl_internal.typed(new."v'new", null::pg_catalog.text)]);
            end if;
            if auditctl_internal.typed(old."100%", null::pg_catalog.int4) is distinct from new."100%" then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('100%', auditctl_internal.typed(old."100%", null::pg_catalog.int4));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('100%', auditctl_internal.typed(new."100%", null::pg_catalog.int4));
            end if;
        end if;
        if v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.session_identity();
        v_target_id := auditctl_internal.typed(new."Säule", null::pg_catalog.int4)::text;
        if auditctl_internal.typed(old."Säule", null::pg_catalog.int4) is distinct from new."Säule" then
            v_previous_key := jsonb_build_object('previous_target_id', auditctl_internal.typed(old."Säule", null::pg_catalog.int4)::text);
        end if;
        if pg_column_size(v_old) > 8192
            or pg_column_size(v_new) > 8192 then
            perform auditctl_internal.require_fit(v_old, v_new);
        end if;
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{}'::text[], '{}'::text[], '{Säule,v''new,100%}'::text[], '{Säule}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;

    if v_previous_key is null then
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
        values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop."odd ""%s"" ''name''"', v_target_id, 'UPDATE', v_old, v_new, v_who.context);
    else
        perform auditctl_internal.insert_key_change(
            v_who.actor, v_who.actor_kind, v_who.ip, 'shop."odd ""%s"" ''name''"', v_target_id, v_old, v_new, v_who.context, v_previous_key
        );
    end if;
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__odd ""%s"" 'name'__update"() from public;

comment on function "auditctl_triggers"."shop__odd ""%s"" 'name'__update"() is 'auditctl: update of shop."odd ""%s"" ''name''"';

create trigger "auditctl_update" after update on "shop"."odd ""%s"" 'name'" for each row execute function "auditctl_triggers"."shop__odd ""%s"" 'name'__update"();

alter table "shop"."odd ""%s"" 'name'" enable always trigger "auditctl_update";

create or replace function auditctl_triggers."shop__odd ""%s"" 'name'__delete"() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
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
            or pg_describe_object('...'::oid, tg_relid, 4) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_old := case when num_nulls(
                auditctl_internal.typed(old."Säule", null::pg_catalog.int4),
                auditctl_internal.typed(old."v'new", null::pg_catalog.text),
                auditctl_internal.typed(old."100%", null::pg_catalog.int4)
            ) >= 0 then to_jsonb(old) end;
        if pg_column_size(v_old) > 8192 then
            perform auditctl_internal.require_fit(v_old, null);
        end if;
        v_target_id := auditctl_internal.typed(old."Säule", null::pg_catalog.int4)::text;
        v_who := auditctl_internal.session_identity();
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{}'::text[], '{}'::text[], '{Säule,v''new,100%}'::text[], '{Säule}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;

    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop."odd ""%s"" ''name''"', v_target_id, 'DELETE', v_old, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__odd ""%s"" 'name'__delete"() from public;

comment on function "auditctl_triggers"."shop__odd ""%s"" 'name'__delete"() is 'auditctl: delete of shop."odd ""%s"" ''name''"';

create trigger "auditctl_delete" after delete on "shop"."odd ""%s"" 'name'" for each row execute function "auditctl_triggers"."shop__odd ""%s"" 'name'__delete"();

alter table "shop"."odd ""%s"" 'name'" enable always trigger "auditctl_delete";

create or replace function auditctl_triggers."shop__odd ""%s"" 'name'__truncate"() returns trigger
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

    insert into auditctl.event (actor, actor_kind, ip, target, action, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop."odd ""%s"" ''name''"', 'TRUNCATE', v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__odd ""%s"" 'name'__truncate"() from public;

comment on function "auditctl_triggers"."shop__odd ""%s"" 'name'__truncate"() is 'auditctl: truncate of shop."odd ""%s"" ''name''"';

create trigger "auditctl_truncate" after truncate on "shop"."odd ""%s"" 'name'" for each statement execute function "auditctl_triggers"."shop__odd ""%s"" 'name'__truncate"();

alter table "shop"."odd ""%s"" 'name'" enable always trigger "auditctl_truncate";

