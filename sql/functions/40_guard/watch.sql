-- Decides which tables the coverage guard checks; called by the event triggers, for every DDL command.
--
-- An upgrade runs DDL while the guard is on, so everything that these functions call is in the files before this one.

create or replace function auditctl_internal.require_fresh_snapshot() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- DDL works on the newest catalog, but this transaction may see an older auditctl.capture: then it fails with 40001.
    if current_setting('transaction_isolation') <> 'read committed' then
        begin
            perform from auditctl.capture_change for share;
            -- Undone at once: any login could otherwise keep the lock, with a temporary table, and so stop all changes of capture.
            raise exception using errcode = 'UA000';
        exception when sqlstate 'UA000' then
            null;
        end;
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_fresh_snapshot is
    'Raises 40001 in a transaction whose snapshot is older than the last change of capture';

create or replace function auditctl_internal.changed_relations() returns oid[]
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array_agg(changed.relation)
    from pg_event_trigger_ddl_commands() as command
    cross join lateral (
        select command.objid as relation where command.classid = 'pg_class'::regclass
        union all
        select t.tgrelid from pg_trigger as t where command.classid = 'pg_trigger'::regclass and t.oid = command.objid
        union all
        select r.ev_class from pg_rewrite as r where command.classid = 'pg_rewrite'::regclass and r.oid = command.objid
        union all
        select c.oid from pg_class as c where command.classid = 'pg_namespace'::regclass and c.relnamespace = command.objid
        union all
        -- Typed tables of a composite type.
        select typed.oid
        from pg_class as typed
        left join pg_class as composite on composite.reltype = typed.reloftype
        where typed.reloftype <> 0
            and (command.classid = 'pg_class'::regclass and composite.oid = command.objid
                or command.classid = 'pg_type'::regclass and typed.reloftype = command.objid)
    ) as changed
$auditctl$;
comment on function auditctl_internal.changed_relations is 'The relations that a DDL command changed; null if there are none. Only for use in an event trigger';

create or replace function auditctl_internal.drifted_captures() returns oid[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(k.relation::oid), '{}')
    from auditctl.capture as k
    where k.being_changed_by is distinct from pg_current_xact_id()
        and (
            auditctl_internal.registered_name(k.relation) <> k.target
            or auditctl_internal.current_rules(k.relation, k.members) <> k.rules
            or auditctl_internal.current_members(k.relation) <> k.members
            or auditctl_internal.current_columns(k.relation, k.members) <> k.columns
            or exists (select from auditctl_internal.trigger_states(k) as s where s.fault is not null)
        )
$auditctl$;
comment on function auditctl_internal.drifted_captures is 'The audited tables whose state differs from auditctl.capture';

