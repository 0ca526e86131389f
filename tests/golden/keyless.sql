create or replace function auditctl_triggers.shop__keyless__create() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set "DateStyle" = 'ISO, YMD'
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
            or pg_describe_object('...'::oid, tg_relid, 3) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_new := case when num_nulls(
                auditctl_internal.typed(new.day, null::pg_catalog.date),
                auditctl_internal.typed(new.amount, null::pg_catalog.int4)
            ) >= 0 then to_jsonb(new) end;
        if pg_column_size(v_new) > 8192 then
            perform auditctl_internal.require_fit(null, v_new);
        end if;
        v_target_id := case when num_nulls(new.day) = 0 then format('%s', new.day) end;
        v_who := auditctl_internal.session_identity();
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{}'::text[], '{}'::text[], '{day,amount}'::text[], '{day}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;

    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.keyless', v_target_id, 'CREATE', v_new, v_who.context);
    return null;
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
    v_old jsonb;
    v_new jsonb;
    v_target_id text;
    v_previous_key jsonb;
    v_who auditctl.identity;
begin
    begin
        if tg_relid <> '...'::oid
            or pg_describe_object('...'::oid, tg_relid, 3) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        if auditctl_internal.typed(old.day, null::pg_catalog.date) is distinct from new.day
            or auditctl_internal.typed(old.amount, null::pg_catalog.int4) is distinct from new.amount then
            if auditctl_internal.typed(old.day, null::pg_catalog.date) is distinct from new.day then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('day', auditctl_internal.typed(old.day, null::pg_catalog.date));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('day', auditctl_internal.typed(new.day, null::pg_catalog.date));
            end if;
            if auditctl_internal.typed(old.amount, null::pg_catalog.int4) is distinct from new.amount then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('amount', auditctl_internal.typed(old.amount, null::pg_catalog.int4));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('amount', auditctl_internal.typed(new.amount, null::pg_catalog.int4));
            end if;
        end if;
        if v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.session_identity();
        v_target_id := case when num_nulls(new.day) = 0 then format('%s', new.day) end;
        if auditctl_internal.typed(old.day, null::pg_catalog.date) is distinct from new.day then
            v_previous_key := jsonb_build_object('previous_target_id', case when num_nulls(old.day) = 0 then format('%s', old.day) end);
        end if;
        if pg_column_size(v_old) > 8192
            or pg_column_size(v_new) > 8192 then
            perform auditctl_internal.require_fit(v_old, v_new);
        end if;
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{}'::text[], '{}'::text[], '{day,amount}'::text[], '{day}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;

    if v_previous_key is null then
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
        values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.keyless', v_target_id, 'UPDATE', v_old, v_new, v_who.context);
    else
        perform auditctl_internal.insert_key_change(
            v_who.actor, v_who.actor_kind, v_who.ip, 'shop.keyless', v_target_id, v_old, v_new, v_who.context, v_previous_key
        );
    end if;
    return null;
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
    v_new jsonb;
    v_target_id text;
    v_previous_key jsonb;
    v_who auditctl.identity;
begin
    begin
        if tg_relid <> '...'::oid
            or pg_describe_object('...'::oid, tg_relid, 3) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_old := case when num_nulls(
                auditctl_internal.typed(old.day, null::pg_catalog.date),
                auditctl_internal.typed(old.amount, null::pg_catalog.int4)
            ) >= 0 then to_jsonb(old) end;
        if pg_column_size(v_old) > 8192 then
            perform auditctl_internal.require_fit(v_old, null);
        end if;
        v_target_id := case when num_nulls(old.day) = 0 then format('%s', old.day) end;
        v_who := auditctl_internal.session_identity();
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{}'::text[], '{}'::text[], '{day,amount}'::text[], '{day}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;

    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.keyless', v_target_id, 'DELETE', v_old, v_who.context);
    return null;
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
declare
    v_who auditctl.identity;
begin
    begin
        v_who := auditctl_internal.session_identity();
    exception when others then
        v_who := auditctl_internal.identify();
    end;

    insert into auditctl.event (actor, actor_kind, ip, target, action, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.keyless', 'TRUNCATE', v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__keyless__truncate"() from public;

comment on function "auditctl_triggers"."shop__keyless__truncate"() is 'auditctl: truncate of shop.keyless';

create trigger "auditctl_truncate" after truncate on "shop"."keyless" for each statement execute function "auditctl_triggers"."shop__keyless__truncate"();

alter table "shop"."keyless" enable always trigger "auditctl_truncate";

