-- What the coverage guard follows: columns, names, new partitions and children of audited tables.

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

    if v_found.proname is distinct from v_wanted.name then
        if exists (
            select
            from pg_proc as p
            join pg_trigger as t on t.tgfoid = p.oid
            where p.pronamespace = 'audit_triggers'::regnamespace and p.proname = v_wanted.name
        ) then
            raise exception 'refused: audit_triggers.% belongs to another table', v_wanted.name
                using errcode = 'UA003', hint = 'Run auditctl apply, which sorts the functions out, then try again.';
        end if;
        if v_found.proname is not null then
            -- That of a table that was dropped stays behind until apply.
            if exists (
                select from pg_proc as p where p.pronamespace = 'audit_triggers'::regnamespace and p.proname = v_wanted.name and p.pronargs = 0
            ) then
                execute format('drop routine audit_triggers.%I()', v_wanted.name);
            end if;
            execute format('alter function audit_triggers.%I() rename to %I', v_found.proname, v_wanted.name);
        end if;
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

create function audit.take_in(p_member regclass, p_capture audit.capture) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_action audit.action;
    v_has_own constant boolean := audit.has_own_function(p_member);
    v_function text;
begin
    foreach v_action in array p_capture.actions loop
        continue when not audit.needs_trigger(p_member, v_action);
        if v_has_own then
            perform audit.write_function(p_member, p_capture, v_action);
        end if;
        continue when exists (select from pg_trigger as t where t.tgrelid = p_member and t.tgname = 'auditctl_' || lower(v_action::text));
        select audit.function_name(n.nspname, c.relname, v_action)
        into v_function
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.oid = case when v_has_own then p_member else p_capture.relation end;
        perform audit.put_trigger(p_member, v_action::text, v_function);
    end loop;
    if 'READ' = any (p_capture.actions) then
        perform audit.take_in_reading(p_member, p_capture);
    end if;
    return true;
exception when insufficient_privilege then
    raise warning '% is not audited yet: %', audit.registered_name(p_member), sqlerrm
        using hint = 'Run: auditctl apply';
    return false;
end
$auditctl$;

revoke execute on function audit.take_in(regclass, audit.capture) from public;
comment on function audit.take_in(regclass, audit.capture) is
    'Installs capture on a new partition or child of an audited table; returns whether the installing login''s rights allowed it';

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

create function audit.is_covered(p_capture audit.capture) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- By a rule of its own, or by the first glob that matches its name if that says the same. A glob with brackets or
    -- double quotes is taken for one that does not match: then the table gets a rule of its own.
    select exists (select from audit.rule as r where r.name = p_capture.target) or coalesce(
        (
            select (r.actions, r.exclude, r.mask, r.key, r.require_actor, r.read_query, r.read_force)
                = (
                    p_capture.actions, p_capture.exclude, p_capture.mask, p_capture.key, p_capture.require_actor,
                    p_capture.read_query, p_capture.read_force
                )
            from audit.rule as r
            cross join pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            cross join lateral (
                select replace(replace(replace(replace(replace(r.name, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_') as name
            ) as pattern
            where c.oid = p_capture.relation and audit.is_glob(r.name)
                and n.nspname like split_part(pattern.name, '.', 1) escape '!'
                and c.relname like split_part(pattern.name, '.', 2) escape '!'
            order by r.position, r.name
            limit 1
        ), false
    )
$auditctl$;

revoke execute on function audit.is_covered(audit.capture) from public;
comment on function audit.is_covered(audit.capture) is 'Whether the rules still say of a table what capture does';

create function audit.chosen(p_names text[], p_among text[], p_are_in boolean) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(given.name order by given.position), '{}')
    from (
        select u.name, min(u.position) as position
        from unnest(p_names) with ordinality as u (name, position)
        group by u.name
    ) as given
    where (given.name = any (p_among)) = p_are_in
$auditctl$;

revoke execute on function audit.chosen(text[], text[], boolean) from public;
comment on function audit.chosen(text[], text[], boolean) is 'The names that are, or are not, among others; each once, in their order';

create function audit.state_rule(p_capture audit.capture) returns audit.capture
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_stated audit.capture := p_capture;
    v_columns constant text[] := array(select c.name from audit.captured_columns(p_capture.relation) as c);
    v_exclude constant text[] := p_capture.exclude || p_capture.former_exclude;
    v_mask constant text[] := p_capture.mask || p_capture.former_mask;
begin
    -- A rule for one table names columns it has. What it hid stays hidden if a column of that name comes back.
    v_stated.exclude := audit.chosen(v_exclude, v_columns, true);
    v_stated.former_exclude := audit.chosen(v_exclude, v_columns, false);
    v_stated.mask := audit.chosen(v_mask, v_columns, true);
    v_stated.former_mask := audit.chosen(v_mask, v_columns, false);
    if audit.key_columns(p_capture.relation) <> '{}' or not p_capture.key <@ v_columns then
        v_stated.key := '{}';
    end if;
    update audit.rule as r
    set exclude = v_stated.exclude, mask = v_stated.mask, key = v_stated.key, set_by = session_user, set_at = now()
    where r.name = v_stated.target
        and (r.exclude, r.mask, r.key) is distinct from (v_stated.exclude, v_stated.mask, v_stated.key);
    if not exists (select from audit.rule as r where r.name = v_stated.target) then
        -- A glob covered the table; it says nothing about this name, or about these columns.
        insert into audit.rule (name, position, actions, exclude, mask, key, require_actor, read_query, read_force)
        select v_stated.target, coalesce(max(r.position) + 1, 0), v_stated.actions,
            v_stated.exclude, v_stated.mask, v_stated.key, v_stated.require_actor, v_stated.read_query, v_stated.read_force
        from audit.rule as r;
    end if;
    return v_stated;
end
$auditctl$;

revoke execute on function audit.state_rule(audit.capture) from public;
comment on function audit.state_rule(audit.capture) is 'Brings the table''s own rule up to its name and columns, and makes one where only a glob covered it; returns what it states';
