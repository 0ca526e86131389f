-- Changes of capture by administrators, who neither own the tables nor act as auditctl_owner: what `auditctl apply` calls for
-- them, in this order, in one transaction of isolation level read committed.

create or replace function auditctl_internal.require_in_place() returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if auditctl_internal.displacement() is not null then
        raise exception 'the store in this database %', auditctl_internal.displacement()
            using errcode = 'object_not_in_prerequisite_state', hint = 'Make it sound first: auditctl adopt';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_in_place() is 'Raises 55000 in a store that was restored or copied, and not adopted yet';

create or replace function auditctl_internal.require_own_event_triggers() returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_trigger text;
begin
    -- As in lend: what creates functions here runs them with the rights of auditctl_owner.
    select quote_ident(e.evtname)
    into v_trigger
    from pg_event_trigger as e
    join pg_proc as p on p.oid = e.evtfoid
    join pg_roles as r on r.oid = p.proowner
    join pg_namespace as n on n.oid = p.pronamespace
    where e.evtenabled <> 'D' and e.evtevent <> 'login' and not p.prosecdef and not (n.nspname = 'auditctl_guard' and r.rolsuper) and (
        not r.rolsuper
        or not exists (select from unnest(p.proconfig) as s (setting) where s.setting ^@ 'search_path=')
        and exists (
            select from pg_depend as d
            where d.refclassid = 'pg_namespace'::regclass and d.refobjid = pg_my_temp_schema() and pg_my_temp_schema() <> 0
        )
    )
    limit 1;
    if found then
        raise exception 'event trigger % would run with the rights of %', v_trigger, current_user
            using errcode = 'insufficient_privilege',
                hint = 'Make its function security definer with a search_path, or its owner a superuser, and use no temporary tables in this session; or use the login that ran `auditctl install`.';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_own_event_triggers() is
    'Raises 42501 if another login''s event trigger, or one that would find temporary objects of the session, would run with the owner''s rights';

create or replace function auditctl.lock_rules() returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl_internal.require_in_place();
    perform auditctl_internal.require_own_event_triggers();
    lock table auditctl.rule in share update exclusive mode;
end
$auditctl$;
revoke execute on function auditctl.lock_rules() from public;
grant execute on function auditctl.lock_rules() to auditctl_admin;
comment on function auditctl.lock_rules() is 'Lets no other session change the configuration until the transaction ends; the first step of a change of capture';

create or replace function auditctl.lock_table(p_relation oid, p_mode text, p_is_waiting boolean default true) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl_internal.require_reachable(p_relation);
    perform auditctl_internal.borrow('lock', p_relation, p_mode, case when not p_is_waiting then 'nowait' end);
end
$auditctl$;
revoke execute on function auditctl.lock_table from public;
grant execute on function auditctl.lock_table to auditctl_admin;
comment on function auditctl.lock_table is
    'Locks a table whose capture is to be changed, in mode access share, share, share row exclusive or access exclusive, until the transaction ends';

create or replace function auditctl.stale_targets(p_targets jsonb) returns setof bigint
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select t.relation
    from jsonb_to_recordset(p_targets) as t (relation bigint, target text, label text, key text [], hidden text [], keys jsonb)
    left join auditctl.capture as k on k.relation::oid = t.relation::oid
    left join auditctl.target as g on g.target = t.target
    where k.relation is null or g.target is null
        or (g.label, g.key_columns, g.hidden) is distinct from (t.label, t.key, coalesce(t.hidden, g.hidden))
        or to_jsonb(k) || t.keys <> to_jsonb(k)
        or k.detached <> '{}'
        or k.columns_of is distinct from auditctl_internal.table_identity(k.relation)
        or k.shape is distinct from auditctl_internal.current_shape(k.relation, auditctl_internal.current_members(k.relation))
$auditctl$;
revoke execute on function auditctl.stale_targets from public;
grant execute on function auditctl.stale_targets to auditctl_reader;
comment on function auditctl.stale_targets is
    'The audited tables whose registration differs from what it should be, or from the state that the table has now';

