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
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_command record;
    v_type oid;
    v_changed oid[];
begin
    for v_command in select c.classid::regclass, c.objid from pg_event_trigger_ddl_commands() as c loop
        v_type := null;
        if v_command.classid = 'pg_class'::regclass then
            v_changed := v_changed || coalesce((select i.indrelid from pg_index as i where i.indexrelid = v_command.objid), v_command.objid);
            v_type := (select c.reltype from pg_class as c where c.oid = v_command.objid and c.relkind = 'c');
        elsif v_command.classid = 'pg_trigger'::regclass then
            v_changed := v_changed || (select t.tgrelid from pg_trigger as t where t.oid = v_command.objid);
        elsif v_command.classid = 'pg_rewrite'::regclass then
            v_changed := v_changed || (select r.ev_class from pg_rewrite as r where r.oid = v_command.objid);
        elsif v_command.classid = 'pg_namespace'::regclass then
            v_changed := v_changed || array(select c.oid from pg_class as c where c.relnamespace = v_command.objid);
        elsif v_command.classid = 'pg_type'::regclass then
            v_type := v_command.objid;
        end if;
        -- Typed tables of a composite type.
        if v_type is not null then
            v_changed := v_changed || array(select c.oid from pg_class as c where c.reloftype = v_type);
        end if;
    end loop;
    return v_changed;
end
$auditctl$;
comment on function auditctl_internal.changed_relations() is 'The relations that a DDL command changed; null if there are none. Only for use in an event trigger';

create or replace function auditctl_internal.drifted_captures() returns oid[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select coalesce(array_agg(k.relation::oid), '{}')
        from auditctl.capture as k
        where k.being_changed_by is distinct from pg_current_xact_id()
            and auditctl_internal.current_shape(k.relation, auditctl_internal.current_members(k.relation)) is distinct from k.shape
    );
end
$auditctl$;
comment on function auditctl_internal.drifted_captures is 'The audited tables that are not as when their capture was changed last';