create or replace function auditctl_internal.watch_ddl(p_command text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
as $auditctl$
declare
    v_relations oid[];
    v_capture record;
begin
    if p_command in ('COMMENT', 'SECURITY LABEL', 'CREATE INDEX', 'GRANT', 'REVOKE', 'CREATE STATISTICS') then
        return;
    end if;
    v_relations := case when p_command like '% POLICY' then auditctl_internal.policied_relations() else auditctl_internal.changed_relations() end;
    -- Inside REFRESH, PostgreSQL does not report which objects a command changed.
    if v_relations is null and p_command in (
        'ALTER TABLE', 'ALTER TRIGGER', 'ALTER RULE', 'ALTER SCHEMA', 'ALTER INDEX', 'CREATE TRIGGER', 'CREATE RULE',
        'REFRESH MATERIALIZED VIEW'
    ) then
        v_relations := auditctl_internal.drifted_captures() || auditctl_internal.drifted_reads();
    end if;
    if v_relations is null or v_relations = '{}' then
        return;
    end if;
    perform auditctl_internal.require_fresh_snapshot();
    if p_command in ('CREATE TRIGGER', 'CREATE SCHEMA') then
        perform auditctl_internal.require_no_forged_trigger();
    end if;
    perform auditctl_internal.warn_of_open_policy(v_relations, p_command);
    for v_capture in
        select k.relation, k.target
        from auditctl.capture as k
        where k.being_changed_by is distinct from pg_current_xact_id()
            and (k.relation::oid in (select auditctl_internal.related_relations(v_relations)) or k.members::oid[] && v_relations)
        order by k.relation
    loop
        if p_command = 'ALTER SCHEMA' then
            perform auditctl_internal.follow_schema(v_capture.relation, v_capture.target);
        end if;
        perform auditctl_internal.renew_capture(v_capture.relation, p_command, '[]');
    end loop;
    for v_capture in
        select distinct r.old_target as former, k.target,
            case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind
        from pg_class as c
        join auditctl.rename as r on r.old_target = auditctl_internal.registered_name(c.oid)
        join auditctl.capture as k on k.target = r.new_target
        where c.oid = any (v_relations) and auditctl_internal.audited_through(c.oid) is null
            and (c.relkind in ('r', 'p', 'f', 'm') or c.relkind = 'v' and not auditctl.is_audited_view(c.oid))
    loop
        raise warning '% now names a % that is not audited; the audited one is %', v_capture.former, v_capture.kind, v_capture.target
            using hint = case v_capture.kind
                when 'table' then 'To audit it: ' || auditctl_internal.command_line('enable', v_capture.former)
                else 'Audit the tables under it.'
            end;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.watch_ddl(text) is 'The coverage guard, at the end of each DDL command; called by auditctl_guard.check_ddl';

create or replace function auditctl_internal.watch_drop(p_command text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
as $auditctl$
declare
    v_dropped record;
    v_relations oid[] := '{}';
    v_dropped_members jsonb := '[]';
    v_relation regclass;
begin
    if not exists (
        select from pg_event_trigger_dropped_objects() as d where d.object_type in ('trigger', 'policy') or d.classid = 'pg_class'::regclass
    ) then
        return;
    end if;
    perform auditctl_internal.require_fresh_snapshot();
    for v_dropped in
        select d.objid, d.objsubid, d.object_type, d.object_identity, d.address_names, k.target,
            k.being_changed_by is distinct from pg_current_xact_id() as is_guarded
        from pg_event_trigger_dropped_objects() as d
        left join auditctl.capture as k on d.classid = 'pg_class'::regclass and d.objsubid = 0 and k.relation = d.objid
        where d.object_type = 'trigger' or d.classid = 'pg_class'::regclass
            or d.object_type = 'policy' and d.address_names[3] in ('auditctl_read', 'auditctl_open')
    loop
        if v_dropped.object_type in ('trigger', 'policy') then
            v_relations := v_relations || array(
                select c.oid
                from pg_class as c
                join pg_namespace as n on n.oid = c.relnamespace
                where n.nspname = v_dropped.address_names[1] and c.relname = v_dropped.address_names[2]
            );
        elsif v_dropped.objsubid > 0 then
            v_relations := v_relations || v_dropped.objid;
        elsif v_dropped.target is not null and v_dropped.is_guarded then
            raise exception 'refused: % is audited', v_dropped.target
                using errcode = 'UA003', hint = auditctl_internal.how_to_stop(v_dropped.target);
        elsif exists (select from auditctl.capture as k where v_dropped.objid = any (k.members::oid[])) then
            v_relations := v_relations || array(
                select k.relation::oid from auditctl.capture as k where v_dropped.objid = any (k.members::oid[])
            );
            v_dropped_members := v_dropped_members || jsonb_build_object('gone', v_dropped.object_identity);
        end if;
    end loop;
    -- watch_ddl checks ALTER commands when they end.
    if p_command like 'ALTER %' or v_relations = '{}' then
        return;
    end if;
    for v_relation in
        select k.relation
        from auditctl.capture as k
        where k.being_changed_by is distinct from pg_current_xact_id() and k.relation::oid in (select auditctl_internal.related_relations(v_relations))
        order by k.relation
    loop
        perform auditctl_internal.renew_capture(v_relation, p_command, v_dropped_members);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.watch_drop(text) is 'The coverage guard, after each command that drops something; called by auditctl_guard.check_drop';
