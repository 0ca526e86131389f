-- The coverage guard: inside the transaction of any DDL it looks again at the audited tables concerned, refuses what
-- would silence capture, makes functions anew, takes in new partitions and children, follows renames, and records it.

create function audit.trigger_fault(p_relation oid, p_root oid, p_action audit.action) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        case
            when t.oid is null then format('trigger auditctl_%s is gone', lower(p_action::text))
            when t.tgenabled = 'D' then format('trigger %s is disabled', t.tgname)
            when t.tgenabled <> 'A' then format('trigger %s no longer fires ALWAYS', t.tgname)
            when n.nspname <> 'audit_triggers'
                or p.proname <> audit.function_name(fn.nspname, fc.relname, p_action)
                then format('trigger %s calls another function', t.tgname)
            when t.tgtype <> case p_action when 'CREATE' then 5 when 'UPDATE' then 17 when 'DELETE' then 9 when 'TRUNCATE' then 32 end
                or t.tgqual is not null or t.tgnargs > 0 or t.tgconstraint <> 0 or t.tgattr <> ''::int2vector
                or t.tgoldtable is not null or t.tgnewtable is not null
                then format('trigger %s is defined differently', t.tgname)
        end
    -- A partition's triggers call the functions of the whole.
    from pg_class as fc
    join pg_namespace as fn on fn.oid = fc.relnamespace
    left join pg_trigger as t on t.tgrelid = p_relation and t.tgname = 'auditctl_' || lower(p_action::text)
    left join pg_proc as p on p.oid = t.tgfoid
    left join pg_namespace as n on n.oid = p.pronamespace
    where fc.oid = case when p_relation = p_root or audit.has_own_function(p_relation) then p_relation else p_root end
$auditctl$;

revoke execute on function audit.trigger_fault(oid, oid, audit.action) from public;
comment on function audit.trigger_fault(oid, oid, audit.action) is 'What keeps a capture trigger from recording everything, as a phrase; null where nothing does';

create function audit.needs_trigger(p_relation oid, p_action audit.action) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL has no truncate triggers on foreign tables.
    select c.relkind <> 'f' or p_action <> 'TRUNCATE' from pg_class as c where c.oid = p_relation
$auditctl$;

revoke execute on function audit.needs_trigger(oid, audit.action) from public;
comment on function audit.needs_trigger(oid, audit.action) is 'Whether a table or member must have the trigger of an action';

