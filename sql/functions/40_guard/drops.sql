-- DDL that drops what is audited, where the rule says that this is recorded and not refused.

create or replace function auditctl_internal.log_size(p_target text) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_most constant bigint := 20000;
    v_events bigint;
    v_keys bigint;
    v_plan json;
    v_total bigint;
begin
    -- Counting all of a large log would keep the dropped table locked for minutes.
    select count(*), count(distinct e.target_id)
    into v_events, v_keys
    from (select e.target_id from auditctl.event as e where e.target = p_target limit v_most + 1) as e;
    if v_events <= v_most then
        return jsonb_build_object('events', v_events, 'keys', v_keys);
    end if;
    execute format('explain (format json) select from auditctl.event as e where e.target = %L', p_target) into v_plan;
    v_total := greatest((v_plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint, v_events);
    return jsonb_build_object('events', v_total, 'keys', v_total * v_keys / v_events, 'estimated', true);
end
$auditctl$;
comment on function auditctl_internal.log_size is
    'How many events the log has of a table and of how many keys: exact up to 20,000 events, else estimated and marked so';

create or replace function auditctl_internal.drop_functions(p_schema text, p_table text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_functions text;
begin
    select string_agg(p.oid::regprocedure::text, ', ')
    into v_functions
    from auditctl_internal.captured_action() as a
    cross join lateral auditctl_internal.function_name(p_schema, p_table, a.action) as f (name)
    join pg_proc as p on p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = f.name and p.pronargs = 0
    where p.proowner = 'auditctl_owner'::regrole and not exists (select from pg_trigger as t where t.tgfoid = p.oid);
    if v_functions is not null then
        execute 'drop function ' || v_functions;
    end if;
end
$auditctl$;
comment on function auditctl_internal.drop_functions is 'Drops the capture functions of a table that was dropped, unless a trigger still calls them';

create or replace function auditctl_internal.forget_capture(p_relation oid, p_command text, p_name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_target text;
begin
    delete from auditctl.capture as k where k.relation = p_relation::regclass returning k.target into v_target;
    delete from auditctl.read_site as s where s.root = p_relation::regclass;
    perform auditctl_internal.record_ddl(v_target, p_command, jsonb_build_array(
        jsonb_build_object('gone', p_name), auditctl_internal.log_size(v_target)
    ));
end
$auditctl$;
comment on function auditctl_internal.forget_capture is
    'Records that an audited table was dropped, with the size of its log, and removes its capture; its rule stays, for a table that is created under the name';
