create or replace function "audit_triggers"."shop__every_kind__create"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "IntervalStyle" = 'postgres'
set "extra_float_digits" = '1'
set "bytea_output" = 'hex'
as $auditctl$
declare
    v_who audit.identity;
    v_new jsonb;
    v_target_id text;
begin
    begin
        if has_column_privilege(tg_relid, 15::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 16::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 17::smallint, 'select') is not null
            or pg_typeof(new."id") <> '2950'::oid
            or pg_typeof(new."line") <> '21'::oid
            or pg_typeof(new."note") <> '1043'::oid
            or pg_typeof(new."paid_at") <> '1184'::oid
            or pg_typeof(new."took") <> '1186'::oid
            or pg_typeof(new."weight") <> '701'::oid
            or pg_typeof(new."file") <> '17'::oid
            or pg_typeof(new."loose") <> '3802'::oid
            or pg_typeof(new."tags") <> '1009'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        v_new := jsonb_build_object(
                'id', new."id",
                'line', new."line",
                'note', new."note",
                'paid_at', new."paid_at",
                'took', new."took",
                'weight', case when format('%s', new."weight") ~ '(^|[{,])-0($|[,}])' then to_jsonb(format('%s', new."weight")) else to_jsonb(new."weight") end,
                'file', new."file",
                'exact', case when num_nulls(new."exact") = 0 then format('%s', new."exact") end,
                'loose', new."loose",
                'tags', new."tags",
                'mood', case when num_nulls(new."mood") = 0 then format('%s', new."mood") end,
                'total', (case when num_nulls(new."total") = 0 then format('%s', new."total") end)::numeric,
                'secret', '{"$masked": true}'::jsonb
            );
        v_target_id := jsonb_build_array(new."id", new."line")::text;
    exception when others then
        v_new := audit.row_image(new, tg_relid, '{updated_at}'::text[], '{secret}'::text[], '{id,line,note,paid_at,took,weight,file,exact,loose,tags,mood,total,secret,updated_at}'::text[]);
        v_target_id := audit.row_key(new, tg_relid, '{id,line}'::text[]);
    end;
    v_who := audit.identify();
    if v_who.actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.every_kind'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select audit.set_context(''alice'', ''203.0.113.7'')';
    end if;

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.every_kind', v_target_id, 'CREATE', v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__every_kind__create"() from public;

comment on function "audit_triggers"."shop__every_kind__create"() is 'auditctl: create of shop.every_kind';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__every_kind__create"() to session_user;

create trigger "auditctl_create" after insert on "shop"."every_kind" for each row execute function "audit_triggers"."shop__every_kind__create"();

alter table "shop"."every_kind" enable always trigger "auditctl_create";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__every_kind__create"() from session_user;

create or replace function "audit_triggers"."shop__every_kind__update"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "IntervalStyle" = 'postgres'
set "extra_float_digits" = '1'
set "bytea_output" = 'hex'
as $auditctl$
declare
    v_who audit.identity;
    v_old jsonb := '{}';
    v_new jsonb := '{}';
    v_target_id text;
    v_previous_target_id text;
