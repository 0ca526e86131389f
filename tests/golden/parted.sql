create or replace function auditctl_triggers.shop__parted__create() returns trigger
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
        if pg_partition_root(tg_relid) <> '...'::oid
            or pg_describe_object('...'::oid, '...'::oid, 3) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_new := case when num_nulls(
                auditctl_internal.typed(new.id, null::pg_catalog.text),
                auditctl_internal.typed(new.v, null::pg_catalog.int4)
            ) >= 0 then to_jsonb(new) end;
        if pg_column_size(v_new) > 8192 then
            perform auditctl_internal.require_fit(null, v_new);
        end if;
        v_target_id := case when octet_length(auditctl_internal.typed(new.id, null::pg_catalog.text)::text) > 1000 then auditctl_internal.fit_key(auditctl_internal.typed(new.id, null::pg_catalog.text)::text) else auditctl_internal.typed(new.id, null::pg_catalog.text)::text end;
        v_who := auditctl_internal.session_identity();
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{}'::text[], '{}'::text[], '{id,v}'::text[], '{id}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;
    if (tg_table_schema, tg_table_name) <> ('shop', 'parted') then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('partition', tg_table_schema || '.' || tg_table_name);
    end if;

    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.parted', v_target_id, 'CREATE', v_new, v_who.context);
    return null;
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
    v_old jsonb;
    v_new jsonb;
    v_target_id text;
    v_previous_key jsonb;
    v_who auditctl.identity;
begin
    begin
        if pg_partition_root(tg_relid) <> '...'::oid
            or pg_describe_object('...'::oid, '...'::oid, 3) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        if auditctl_internal.typed(old.id, null::pg_catalog.text) collate "C" is distinct from new.id collate "C"
            or auditctl_internal.typed(old.v, null::pg_catalog.int4) is distinct from new.v then
            if auditctl_internal.typed(old.id, null::pg_catalog.text) collate "C" is distinct from new.id collate "C" then
                v_old := coalesce(v_old, '{}') || jsonb_object(array['id', auditctl_internal.typed(old.id, null::pg_catalog.text)]);
                v_new := coalesce(v_new, '{}') || jsonb_object(array['id', auditctl_internal.typed(new.id, null::pg_catalog.text)]);
            end if;
            if auditctl_internal.typed(old.v, null::pg_catalog.int4) is distinct from new.v then
                v_old := coalesce(v_old, '{}') || jsonb_build_object('v', auditctl_internal.typed(old.v, null::pg_catalog.int4));
                v_new := coalesce(v_new, '{}') || jsonb_build_object('v', auditctl_internal.typed(new.v, null::pg_catalog.int4));
            end if;
        end if;
        if v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.session_identity();
        v_target_id := case when octet_length(auditctl_internal.typed(new.id, null::pg_catalog.text)::text) > 1000 then auditctl_internal.fit_key(auditctl_internal.typed(new.id, null::pg_catalog.text)::text) else auditctl_internal.typed(new.id, null::pg_catalog.text)::text end;
        if auditctl_internal.typed(old.id, null::pg_catalog.text) collate "C" is distinct from new.id collate "C" then
            v_previous_key := jsonb_build_object('previous_target_id', case when octet_length(auditctl_internal.typed(old.id, null::pg_catalog.text)::text) > 1000 then auditctl_internal.fit_key(auditctl_internal.typed(old.id, null::pg_catalog.text)::text) else auditctl_internal.typed(old.id, null::pg_catalog.text)::text end);
        end if;
        if pg_column_size(v_old) > 8192
            or pg_column_size(v_new) > 8192 then
            perform auditctl_internal.require_fit(v_old, v_new);
        end if;
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{}'::text[], '{}'::text[], '{id,v}'::text[], '{id}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;
    if (tg_table_schema, tg_table_name) <> ('shop', 'parted') then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('partition', tg_table_schema || '.' || tg_table_name);
    end if;

    if v_previous_key is null then
        insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
        values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.parted', v_target_id, 'UPDATE', v_old, v_new, v_who.context);
    else
        perform auditctl_internal.insert_key_change(
            v_who.actor, v_who.actor_kind, v_who.ip, 'shop.parted', v_target_id, v_old, v_new, v_who.context, v_previous_key
        );
    end if;
    return null;
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
    v_new jsonb;
    v_target_id text;
    v_previous_key jsonb;
    v_who auditctl.identity;
begin
    begin
        if pg_partition_root(tg_relid) <> '...'::oid
            or pg_describe_object('...'::oid, '...'::oid, 3) is not null then
            raise exception 'the table has changed since this function was generated';
        end if;
        v_old := case when num_nulls(
                auditctl_internal.typed(old.id, null::pg_catalog.text),
                auditctl_internal.typed(old.v, null::pg_catalog.int4)
            ) >= 0 then to_jsonb(old) end;
        if pg_column_size(v_old) > 8192 then
            perform auditctl_internal.require_fit(v_old, null);
        end if;
        v_target_id := case when octet_length(auditctl_internal.typed(old.id, null::pg_catalog.text)::text) > 1000 then auditctl_internal.fit_key(auditctl_internal.typed(old.id, null::pg_catalog.text)::text) else auditctl_internal.typed(old.id, null::pg_catalog.text)::text end;
        v_who := auditctl_internal.session_identity();
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_key
        into v_old, v_new, v_target_id, v_previous_key
        from auditctl_internal.careful_change(
            tg_op, old, new, tg_relid, '{}'::text[], '{}'::text[], '{id,v}'::text[], '{id}'::text[]
        ) as c;
        if v_old is null and v_new is null then
            return null;
        end if;
        v_who := auditctl_internal.identify();
    end;
    if (tg_table_schema, tg_table_name) <> ('shop', 'parted') then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('partition', tg_table_schema || '.' || tg_table_name);
    end if;

    insert into auditctl.event (actor, actor_kind, ip, target, target_id, action, old_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.parted', v_target_id, 'DELETE', v_old, v_who.context);
    return null;
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
declare
    v_who auditctl.identity;
begin
    begin
        v_who := auditctl_internal.session_identity();
    exception when others then
        v_who := auditctl_internal.identify();
    end;
    if (tg_table_schema, tg_table_name) <> ('shop', 'parted') then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('partition', tg_table_schema || '.' || tg_table_name);
    end if;

    insert into auditctl.event (actor, actor_kind, ip, target, action, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.parted', 'TRUNCATE', v_who.context);
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