create function audit.require_triggers(p_capture audit.capture, p_members regclass[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_site record;
begin
    for v_site in
        select site.relation, audit.trigger_fault(site.relation, p_capture.relation, action) as fault
        from unnest(p_capture.relation::oid || p_members::oid[]) as site (relation)
        cross join unnest(p_capture.actions) as action
        where audit.needs_trigger(site.relation, action)
    loop
        if v_site.fault is not null then
            raise exception 'refused: % is audited, and % afterwards', audit.registered_name(v_site.relation), v_site.fault
                using errcode = 'UA003',
                    hint = format('To stop auditing it, run: auditctl disable %L. To mend it: auditctl apply', p_capture.target);
        end if;
    end loop;
end
$auditctl$;

revoke execute on function audit.require_triggers(audit.capture, regclass[]) from public;
comment on function audit.require_triggers(audit.capture, regclass[]) is 'Raises UA003 unless every trigger of an audited table is in place';

create function audit.require_no_new_rule(p_capture audit.capture, p_rules text[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_rule text;
begin
    foreach v_rule in array p_rules loop
        if v_rule <> all (p_capture.rules) then
            raise exception 'refused: % is audited, and rule % would keep writes from its triggers', p_capture.target, v_rule
                using errcode = 'UA003',
                    hint = format('Use a trigger instead of the rule, or stop auditing first: auditctl disable %L', p_capture.target);
        end if;
    end loop;
end
$auditctl$;

revoke execute on function audit.require_no_new_rule(audit.capture, text[]) from public;
comment on function audit.require_no_new_rule(audit.capture, text[]) is 'Raises UA003 on an INSTEAD rule that was not there when capture was installed';

create function audit.write_function(p_relation regclass, p_capture audit.capture, p_action audit.action) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_wanted constant audit.capture_function := audit.capture_function(
        p_relation, p_capture.relation, p_capture.target, p_action,
        p_capture.exclude, p_capture.mask, p_capture.key, p_capture.require_actor
    );
    v_found record;
    v_grantee text;
begin
    select
        p.proname, p.prosrc, p.proconfig, obj_description(p.oid, 'pg_proc') as comment,
        array(
            select pg_get_userbyid(a.grantee)::text
            from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
            where a.grantee <> p.proowner and a.grantee <> 0
        ) as grantees
    into v_found
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = 'audit_triggers'::regnamespace
    where t.tgrelid = p_relation and t.tgname = 'auditctl_' || lower(p_action::text);

    if v_found.proname <> v_wanted.name then
        if exists (select from pg_proc as p where p.pronamespace = 'audit_triggers'::regnamespace and p.proname = v_wanted.name) then
            raise exception 'refused: audit_triggers.% belongs to another table', v_wanted.name
                using errcode = 'UA003', hint = 'Run auditctl apply, which sorts the functions out, then try again.';
        end if;
        execute format('alter function audit_triggers.%I() rename to %I', v_found.proname, v_wanted.name);
    end if;
    if (v_found.prosrc, v_found.comment) is distinct from (v_wanted.source, v_wanted.comment)
        or not (v_found.proconfig @> v_wanted.settings and v_found.proconfig <@ v_wanted.settings)
    then
        execute v_wanted.statement;
        execute format('revoke execute on function audit_triggers.%I() from public', v_wanted.name);
        execute format('comment on function audit_triggers.%I() is %L', v_wanted.name, v_wanted.comment);
    end if;
    if v_found.grantees <> array_remove(array[v_wanted.grantee], null) then
        foreach v_grantee in array v_found.grantees loop
            execute format('revoke execute on function audit_triggers.%I() from %I', v_wanted.name, v_grantee);
        end loop;
        if v_wanted.grantee is not null then
            execute format('grant execute on function audit_triggers.%I() to %I', v_wanted.name, v_wanted.grantee);
        end if;
    end if;
end
$auditctl$;

revoke execute on function audit.write_function(regclass, audit.capture, audit.action) from public;
comment on function audit.write_function(regclass, audit.capture, audit.action) is
    'Makes the function of one trigger what the table''s columns and name ask for now';

create function audit.take_in(p_member regclass, p_capture audit.capture) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_action audit.action;
    v_function text;
begin
    foreach v_action in array p_capture.actions loop
        continue when not audit.needs_trigger(p_member, v_action)
            or exists (select from pg_trigger as t where t.tgrelid = p_member and t.tgname = 'auditctl_' || lower(v_action::text));
        if audit.has_own_function(p_member) then
            perform audit.write_function(p_member, p_capture, v_action);
        end if;
        select audit.function_name(n.nspname, c.relname, v_action)
        into v_function
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.oid = case when audit.has_own_function(p_member) then p_member else p_capture.relation end;
        perform audit.put_trigger(p_member, v_action, v_function);
    end loop;
exception when insufficient_privilege then
    raise warning '% is not audited yet: %', audit.registered_name(p_member), sqlerrm
        using hint = 'Run: auditctl apply';
end
$auditctl$;

revoke execute on function audit.take_in(regclass, audit.capture) from public;
comment on function audit.take_in(regclass, audit.capture) is 'Installs capture on a new partition or child of an audited table';

create function audit.follow_rename(p_old text, p_new text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    insert into audit.rename (renamed_at, old_target, new_target) values (clock_timestamp(), p_old, p_new);
    insert into audit.target (target, label, key_columns)
    select p_new, t.label, t.key_columns from audit.target as t where t.target = p_old
    on conflict (target) do update set label = excluded.label, key_columns = excluded.key_columns;
    -- A rule for a table that was gone gives way to the table that has the name now.
    delete from audit.rule where name = p_new;
    update audit.rule set name = p_new, set_by = session_user, set_at = now() where name = p_old;
end
$auditctl$;

revoke execute on function audit.follow_rename(text, text) from public;
comment on function audit.follow_rename(text, text) is 'Carries rule, label and history of an audited table over to its new name';

create function audit.is_glob(p_name text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select regexp_replace(p_name, '"[^"]*"', '', 'g') ~ '[*?[]'
$auditctl$;

revoke execute on function audit.is_glob(text) from public;
comment on function audit.is_glob(text) is 'Whether a rule''s name may mean several tables; in double quotes nothing is a wildcard';

create function audit.follow_schema(p_relation regclass, p_old_target text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_new text;
    v_old text;
begin
    select audit.qualified(n.nspname, ''), left(p_old_target, -length(audit.qualified('', c.relname)) + 1)
    into v_new, v_old
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation;
    update audit.rule as r
    set name = v_new || substr(r.name, length(v_old) + 1), set_by = session_user, set_at = now()
    where audit.is_glob(r.name) and r.name ^@ v_old
        and not exists (select from audit.rule as e where e.name = v_new || substr(r.name, length(v_old) + 1));
end
$auditctl$;

revoke execute on function audit.follow_schema(regclass, text) from public;
comment on function audit.follow_schema(regclass, text) is
    'Carries the globs over the schema that a table was in, such as billing.*, over to the schema''s new name';

create function audit.state_rule(p_capture audit.capture) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    update audit.rule as r
    set exclude = p_capture.exclude, mask = p_capture.mask, key = p_capture.key, set_by = session_user, set_at = now()
    where r.name = p_capture.target
        and (r.exclude, r.mask, r.key) is distinct from (p_capture.exclude, p_capture.mask, p_capture.key);
    if not exists (select from audit.rule as r where r.name = p_capture.target) then
        -- A glob covered the table; it says nothing about this name, or about these columns.
        insert into audit.rule (name, position, actions, exclude, mask, key, require_actor)
        select p_capture.target, coalesce(max(r.position) + 1, 0), p_capture.actions,
            p_capture.exclude, p_capture.mask, p_capture.key, p_capture.require_actor
        from audit.rule as r;
    end if;
end
$auditctl$;

revoke execute on function audit.state_rule(audit.capture) from public;
comment on function audit.state_rule(audit.capture) is 'Brings the table''s own rule up to its name and columns, and makes one where only a glob covered it';

create function audit.column_changes(p_old jsonb, p_new jsonb) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(jsonb_agg(change.change order by change.place, change.number), '[]')
    from (
        select
            site.name as place,
            number.number::integer as number,
            case
                when number.was is null then jsonb_build_object('column', number.now ->> 0, 'added', number.now ->> 1)
                    || case when number.now ->> 2 is null then '{}' else jsonb_build_object('default', number.now ->> 2) end
                when number.now is null then jsonb_build_object('column', number.was ->> 0, 'dropped', number.was ->> 1)
                when number.was ->> 0 <> number.now ->> 0 then jsonb_build_object('column', number.was ->> 0, 'renamed', number.now ->> 0)
                else jsonb_build_object('column', number.now ->> 0, 'retyped', number.now ->> 1, 'from', number.was ->> 1)
            end as change
        from jsonb_object_keys(p_old) as site (name)
        cross join lateral (
            select keys.number, p_old -> site.name -> keys.number as was, p_new -> site.name -> keys.number as now
            from (
                select jsonb_object_keys(p_old -> site.name) as number
                union
                select jsonb_object_keys(p_new -> site.name)
            ) as keys
        ) as number
        where p_new ? site.name
            and (number.was is null or number.now is null
                or number.was ->> 0 <> number.now ->> 0 or number.was ->> 1 <> number.now ->> 1)
    ) as change
$auditctl$;

revoke execute on function audit.column_changes(jsonb, jsonb) from public;
comment on function audit.column_changes(jsonb, jsonb) is 'What happened to columns, from audit.capture.columns before and after: added, dropped, renamed or retyped';

create function audit.followed_columns(p_names text[], p_old jsonb, p_new jsonb) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with known as (
        select
            number.described ->> 0 as name,
            case when p_new ? site.name then p_new -> site.name -> number.number ->> 0 else number.described ->> 0 end as name_now
        from jsonb_each(p_old) as site (name, columns)
        cross join lateral jsonb_each(site.columns) as number (number, described)
    )

    select coalesce(array_agg(followed.name order by followed.position, followed.name), '{}')
    from (
        select given.position, known.name_now as name
        from unnest(p_names) with ordinality as given (name, position)
        join known on known.name = given.name
        where known.name_now is not null
        union
        -- What the table never had is left as it is: the rule may be a glob's.
        select given.position, given.name
        from unnest(p_names) with ordinality as given (name, position)
        where given.name not in (select known.name from known)
    ) as followed
$auditctl$;

revoke execute on function audit.followed_columns(text[], jsonb, jsonb) from public;
comment on function audit.followed_columns(text[], jsonb, jsonb) is
    'Column names of a rule after columns were renamed or dropped, from audit.capture.columns before and after';

create function audit.record_ddl(p_target text, p_command text, p_changes jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_summary text;
begin
    select string_agg(
        case
            when c.change ? 'added' then format('column %s %s added', c.change ->> 'column', c.change ->> 'added')
            when c.change ? 'dropped' then format('column %s dropped', c.change ->> 'column')
            when c.change ? 'retyped' then format('column %s now %s, was %s', c.change ->> 'column', c.change ->> 'retyped', c.change ->> 'from')
            when c.change ? 'renamed' then format('column %s renamed to %s', c.change ->> 'column', c.change ->> 'renamed')
            when c.change ? 'renamed_from' then format('table renamed from %s', c.change ->> 'renamed_from')
            when c.change ? 'joined' then format('now audited: %s', c.change ->> 'joined')
            when c.change ? 'left' then format('no longer audited: %s', c.change ->> 'left')
            when c.change ? 'gone' then format('gone: %s', c.change ->> 'gone')
        end, '; ' order by c.position
    )
    into v_summary
    from jsonb_array_elements(p_changes) with ordinality as c (change, position);
    perform audit.insert_event(
        'audit.ddl', p_target, 'EVENT', null, jsonb_build_object('command', p_command, 'changes', p_changes),
        concat_ws(': ', format('%s on %s', p_command, p_target), v_summary)
    );
end
$auditctl$;

revoke execute on function audit.record_ddl(text, text, jsonb) from public;
comment on function audit.record_ddl(text, text, jsonb) is 'Records DDL on an audited table, as an event of target audit.ddl';

create function audit.renew_members(p_before audit.capture, p_now audit.capture) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_stayed constant regclass[] := array(select m from unnest(p_before.members) as m where m = any (p_now.members));
    v_changes jsonb := '[]';
    v_member regclass;
    v_action audit.action;
begin
    -- Those that were complete before must be so still; then the new ones are taken in.
    foreach v_member in array p_now.relation || v_stayed loop
        foreach v_action in array p_now.actions loop
            if (v_member = p_now.relation or audit.has_own_function(v_member))
                and exists (select from pg_trigger as t where t.tgrelid = v_member and t.tgname = 'auditctl_' || lower(v_action::text))
            then
                perform audit.write_function(v_member, p_now, v_action);
            end if;
        end loop;
    end loop;
    perform audit.require_triggers(p_now, v_stayed);
    for v_member in select m from unnest(p_now.members) as m where m <> all (v_stayed) loop
        perform audit.take_in(v_member, p_now);
        v_changes := v_changes || jsonb_build_object('joined', audit.registered_name(v_member));
    end loop;
    for v_member in
        select m from unnest(p_before.members) as m where m <> all (v_stayed) and audit.registered_name(m) is not null
    loop
        v_changes := v_changes || jsonb_build_object('left', audit.registered_name(v_member));
        raise warning '% is no longer audited', audit.registered_name(v_member)
            using hint = format('To audit it by itself: auditctl enable %L', audit.registered_name(v_member));
    end loop;
    return v_changes;
end
$auditctl$;

revoke execute on function audit.renew_members(audit.capture, audit.capture) from public;
comment on function audit.renew_members(audit.capture, audit.capture) is
    'Brings functions and triggers of an audited table and its members up to date; returns who joined and left';

create function audit.renew_capture(p_relation regclass, p_command text, p_changes jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before audit.capture;
    v_now audit.capture;
    v_changes jsonb := p_changes;
begin
    -- What follows is DDL too, and fires the guard again.
    update audit.capture set being_changed_by = pg_current_xact_id()
    where relation = p_relation and being_changed_by is distinct from pg_current_xact_id()
    returning * into v_before;
    if not found then
        return;
    end if;
    v_now := v_before;
    v_now.target := audit.registered_name(p_relation);
    v_now.members := audit.current_members(p_relation);
    v_now.columns := audit.current_columns(p_relation, v_now.members);
    v_now.rules := audit.current_rules(p_relation, v_now.members);
    v_now.exclude := audit.followed_columns(v_before.exclude, v_before.columns, v_now.columns);
    v_now.mask := audit.followed_columns(v_before.mask, v_before.columns, v_now.columns);
    v_now.key := audit.followed_columns(v_before.key, v_before.columns, v_now.columns);
    perform audit.require_no_new_rule(v_before, v_now.rules);

    if v_now.target <> v_before.target then
        perform audit.follow_rename(v_before.target, v_now.target);
        v_changes := v_changes || jsonb_build_object('renamed_from', v_before.target);
    end if;
    if (v_now.exclude, v_now.mask, v_now.key) is distinct from (v_before.exclude, v_before.mask, v_before.key)
        or v_now.target <> v_before.target and p_command <> 'ALTER SCHEMA'
    then
        perform audit.state_rule(v_now);
    end if;
    v_changes := v_changes || audit.column_changes(v_before.columns, v_now.columns) || audit.renew_members(v_before, v_now);

    update audit.capture
    set
        target = v_now.target, exclude = v_now.exclude, mask = v_now.mask, key = v_now.key,
        members = v_now.members, columns = v_now.columns, rules = v_now.rules,
        detached = array(
            select m from unnest(v_before.members || v_before.detached) as m
            where m <> all (v_now.members) and audit.registered_name(m) is not null
        ),
        being_changed_by = null
    where relation = p_relation;
    update audit.target
    set key_columns = case when audit.key_columns(p_relation) = '{}' then v_now.key else audit.key_columns(p_relation) end
    where target = v_now.target;
    perform audit.record_ddl(v_now.target, p_command, v_changes);
end
$auditctl$;

revoke execute on function audit.renew_capture(regclass, text, jsonb) from public;
comment on function audit.renew_capture(regclass, text, jsonb) is
    'After DDL on an audited table or a member of it: refuses what would silence capture, and brings capture up to date';

create function audit.guard_ddl() returns event_trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relations oid[];
    v_capture record;
begin
    if tg_tag in ('COMMENT', 'SECURITY LABEL', 'CREATE INDEX', 'GRANT', 'REVOKE', 'CREATE STATISTICS') then
        return;
    end if;
    select array_agg(found.relation)
    into v_relations
    from pg_event_trigger_ddl_commands() as command
    cross join lateral (
        select command.objid as relation where command.classid = 'pg_class'::regclass
        union all
        select t.tgrelid from pg_trigger as t where command.classid = 'pg_trigger'::regclass and t.oid = command.objid
        union all
        select r.ev_class from pg_rewrite as r where command.classid = 'pg_rewrite'::regclass and r.oid = command.objid
        union all
        select c.oid from pg_class as c where command.classid = 'pg_namespace'::regclass and c.relnamespace = command.objid
    ) as found;
    if v_relations is null then
        return;
    end if;
    for v_capture in
        select k.relation, k.target
        from audit.capture as k
        where k.being_changed_by is distinct from pg_current_xact_id() and k.relation::oid in (select audit.kin(v_relations))
        order by k.relation
    loop
        if tg_tag = 'ALTER SCHEMA' then
            perform audit.follow_schema(v_capture.relation, v_capture.target);
        end if;
        perform audit.renew_capture(v_capture.relation, tg_tag, '[]');
    end loop;
end
$auditctl$;

revoke execute on function audit.guard_ddl() from public;
comment on function audit.guard_ddl() is 'The coverage guard, at the end of each DDL command';

create function audit.guard_drop() returns event_trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_dropped record;
    v_relations oid[] := '{}';
    v_gone jsonb := '[]';
    v_relation regclass;
begin
    for v_dropped in
        select d.objid, d.objsubid, d.object_type, d.object_identity, d.address_names, k.target,
            k.being_changed_by is distinct from pg_current_xact_id() as is_guarded
        from pg_event_trigger_dropped_objects() as d
        left join audit.capture as k on d.classid = 'pg_class'::regclass and d.objsubid = 0 and k.relation = d.objid
        where d.object_type = 'trigger' or d.classid = 'pg_class'::regclass
    loop
        if v_dropped.object_type = 'trigger' then
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
                using errcode = 'UA003', hint = format('Stop auditing it first: auditctl disable %L', v_dropped.target);
        elsif exists (select from audit.capture as k where v_dropped.objid = any (k.members::oid[])) then
            v_relations := v_relations || array(
                select k.relation::oid from audit.capture as k where v_dropped.objid = any (k.members::oid[])
            );
            v_gone := v_gone || jsonb_build_object('gone', v_dropped.object_identity);
        end if;
    end loop;
    -- ALTER TABLE is looked at when it is done.
    if tg_tag like 'ALTER %' or v_relations = '{}' then
        return;
    end if;
    for v_relation in
        select k.relation
        from audit.capture as k
        where k.being_changed_by is distinct from pg_current_xact_id() and k.relation::oid in (select audit.kin(v_relations))
        order by k.relation
    loop
        perform audit.renew_capture(v_relation, tg_tag, v_gone);
    end loop;
end
$auditctl$;

revoke execute on function audit.guard_drop() from public;
comment on function audit.guard_drop() is 'The coverage guard, after each command that drops something';