begin
    begin
        if has_column_privilege(tg_relid, 15::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 16::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 17::smallint, 'select') is not null
            or pg_typeof(new."id") <> '2950'::oid
            or pg_typeof(new."line") <> '21'::oid
            or pg_typeof(new."note") <> '1043'::oid
            or pg_typeof(new."paid_at") <> '1184'::oid
            or pg_typeof(new."took") <> '1186'::oid
            or pg_typeof(new."weight") <> '701'::oid
            or pg_typeof(new."file") <> '17'::oid
            or pg_typeof(new."loose") <> '3802'::oid
            or pg_typeof(new."tags") <> '1009'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        if old."id" is distinct from new."id" then
            v_old := v_old || jsonb_build_object('id', old."id");
            v_new := v_new || jsonb_build_object('id', new."id");
        end if;
        if old."line" is distinct from new."line" then
            v_old := v_old || jsonb_build_object('line', old."line");
            v_new := v_new || jsonb_build_object('line', new."line");
        end if;
        if old."note" collate "C" is distinct from new."note" collate "C" then
            v_old := v_old || jsonb_build_object('note', old."note");
            v_new := v_new || jsonb_build_object('note', new."note");
        end if;
        if old."paid_at" is distinct from new."paid_at" then
            v_old := v_old || jsonb_build_object('paid_at', old."paid_at");
            v_new := v_new || jsonb_build_object('paid_at', new."paid_at");
        end if;
        if record_image_ne(row(old."took"), row(new."took")) then
            v_old := v_old || jsonb_build_object('took', old."took");
            v_new := v_new || jsonb_build_object('took', new."took");
        end if;
        if record_image_ne(row(old."weight"), row(new."weight")) then
            v_old := v_old || jsonb_build_object('weight', case when format('%s', old."weight") ~ '(^|[{,])-0($|[,}])' then to_jsonb(format('%s', old."weight")) else to_jsonb(old."weight") end);
            v_new := v_new || jsonb_build_object('weight', case when format('%s', new."weight") ~ '(^|[{,])-0($|[,}])' then to_jsonb(format('%s', new."weight")) else to_jsonb(new."weight") end);
        end if;
        if old."file" is distinct from new."file" then
            v_old := v_old || jsonb_build_object('file', old."file");
            v_new := v_new || jsonb_build_object('file', new."file");
        end if;
        if record_image_ne(row(old."exact"), row(new."exact")) then
            v_old := v_old || jsonb_build_object('exact', case when num_nulls(old."exact") = 0 then format('%s', old."exact") end);
            v_new := v_new || jsonb_build_object('exact', case when num_nulls(new."exact") = 0 then format('%s', new."exact") end);
        end if;
        if record_image_ne(row(old."loose"), row(new."loose")) then
            v_old := v_old || jsonb_build_object('loose', old."loose");
            v_new := v_new || jsonb_build_object('loose', new."loose");
        end if;
        if record_image_ne(row(old."tags"), row(new."tags")) then
            v_old := v_old || jsonb_build_object('tags', old."tags");
            v_new := v_new || jsonb_build_object('tags', new."tags");
        end if;
        if record_image_ne(row(old."mood"), row(new."mood")) then
            v_old := v_old || jsonb_build_object('mood', case when num_nulls(old."mood") = 0 then format('%s', old."mood") end);
            v_new := v_new || jsonb_build_object('mood', case when num_nulls(new."mood") = 0 then format('%s', new."mood") end);
        end if;
        if record_image_ne(row(old."total"), row(new."total")) then
            v_old := v_old || jsonb_build_object('total', (case when num_nulls(old."total") = 0 then format('%s', old."total") end)::numeric);
            v_new := v_new || jsonb_build_object('total', (case when num_nulls(new."total") = 0 then format('%s', new."total") end)::numeric);
        end if;
        if old."secret" collate "C" is distinct from new."secret" collate "C" then
            v_old := v_old || jsonb_build_object('secret', '{"$masked": true}'::jsonb);
            v_new := v_new || jsonb_build_object('secret', '{"$masked": true}'::jsonb);
        end if;
        if v_new = '{}' then
            return null;
        end if;
        v_target_id := jsonb_build_array(new."id", new."line")::text;
        if old."id" is distinct from new."id" or old."line" is distinct from new."line" then
            v_previous_target_id := jsonb_build_array(old."id", old."line")::text;
        end if;
    exception when others then
        select c.old_values, c.new_values, c.target_id, c.previous_target_id
        into v_old, v_new, v_target_id, v_previous_target_id
        from audit.compare_rows(
            old, new, tg_relid, '{updated_at}'::text[], '{secret}'::text[], '{id,line,note,paid_at,took,weight,file,exact,loose,tags,mood,total,secret,updated_at}'::text[], '{id,line}'::text[]
        ) as c;
        if v_new = '{}' then
            return null;
        end if;
    end;
    v_who := audit.identify();
    if v_who.actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.every_kind'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select audit.set_context(''alice'', ''203.0.113.7'')';
    end if;
    if v_previous_target_id is not null then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('previous_target_id', v_previous_target_id);
    end if;

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.every_kind', v_target_id, 'UPDATE', v_old, v_new, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__every_kind__update"() from public;

comment on function "audit_triggers"."shop__every_kind__update"() is 'auditctl: update of shop.every_kind';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__every_kind__update"() to session_user;

create trigger "auditctl_update" after update on "shop"."every_kind" for each row execute function "audit_triggers"."shop__every_kind__update"();

alter table "shop"."every_kind" enable always trigger "auditctl_update";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__every_kind__update"() from session_user;