create or replace function auditctl_internal.concerned_captures(p_relations oid[], p_related regclass[]) returns regclass[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return array(
        select k.relation
        from auditctl.capture as k
        where (k.relation = any (p_related) or k.members::oid[] && p_relations)
            and k.being_changed_by is distinct from pg_current_xact_id()
        order by k.relation
    );
end
$auditctl$;
comment on function auditctl_internal.concerned_captures is
    'The audited tables that are among the second, or had as members the first relations, and that no change of capture in this transaction is about';

create or replace function auditctl_internal.warn_of_former_name(p_relations oid[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_capture record;
begin
    if not exists (select from auditctl.rename) then
        return;
    end if;
    for v_capture in
        select distinct r.old_target as former, k.target,
            case c.relkind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end as kind
        from pg_class as c
        join auditctl.rename as r on r.old_target = auditctl_internal.registered_name(c.oid)
        join auditctl.capture as k on k.target = r.new_target
        where c.oid = any (p_relations) and auditctl_internal.audited_through(c.oid) is null
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
comment on function auditctl_internal.warn_of_former_name is
    'Warns a session that gives the former name of an audited table to another one, which is not audited';

create or replace function auditctl_internal.is_watched(p_command text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
declare
    v_relations oid[];
begin
    if p_command in ('COMMENT', 'SECURITY LABEL', 'GRANT', 'REVOKE', 'CREATE STATISTICS', 'CREATE FUNCTION', 'ALTER FUNCTION') then
        return false;
    elsif p_command = 'CREATE INDEX' then
        -- Only a unique one may identify rows.
        return exists (
            select
            from pg_event_trigger_ddl_commands() as c
            join pg_index as i on i.indexrelid = c.objid and i.indisunique
            where c.classid = 'pg_class'::regclass
        );
    elsif p_command not in ('ALTER TABLE', 'CREATE TRIGGER') or not pg_has_role(session_user, 'auditctl_owner', 'MEMBER') then
        return true;
    end if;
    -- What apply does with tables that it has announced.
    v_relations := auditctl_internal.changed_relations();
    return v_relations is null or exists (
        select
        from auditctl_internal.related_relations(v_relations) as r (relation)
        left join auditctl.capture as k on k.relation = r.relation
        where k.being_changed_by is distinct from pg_current_xact_id()
    );
end
$auditctl$;
comment on function auditctl_internal.is_watched(text) is
    'Whether a DDL command is one that auditctl_internal.watch_ddl looks at. Only for use in an event trigger';

create or replace function auditctl_internal.watch_ddl(p_command text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
set plan_cache_mode = force_generic_plan
as $auditctl$
declare
    v_relations oid[];
    v_relation regclass;
    v_related oid[];
    v_renamed oid[];
    v_merged regclass[] := '{}';
    v_capture record;
    v_concerned regclass[];
    v_table_shape text;
    v_is_same boolean;
begin
    -- The guard of a store that is not where it was installed does not ask auditctl_internal.is_watched before.
    if p_command in ('COMMENT', 'SECURITY LABEL', 'GRANT', 'REVOKE', 'CREATE STATISTICS', 'CREATE FUNCTION', 'ALTER FUNCTION') then
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
    v_related := array(select r.oid from auditctl_internal.related_relations(v_relations) as r (oid));
    if p_command in ('ALTER TABLE', 'ALTER FOREIGN TABLE') then
        v_merged := auditctl_internal.merge_captures(v_related);
    end if;
    v_concerned := auditctl_internal.concerned_captures(v_relations, v_related);
    if p_command in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA', 'CREATE FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA') then
        perform auditctl_internal.join_tables(v_relations, p_command);
    end if;
    foreach v_relation in array v_concerned loop
        select k.target, k.shape, auditctl_internal.current_members(v_relation) as members
        into v_capture
        from auditctl.capture as k
        where k.relation = v_relation;
        v_table_shape := auditctl_internal.table_shape(v_relation, v_capture.members);
        v_is_same := v_capture.shape = v_table_shape || auditctl_internal.trigger_shape(v_relation, v_capture.members);
        if v_is_same and p_command like '%INDEX' then
            continue;
        elsif v_is_same then
            perform auditctl_internal.record_ddl(v_capture.target, p_command, '[]');
            continue;
        end if;
        if p_command = 'ALTER SCHEMA' then
            perform auditctl_internal.follow_schema(v_relation, v_capture.target);
        end if;
        perform auditctl_internal.renew_capture(v_relation, p_command, '[]', v_table_shape);
    end loop;
    if v_merged <> '{}' then
        -- A partition is recorded by the functions of its root by now.
        perform auditctl_internal.drop_functions(n.nspname, c.relname)
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.oid = any (v_merged::oid[]) and c.relispartition;
    end if;
    if p_command = 'ALTER SCHEMA' then
        perform auditctl_internal.join_tables(v_relations, p_command);
    elsif p_command in ('ALTER TABLE', 'ALTER FOREIGN TABLE') then
        -- With another name or schema, the row type was changed, too. Else apply may be about to take the table in.
        v_renamed := array(
            select c.oid from pg_class as c join pg_type as t on t.oid = c.reltype where c.oid = any (v_relations) and age(t.xmin) <= 0
        );
        if v_renamed <> '{}' then
            perform auditctl_internal.join_tables(v_renamed, p_command);
        end if;
    end if;
    perform auditctl_internal.warn_of_former_name(v_relations);
end
$auditctl$;
comment on function auditctl_internal.watch_ddl(text) is 'The coverage guard, at the end of each DDL command; called by auditctl_guard.check_ddl';

create or replace function auditctl_internal.is_drop_watched() returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return exists (
        select
        from pg_event_trigger_dropped_objects() as d
        where d.object_type = 'policy' or d.classid = 'pg_class'::regclass
            -- What apply does with tables that it has announced.
            or d.object_type = 'trigger' and not exists (
                select
                from pg_namespace as n
                join pg_class as c on c.relnamespace = n.oid
                join auditctl.capture as k on k.relation = c.oid and k.being_changed_by = pg_current_xact_id()
                where n.nspname = d.address_names[1] and c.relname = d.address_names[2]
            )
    );
end
$auditctl$;
comment on function auditctl_internal.is_drop_watched() is
    'Whether a command dropped something that auditctl_internal.watch_drop looks at. Only for use in an event trigger';

create or replace function auditctl_internal.watch_drop(p_command text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
set plan_cache_mode = force_generic_plan
as $auditctl$
declare
    v_dropped record;
    v_relations oid[] := '{}';
    v_is_gone boolean := false;
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
        select d.objid, d.objsubid, d.object_type, d.object_identity, d.address_names, k.target, k.on_drop, k.taken_in_by,
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
        elsif v_dropped.object_type = 'index' then
            v_relations := v_relations || array(
                select k.relation::oid from auditctl.capture as k where v_dropped.object_identity = any (k.key_indexes)
            );
        elsif v_dropped.objsubid > 0 then
            v_relations := v_relations || v_dropped.objid;
        elsif v_dropped.target is not null and v_dropped.is_guarded then
            if v_dropped.on_drop = 'refuse' and v_dropped.taken_in_by is distinct from pg_current_xact_id()
                and not auditctl_internal.use_release(v_dropped.objid)
            then
                perform nextval('auditctl.refused_ddl');
                raise exception 'refused: % is audited', v_dropped.target
                    using errcode = 'UA003', hint = auditctl_internal.how_to_stop_dropped();
            end if;
            perform auditctl_internal.forget_capture(v_dropped.objid, p_command, v_dropped.object_identity);
            v_is_gone := true;
        elsif exists (select from auditctl.capture as k where v_dropped.objid = any (k.members::oid[])) then
            v_relations := v_relations || array(
                select k.relation::oid from auditctl.capture as k where v_dropped.objid = any (k.members::oid[])
            );
            v_dropped_members := v_dropped_members || jsonb_build_object('gone', v_dropped.object_identity);
            v_is_gone := true;
        end if;
    end loop;
    if v_is_gone then
        perform auditctl_internal.drop_functions(d.address_names[1], d.address_names[2])
        from pg_event_trigger_dropped_objects() as d
        where d.classid = 'pg_class'::regclass and d.objsubid = 0 and d.object_type in ('table', 'foreign table');
    end if;
    -- watch_ddl checks ALTER commands when they end.
    if p_command like 'ALTER %' or v_relations = '{}' then
        return;
    end if;
    foreach v_relation in array auditctl_internal.concerned_captures(
        v_relations, array(select r.oid from auditctl_internal.related_relations(v_relations) as r (oid))
    ) loop
        perform auditctl_internal.renew_capture(v_relation, p_command, v_dropped_members);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.watch_drop(text) is 'The coverage guard, after each command that drops something; called by auditctl_guard.check_drop';
