create or replace function auditctl_triggers."shop__odd ""%s"" 'name'__create"() returns trigger
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
    if not auditctl_internal.record_row('shop."odd ""%s"" ''name''"', 'CREATE', v_new ->> 'Säule', null, v_new) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop."odd ""%s"" ''name''"', '{}', '{}', '{Säule,v''new,100%}', '{Säule}'
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return old;
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
    v_changes jsonb[];
begin
    begin
        v_changes := case when auditctl_internal.has_shape(tg_relid, '...', new, '...') then array_remove(array[
            coalesce(to_jsonb(new."Säule"), 'null'),
            auditctl_internal.changed('Säule', old."Säule", new."Säule"),
            auditctl_internal.changed_text('v''new', old."v'new", new."v'new"),
            auditctl_internal.changed('100%', old."100%", new."100%")
        ], null) end;

    exception when others then
        v_changes := null;
    end;
    if not auditctl_internal.record_update('shop."odd ""%s"" ''name''"', 'Säule', v_changes) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop."odd ""%s"" ''name''"', '{}', '{}', '{Säule,v''new,100%}', '{Säule}'
        );
    end if;
    -- Ignored. Null itself would be one more plan.
    return new;
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
begin
    begin
        v_old := case when auditctl_internal.has_shape(tg_relid, '...', old, '...') then to_jsonb(old) end;

    exception when others then
        null;
    end;
    if not auditctl_internal.record_row('shop."odd ""%s"" ''name''"', 'DELETE', v_old ->> 'Säule', v_old, null) then
        perform auditctl_internal.record_carefully(
            tg_op, old, new, tg_relid, 'shop."odd ""%s"" ''name''"', '{}', '{}', '{Säule,v''new,100%}', '{Säule}'
        );
    end if;
    -- Null, from a variable: null itself would be one more plan.
    return new;
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
begin
    perform auditctl_internal.record_row('shop."odd ""%s"" ''name''"', 'TRUNCATE', null, null, null);
    return null;
end
$auditctl$;

revoke execute on function "auditctl_triggers"."shop__odd ""%s"" 'name'__truncate"() from public;

comment on function "auditctl_triggers"."shop__odd ""%s"" 'name'__truncate"() is 'auditctl: truncate of shop."odd ""%s"" ''name''"';

create trigger "auditctl_truncate" after truncate on "shop"."odd ""%s"" 'name'" for each statement execute function "auditctl_triggers"."shop__odd ""%s"" 'name'__truncate"();

alter table "shop"."odd ""%s"" 'name'" enable always trigger "auditctl_truncate";