create or replace function "audit_triggers"."shop__every_kind__delete"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "IntervalStyle" = 'postgres'
set "extra_float_digits" = '1'
set "bytea_output" = 'hex'
as $auditctl$
declare
    v_who audit.identity;
    v_old jsonb;
    v_target_id text;
begin
    begin
        if has_column_privilege(tg_relid, 15::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 16::smallint, 'select') is not null
            or has_column_privilege(tg_relid, 17::smallint, 'select') is not null
            or pg_typeof(old."id") <> '2950'::oid
            or pg_typeof(old."line") <> '21'::oid
            or pg_typeof(old."note") <> '1043'::oid
            or pg_typeof(old."paid_at") <> '1184'::oid
            or pg_typeof(old."took") <> '1186'::oid
            or pg_typeof(old."weight") <> '701'::oid
            or pg_typeof(old."file") <> '17'::oid
            or pg_typeof(old."loose") <> '3802'::oid
            or pg_typeof(old."tags") <> '1009'::oid then
            raise exception 'the table has changed since this function was generated';
        end if;

        v_old := jsonb_build_object(
                'id', old."id",
                'line', old."line",
                'note', old."note",
                'paid_at', old."paid_at",
                'took', old."took",
                'weight', case when format('%s', old."weight") ~ '(^|[{,])-0($|[,}])' then to_jsonb(format('%s', old."weight")) else to_jsonb(old."weight") end,
                'file', old."file",
                'exact', case when num_nulls(old."exact") = 0 then format('%s', old."exact") end,
                'loose', old."loose",
                'tags', old."tags",
                'mood', case when num_nulls(old."mood") = 0 then format('%s', old."mood") end,
                'total', (case when num_nulls(old."total") = 0 then format('%s', old."total") end)::numeric,
                'secret', '{"$masked": true}'::jsonb
            );
        v_target_id := jsonb_build_array(old."id", old."line")::text;
    exception when others then
        v_old := audit.row_image(old, tg_relid, '{updated_at}'::text[], '{secret}'::text[], '{id,line,note,paid_at,took,weight,file,exact,loose,tags,mood,total,secret,updated_at}'::text[]);
        v_target_id := audit.row_key(old, tg_relid, '{id,line}'::text[]);
    end;
    v_who := audit.identify();
    if v_who.actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.every_kind'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select audit.set_context(''alice'', ''203.0.113.7'')';
    end if;

    insert into audit.event (actor, actor_kind, ip, target, target_id, action, old_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.every_kind', v_target_id, 'DELETE', v_old, v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__every_kind__delete"() from public;

comment on function "audit_triggers"."shop__every_kind__delete"() is 'auditctl: delete of shop.every_kind';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__every_kind__delete"() to session_user;

create trigger "auditctl_delete" after delete on "shop"."every_kind" for each row execute function "audit_triggers"."shop__every_kind__delete"();

alter table "shop"."every_kind" enable always trigger "auditctl_delete";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__every_kind__delete"() from session_user;

create or replace function "audit_triggers"."shop__every_kind__truncate"() returns trigger
language plpgsql
security definer
set "search_path" = pg_catalog, pg_temp
as $auditctl$
declare
    v_who audit.identity;
begin
    v_who := audit.identify();
    if v_who.actor_kind = 'system' then
        raise exception '% of % refused: no actor is set', lower(tg_op), 'shop.every_kind'
            using errcode = 'UA002', hint = 'Name the user in the transaction: select audit.set_context(''alice'', ''203.0.113.7'')';
    end if;

    insert into audit.event (actor, actor_kind, ip, target, action, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, 'shop.every_kind', 'TRUNCATE', v_who.context);
    return null;
end
$auditctl$;

revoke execute on function "audit_triggers"."shop__every_kind__truncate"() from public;

comment on function "audit_triggers"."shop__every_kind__truncate"() is 'auditctl: truncate of shop.every_kind';

grant usage on schema "audit_triggers" to session_user;

grant execute on function "audit_triggers"."shop__every_kind__truncate"() to session_user;

create trigger "auditctl_truncate" after truncate on "shop"."every_kind" for each statement execute function "audit_triggers"."shop__every_kind__truncate"();

alter table "shop"."every_kind" enable always trigger "auditctl_truncate";

revoke usage on schema "audit_triggers" from session_user;

revoke execute on function "audit_triggers"."shop__every_kind__truncate"() from session_user;