create or replace function auditctl_internal.stated_captures(p_captures jsonb) returns auditctl.capture[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array(
        select auditctl_internal.stated_capture(c.part) from jsonb_array_elements(p_captures) as c (part) order by (c.part ->> 'relation')::bigint
    )
$auditctl$;
comment on function auditctl_internal.stated_captures is 'What auditctl_internal.stated_capture makes of each element';

create or replace function auditctl.prepare_capture(p_captures jsonb) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
begin
    perform auditctl.lock_rules();
    perform auditctl_internal.run_function_statements(to_jsonb(s))
    from auditctl.capture_triggers(auditctl_internal.stated_captures(p_captures)) as s
    where s.statements <> '[]' and not exists (
        select
        from pg_trigger as t
        join pg_proc as p on p.oid = t.tgfoid
        where p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = s.function
    );
end
$auditctl$;
revoke execute on function auditctl.prepare_capture from public;
grant execute on function auditctl.prepare_capture to auditctl_admin;
comment on function auditctl.prepare_capture is
    'Creates the functions that no trigger calls yet, before tables are locked: for each table its object id, and the keys of a rule';

create or replace function auditctl_internal.store_captures(p_captures auditctl.capture[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_columns constant text[] := '{relation,target}'::text[] || auditctl_internal.shared_columns();
    v_list constant text := (select string_agg(quote_ident(c), ', ') from unnest(v_columns) as c);
    v_new constant text := (select string_agg('excluded.' || quote_ident(c), ', ') from unnest(v_columns) as c);
begin
    insert into auditctl.rename (renamed_at, old_target, new_target)
    select clock_timestamp(), k.target, n.target
    from unnest(p_captures) as n
    join auditctl.capture as k on k.relation = n.relation
    where k.target <> n.target;
    -- As queries/register_capture.sql does it for whoever acts as auditctl_owner.
    execute format(
        'insert into auditctl.capture as known (%1$s, being_changed_by) select %1$s, pg_current_xact_id() from unnest($1) order by relation '
        'on conflict (relation) do update set (%1$s, being_changed_by) = row(%2$s, excluded.being_changed_by), '
        'former_exclude = case when known.exclude = excluded.exclude then known.former_exclude else %3$L end, '
        'former_mask = case when known.mask = excluded.mask then known.former_mask else %3$L end', v_list, v_new, '{}'
    )
    using p_captures;
end
$auditctl$;
comment on function auditctl_internal.store_captures is 'Registers audited tables for the coverage guard, and the new names of renamed ones';

create or replace function auditctl_internal.register_targets(p_relations regclass[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    insert into auditctl.target as known (target, label, key_columns, key_types, hidden)
    select
        k.target, r.label, key.columns, auditctl_internal.key_types(k.relation::oid, key.columns),
        -- A rule that records no values takes nothing out of hiding.
        case when k.actions && '{CREATE, UPDATE, DELETE}' then k.exclude || k.mask else coalesce(former.hidden, '{}') end
    from auditctl.capture as k
    left join auditctl.rule as r on r.name = k.target
    left join auditctl.target as former on former.target = k.target
    cross join lateral auditctl_internal.key_columns(
        k.relation, auditctl_internal.column_names(k.relation), k.key, k.exclude || k.mask
    ) as key (columns)
    where k.relation = any (p_relations)
    on conflict (target) do update
    set label = excluded.label, key_columns = excluded.key_columns, key_types = excluded.key_types, hidden = excluded.hidden
    where (known.label, known.key_columns, known.key_types, known.hidden)
        is distinct from (excluded.label, excluded.key_columns, excluded.key_types, excluded.hidden)
$auditctl$;
comment on function auditctl_internal.register_targets is 'Enters audited tables in auditctl.target, each with the label of its own rule and its key';

create or replace function auditctl_internal.lock_captured(p_captures auditctl.capture[], p_stopped oid[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_lock record;
begin
    -- `apply` has locked them already, waiting for none too long; whoever has not, waits here: tables come before rows.
    for v_lock in
        select l.relation, max(l.mode) as mode
        from (
            select s.relation::oid as relation, case when s.fault in ('calls', 'redefined') then 2 when s.fault in ('missing', 'firing') then 1 else 0 end as mode
            from auditctl_internal.trigger_states(p_captures) as s
            union all
            select d.relation, 2
            from auditctl_internal.triggers_to_drop(
                array(select n.relation::oid from unnest(p_captures) as n) || p_stopped,
                (select jsonb_agg(to_jsonb(s) || jsonb_build_object('relation', s.relation::oid)) from auditctl_internal.trigger_states(p_captures) as s)
            ) as d
        ) as l
        group by l.relation
        order by l.relation
    loop
        perform auditctl_internal.borrow(
            'lock', v_lock.relation, (array['access share', 'share row exclusive', 'access exclusive'])[v_lock.mode + 1]
        );
    end loop;
end
$auditctl$;
comment on function auditctl_internal.lock_captured is 'Locks the tables on which triggers are created, enabled or dropped, in the order of their object ids';

create or replace function auditctl.change_capture(
    p_captures jsonb, p_stopped oid[] default '{}', p_rules jsonb default null, p_unused text[] default '{}',
    p_event_types jsonb default null
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_captures auditctl.capture[];
    v_relations regclass[];
    v_states jsonb;
    v_state jsonb;
    v_drop record;
    v_name text;
    v_done jsonb := '[]';
begin
    perform auditctl.lock_rules();
    perform auditctl_internal.require_stoppable(p_stopped);
    v_captures := auditctl_internal.stated_captures(p_captures);
    v_relations := array(select n.relation from unnest(v_captures) as n);
    perform auditctl_internal.lock_captured(v_captures, p_stopped);
    -- Names and owners may have changed before the locks.
    perform auditctl_internal.require_stoppable(p_stopped);
    v_captures := auditctl_internal.stated_captures(p_captures);
    perform auditctl_internal.begin_change(v_relations || p_stopped::regclass[]);
    perform auditctl_internal.store_captures(v_captures);
    if p_rules is not null then
        perform auditctl_internal.write_rules(p_rules);
    end if;
    update auditctl.capture as k set members = auditctl_internal.current_members(k.relation) where k.relation = any (v_relations);
    v_captures := array(select k from auditctl.capture as k where k.relation = any (v_relations) order by k.relation);

    v_states := (select coalesce(jsonb_agg(to_jsonb(s)), '[]') from auditctl.capture_triggers(v_captures, true) as s);
    for v_state in select s from jsonb_array_elements(v_states) as s where s -> 'statements' <> '[]' loop
        perform auditctl_internal.run_function_statements(v_state);
    end loop;
    for v_state in
        select s || jsonb_build_object('kind', case s #>> '{faults,0,kind}' when 'missing' then 'CREATE' when 'firing' then 'ENABLE' else 'REPLACE' end)
        from jsonb_array_elements(v_states) as s
        where s -> 'statements' <> '[]'
    loop
        if v_state -> 'faults' @? '$[*] ? (@.kind == "missing" || @.kind == "calls" || @.kind == "redefined")' then
            perform auditctl_internal.borrow('put', (v_state ->> 'relation')::oid, v_state ->> 'action', v_state ->> 'function');
        elsif v_state -> 'faults' @? '$[*] ? (@.kind == "firing")' then
            perform auditctl_internal.borrow('enable', (v_state ->> 'relation')::oid, v_state ->> 'action');
        end if;
        v_done := v_done || jsonb_build_object(
            'target', (select k.target from auditctl.capture as k where k.relation = (v_state ->> 'root')::oid),
            'kind', v_state ->> 'kind', 'action', v_state ->> 'action',
            'relation', auditctl_internal.registered_name((v_state ->> 'relation')::oid), 'reason', v_state #>> '{faults,0,reason}'
        );
    end loop;
    for v_drop in
        select d.*
        from auditctl_internal.triggers_to_drop(
            p_stopped || array(select unnest(k.relation::oid || k.members::oid[]) from unnest(v_captures) as k), v_states
        ) as d
    loop
        perform auditctl_internal.borrow('drop', v_drop.relation, v_drop.action);
        v_done := v_done || jsonb_build_object(
            'target', v_drop.target, 'kind', 'DROP', 'action', v_drop.action,
            'relation', auditctl_internal.registered_name(v_drop.relation), 'reason', 'No rule asks for it.'
        );
    end loop;
    foreach v_name in array p_unused loop
        if exists (
            select from pg_proc as p
            where p.pronamespace = 'auditctl_triggers'::regnamespace and p.proname = v_name and p.pronargs = 0 and p.prokind = 'f'
                and p.proowner = 'auditctl_owner'::regrole and not exists (select from pg_trigger as t where t.tgfoid = p.oid)
        ) then
            execute format('drop function auditctl_triggers.%I()', v_name);
        end if;
    end loop;

    perform auditctl_internal.register_targets(v_relations);
    delete from auditctl.capture as k
    where k.relation::oid = any (p_stopped) and k.relation <> all (v_relations)
        or auditctl_internal.registered_name(k.relation) is null and auditctl_internal.is_administrable(k.target);
    perform auditctl_internal.end_change();
    perform auditctl_internal.store_digests(
        (
            select coalesce(jsonb_object_agg(s ->> 'function', s -> 'digest') filter (where s ->> 'digest' is not null), '{}')
            from jsonb_array_elements(v_states) as s
        )
    );
    perform auditctl_internal.forget_digests();
    if p_event_types is not null then
        perform auditctl_internal.write_event_types(p_event_types);
    end if;
    perform auditctl_internal.record_changes(v_done);
end
$auditctl$;
revoke execute on function auditctl.change_capture from public;
grant execute on function auditctl.change_capture to auditctl_admin;
comment on function auditctl.change_capture is
    'Makes the capture of tables what is stated, with the rights of the login that installed auditctl: for each table its object id and the keys of a rule; the tables whose capture ends; all rules, or null; functions that no trigger calls any more; all types of business events, or null';
