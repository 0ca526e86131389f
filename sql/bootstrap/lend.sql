-- What administrators' changes of capture run with the rights of the login that installs: fixed DDL on tables, and nothing
-- else. Runs as that login, at every install. A superuser's is in auditctl_guard, which only a superuser can change.

reset role;

do $install$
declare
    v_is_superuser constant boolean := (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = session_user);
    v_schema constant text := case when v_is_superuser then 'auditctl_guard' else 'auditctl_internal' end;
begin
    -- What a superuser or another login installed stays.
    if not v_is_superuser and exists (
        select
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'auditctl_internal'::pg_catalog.regnamespace and p.proname = 'lend'
            and not pg_catalog.pg_has_role(session_user, p.proowner, 'MEMBER')
        union all
        select
        from pg_catalog.pg_namespace as n
        join pg_catalog.pg_roles as r on r.oid = n.nspowner
        where n.nspname = 'auditctl_guard' and r.rolsuper
    ) then
        return;
    end if;
    execute pg_catalog.replace($function$
create or replace function auditctl_internal.lend(p_task text, p_relation oid, p_detail text, p_function text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set row_security = off
set constraint_exclusion = off
as $auditctl$
-- auditctl_owner, which does not own the audited tables, may call this. It reads PostgreSQL's catalog alone, uses no type and
-- calls no function that anybody could replace, and composes every statement from an object id and words of its own. Names
-- may change hands at any time: it locks by name, compares the object id, and looks again by object id afterwards.
declare
    v_action constant text := lower(p_detail);
    v_event constant text := case v_action when 'create' then 'insert' when 'update' then v_action when 'delete' then v_action when 'truncate' then v_action end;
    v_each constant text := case v_action when 'truncate' then 'statement' else 'row' end;
    v_bits constant smallint := case v_action when 'create' then 5 when 'update' then 17 when 'delete' then 9 when 'truncate' then 32 end;
    v_name text;
    v_kind "char";
    v_mode text := 'access exclusive';
    v_other text;
    v_trigger record;
    v_function oid;
    v_rows bigint;
    v_is_guarded constant boolean := exists (
        select
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        join pg_roles as r on r.oid = p.proowner
        where n.nspname = 'auditctl_guard' and p.proname = 'open_pass' and r.rolsuper and r.rolname = current_user
    );
    v_is_open boolean;
begin
    if current_setting('transaction_isolation') <> 'read committed' and p_task is distinct from 'count' then
        raise exception 'capture can only be changed in a transaction of isolation level read committed'
            using errcode = 'invalid_transaction_state', hint = 'Begin it without another level.';
    end if;
    select format('%I.%I', n.nspname, c.relname), c.relkind
    into v_name, v_kind
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation and c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't' and c.relowner <> to_regrole('auditctl_owner')
        and n.nspname not in ('information_schema', 'auditctl', 'auditctl_internal', 'auditctl_triggers', 'auditctl_guard')
        and not n.nspname ^@ 'pg_';
    if not found then
        raise exception 'relation % is not a table whose capture administrators may change', coalesce(p_relation::text, 'null')
            using errcode = 'insufficient_privilege';
    end if;
    if p_task = 'count' then
        -- A query finds a table by its name, and runs what a view of that name calls, with the rights of the login that asks. The
        -- locks keep the name with the table: no table, and no schema, is renamed. At a higher isolation level the catalog
        -- would be read as it was before.
        if v_kind <> 'r' or current_setting('transaction_isolation') <> 'read committed' then
            return null;
        end if;
        perform from pg_namespace as n join pg_class as c on c.relnamespace = n.oid where c.oid = p_relation for key share of n nowait;
        select format('%I.%I', n.nspname, c.relname)
        into v_name
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.oid = p_relation;
        execute format('lock table only %s in share update exclusive mode nowait', v_name);
        -- PostgreSQL also evaluates what indexes and constraints call, while it plans. The lock excludes new ones.
        if to_regclass(v_name) is distinct from p_relation::regclass or exists (
            with recursive above as (
                select p_relation as relation
                union
                select i.inhparent from above as a join pg_inherits as i on i.inhrelid = a.relation
            )

            select
            from (
                select 'pg_class'::regclass::oid, a.relation from above as a
                union all
                select 'pg_class'::regclass::oid, i.indexrelid from pg_index as i where i.indrelid = p_relation
                union all
                select 'pg_constraint'::regclass::oid, k.oid from pg_constraint as k where k.conrelid = p_relation
                union all
                select 'pg_statistic_ext'::regclass::oid, s.oid from pg_statistic_ext as s where s.stxrelid = p_relation
            ) as part (class, object)
            join pg_depend as d on d.classid = part.class and d.objid = part.object and d.refobjid >= 16384
            where d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_am'::regclass, 'pg_opclass'::regclass)
                or d.refclassid = 'pg_type'::regclass and (d.objsubid = 0 or part.class <> 'pg_class'::regclass)
        ) then
            return null;
        end if;
        execute format('select count(*) from (select from only %s limit 1000001) as r', v_name) into v_rows;
        return case when v_rows <= 1000000 then v_rows end;
    elsif p_task in ('read', 'share') then
        if v_kind <> 'r' then
            raise exception '% is not an ordinary table', v_name using errcode = 'wrong_object_type';
        end if;
        -- As above: the locks keep the name with the table, and what the table's owner may put into indexes, statistics and
        -- constraints as it is.
        if v_is_guarded then
            perform from pg_namespace as n join pg_class as c on c.relnamespace = n.oid where c.oid = p_relation for key share of n;
        end if;
        execute format('lock table only %s in share update exclusive mode', v_name);
        if to_regclass(v_name) is distinct from p_relation::regclass then
            raise exception '% was renamed meanwhile', v_name using errcode = 'serialization_failure', hint = 'Try again.';
        end if;
        -- What a superuser owns may run, and a login that has these rights runs the rest in any query.
        if not pg_has_role(session_user, current_user, 'MEMBER') then
            with recursive above as (
                select p_relation as relation
                union
                select i.inhparent from above as a join pg_inherits as i on i.inhrelid = a.relation
            )

            select pg_describe_object(d.refclassid, d.refobjid, 0)
            into v_other
            from (
                select 'pg_class'::regclass::oid, a.relation from above as a
                union all
                select 'pg_class'::regclass::oid, i.indexrelid from pg_index as i where i.indrelid = p_relation
                union all
                select 'pg_constraint'::regclass::oid, k.oid from pg_constraint as k where k.conrelid = p_relation
                union all
                select 'pg_statistic_ext'::regclass::oid, s.oid from pg_statistic_ext as s where s.stxrelid = p_relation
            ) as part (class, object)
            join pg_depend as d on d.classid = part.class and d.objid = part.object and d.refobjid >= 16384
            cross join lateral (
                select case d.refclassid
                    when 'pg_proc'::regclass then (select p.proowner from pg_proc as p where p.oid = d.refobjid)
                    when 'pg_operator'::regclass then (select o.oprowner from pg_operator as o where o.oid = d.refobjid)
                    when 'pg_opclass'::regclass then (select o.opcowner from pg_opclass as o where o.oid = d.refobjid)
                    when 'pg_type'::regclass then (select t.typowner from pg_type as t where t.oid = d.refobjid and t.typtype in ('b', 'e'))
                end
            ) as owner (oid)
            where d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_am'::regclass, 'pg_opclass'::regclass)
                and not exists (select from pg_roles as r where r.oid = owner.oid and r.rolsuper)
                or d.refclassid = 'pg_type'::regclass and (d.objsubid = 0 or part.class <> 'pg_class'::regclass)
                and not exists (select from pg_roles as r where r.oid = owner.oid and r.rolsuper)
            limit 1;
            if v_other is not null then
                raise exception 'reading % would run % with the rights of %', v_name, v_other, current_user
                    using errcode = 'insufficient_privilege', hint = 'Use a superuser, or the login that ran `auditctl install`.';
            end if;
        end if;
        if p_task = 'share' then
            -- A session that waits for a row and holds others can be part of a deadlock, which may end an application's transaction.
            execute format(
                'select from only %s as t where t.ctid >= ''(%s,0)''::tid and t.ctid < ''(%s,0)''::tid for share nowait', v_name,
                split_part(p_detail, ' ', 1)::bigint, split_part(p_detail, ' ', 2)::bigint
            );
            get diagnostics v_rows = row_count;
        end if;
        return v_rows;
    elsif p_task = 'lock' then
        if p_detail is null or p_detail not in ('access share', 'share', 'share row exclusive', 'access exclusive') then
            raise exception 'no lock mode: %', coalesce(p_detail, 'null') using errcode = 'invalid_parameter_value';
        end if;
        v_mode := p_detail;
    elsif v_event is null or p_task is null or p_task not in ('put', 'enable', 'drop') then
        raise exception 'no change of a capture trigger: %, %', p_task, p_detail using errcode = 'invalid_parameter_value';
    else
        -- Another login's event trigger would run, with the rights of this function, what that login wants. The guard's own
        -- name everything with its schema.
        select quote_ident(e.evtname)
        into v_other
        from pg_event_trigger as e
        join pg_proc as p on p.oid = e.evtfoid
        join pg_roles as r on r.oid = p.proowner
        join pg_namespace as n on n.oid = p.pronamespace
        where e.evtenabled <> 'D' and e.evtevent <> 'login' and not p.prosecdef and not (n.nspname = 'auditctl_guard' and r.rolsuper) and (
            not r.rolsuper and r.rolname <> current_user
            -- One that finds names by the session's search path finds temporary objects of the session.
            or not exists (select from unnest(p.proconfig) as s (setting) where s.setting ^@ 'search_path=')
            and exists (
                select from pg_depend as d
                where d.refclassid = 'pg_namespace'::regclass and d.refobjid = pg_my_temp_schema() and pg_my_temp_schema() <> 0
            )
        )
        limit 1;
        if found then
            raise exception 'event trigger % would run with the rights of %', v_other, current_user
                using errcode = 'insufficient_privilege',
                    hint = 'Make its function security definer with a search_path, or its owner a superuser, and use no temporary tables in this session; or use the login that ran `auditctl install`.';
        end if;
        if p_task <> 'drop' and not exists (
            select from pg_trigger as t where t.tgrelid = p_relation and t.tgname = 'auditctl_' || v_action
        ) or p_task = 'enable' then
            v_mode := 'share row exclusive';
        end if;
    end if;
    if v_kind <> 'f' then
        execute format('lock table %s in %s mode%s', v_name, v_mode, case when p_function = 'nowait' then ' nowait' end);
    end if;
    if to_regclass(v_name) is distinct from p_relation::regclass then
        raise exception '% was renamed meanwhile', v_name using errcode = 'serialization_failure', hint = 'Try again.';
    end if;
    if p_task = 'lock' then
        return null;
    end if;
    select t.tgfoid, t.tgparentid <> 0 as is_clone, n.nspname <> 'auditctl_triggers' as is_foreign
    into v_trigger
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid
    join pg_namespace as n on n.oid = p.pronamespace
    where t.tgrelid = p_relation and t.tgname = 'auditctl_' || v_action;
    if v_trigger.is_clone then
        raise exception 'trigger auditctl_% of % belongs to the table that this is a partition of', v_action, v_name
            using errcode = 'insufficient_privilege', hint = 'Change the capture of that table.';
    elsif v_trigger.is_foreign then
        raise exception 'trigger auditctl_% of % calls a function that is not auditctl''s', v_action, v_name
            using errcode = 'insufficient_privilege', hint = 'Its owner may drop it.';
    elsif p_task <> 'put' and v_trigger.tgfoid is null then
        raise exception '% has no trigger auditctl_%', v_name, v_action using errcode = 'undefined_object';
    end if;
    if p_task = 'put' then
        select p.oid
        into v_function
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        join pg_language as l on l.oid = p.prolang
        where n.nspname = 'auditctl_triggers' and p.proname = p_function and p.pronargs = 0 and p.prosecdef and l.lanname = 'plpgsql'
            and p.prorettype = 'trigger'::regtype and p.proowner = to_regrole('auditctl_owner');
        if not found then
            raise exception 'there is no capture function %', p_function using errcode = 'undefined_function';
        end if;
    end if;
    -- The coverage guard makes way for what a command's text names, with the rights that the command has: not here.
    if v_is_guarded then
        v_is_open := auditctl_guard.open_pass();
    end if;
    if p_task = 'drop' or p_task = 'put' and v_trigger.tgfoid is not null then
        execute format('drop trigger auditctl_%s on %s', v_action, v_name);
    end if;
    if p_task = 'put' then
        execute format(
            'create trigger auditctl_%s after %s on %s for each %s execute function auditctl_triggers.%I()',
            v_action, v_event, v_name, v_each, p_function
        );
    end if;
    if p_task <> 'drop' then
        execute format('alter table %s enable always trigger auditctl_%s', v_name, v_action);
    end if;
    if v_is_guarded then
        perform auditctl_guard.close_pass(v_is_open);
    end if;
    if (p_task <> 'drop') is distinct from exists (
        select from pg_trigger as t
        where t.tgrelid = p_relation and t.tgname = 'auditctl_' || v_action and t.tgenabled = 'A'
            and (p_task = 'enable' or t.tgfoid = v_function and t.tgtype = v_bits)
    ) then
        raise exception '% was renamed meanwhile', v_name using errcode = 'serialization_failure', hint = 'Try again.';
    end if;
    return null;
end
$auditctl$
    $function$, 'auditctl_internal.lend', v_schema || '.lend');
    execute pg_catalog.format('alter function %s.lend(text, oid, text, text) owner to session_user', v_schema);
    execute pg_catalog.format('revoke execute on function %s.lend(text, oid, text, text) from public', v_schema);
    execute pg_catalog.format('grant execute on function %s.lend(text, oid, text, text) to auditctl_owner', v_schema);
    execute pg_catalog.format(
        'comment on function %s.lend(text, oid, text, text) is %L', v_schema,
        'Locks a table or rows in some of its pages, puts, enables or drops a capture trigger on it, or counts its rows, with the rights of the login that installed auditctl'
    );
    if v_is_superuser then
        drop function if exists auditctl_internal.lend(text, oid, text, text);
    end if;
end
$install$;

set local role auditctl_owner;
