-- How stored rules follow a table's new name, schema or columns.

create or replace function auditctl_internal.follow_rename(p_old text, p_new text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_has_rule constant boolean := exists (select from auditctl.rule as r where r.name = p_old);
begin
    insert into auditctl.rename (renamed_at, old_target, new_target) values (clock_timestamp(), p_old, p_new);
    insert into auditctl.target (target, label, key_columns, key_types, hidden)
    select p_new, case when v_has_rule then t.label else coalesce(r.label, t.label) end, t.key_columns, t.key_types, t.hidden
    from auditctl.target as t
    left join auditctl.rule as r on r.name = p_new
    where t.target = p_old
    on conflict (target) do update
    set label = excluded.label, key_columns = excluded.key_columns, key_types = excluded.key_types, hidden = excluded.hidden;
    -- The rule of a table that no longer exists makes way for the rule of the renamed table, and stays if that has none of its own.
    delete from auditctl.rule where name = p_new and v_has_rule;
    update auditctl.rule set name = p_new, set_by = session_user, set_at = now() where name = p_old;
end
$auditctl$;
comment on function auditctl_internal.follow_rename is 'Moves the rule, label and history of an audited table to its new name';

create or replace function auditctl_internal.hide_as_named(p_capture auditctl.capture) returns auditctl.capture
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_rule auditctl.rule;
    v_result auditctl.capture := p_capture;
    v_more text[];
begin
    if not exists (select from auditctl.rule as r where r.name = p_capture.target) then
        return p_capture;
    end if;
    v_rule := auditctl_internal.table_rule(p_capture.relation);
    v_result.exclude := p_capture.exclude || auditctl_internal.pick_names(v_rule.exclude, p_capture.exclude || p_capture.mask, false);
    v_result.mask := p_capture.mask || auditctl_internal.pick_names(v_rule.mask, v_result.exclude || p_capture.mask, false);
    v_more := auditctl_internal.pick_names(
        auditctl_internal.pick_names(v_result.exclude || v_result.mask, p_capture.exclude || p_capture.mask, false),
        auditctl_internal.column_names(p_capture.relation), true
    );
    if v_more <> '{}' then
        raise notice 'columns of % are hidden as its rule says, which was made for another table of that name: %',
            p_capture.target, array_to_string(v_more, ', ');
    end if;
    return v_result;
end
$auditctl$;
comment on function auditctl_internal.hide_as_named is
    'The capture of a table that has a new name, with the columns hidden besides that the rule for this name hides: a table that takes the place of another shows no more than that';

create or replace function auditctl_internal.is_glob(p_name text) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select regexp_replace(p_name, '"[^"]*"', '', 'g') ~ '[*?[]'
    );
end
$auditctl$;
comment on function auditctl_internal.is_glob is 'Whether a rule''s name may match several tables; wildcards in double quotes do not count';

create or replace function auditctl_internal.follow_schema(p_relation regclass, p_old_target text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_new text;
    v_old text;
begin
    select auditctl.qualified(n.nspname, ''), left(p_old_target, -length(auditctl.qualified('', c.relname)) + 1)
    into v_new, v_old
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation;
    update auditctl.rule as r
    set name = v_new || substr(r.name, length(v_old) + 1), set_by = session_user, set_at = now()
    where auditctl_internal.is_glob(r.name) and r.name ^@ v_old
        and not exists (select from auditctl.rule as e where e.name = v_new || substr(r.name, length(v_old) + 1));
end
$auditctl$;
comment on function auditctl_internal.follow_schema is 'Moves globs over a renamed schema, such as billing.*, to the schema''s new name';

create or replace function auditctl_internal.globs_over(p_relation regclass) returns setof auditctl.rule
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return query
    select r.*
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    cross join auditctl_internal.matching_globs(n.nspname, c.relname) as r
    where c.oid = p_relation
    order by r.position, r.name;
end
$auditctl$;
comment on function auditctl_internal.globs_over is 'The rules whose globs match the name of a table, in their order';

create or replace function auditctl_internal.table_rule(p_relation regclass) returns auditctl.rule
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_rule auditctl.rule;
begin
    select r.*
    into v_rule
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    cross join lateral auditctl_internal.rule_in_force(n.nspname, c.relname) as r
    where c.oid = p_relation;
    return v_rule;
end
$auditctl$;
comment on function auditctl_internal.table_rule is 'The rule in force for the name of a table, with the columns that it takes from others; null if no rule matches';

create or replace function auditctl_internal.is_covered(p_capture auditctl.capture) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_rule constant auditctl.rule := auditctl_internal.table_rule(p_capture.relation);
begin
    -- By a rule of its own that hides as much, or by the first glob that matches its name, if that says the same.
    return case
        when v_rule.name = p_capture.target
            then p_capture.exclude <@ coalesce(v_rule.exclude, '{}') and p_capture.mask <@ coalesce(v_rule.mask, '{}')
        -- Overwriting the capture with every key of the rule that it has changes nothing.
        else v_rule.name is not null and to_jsonb(p_capture) = to_jsonb(jsonb_populate_record(
            p_capture, to_jsonb(v_rule) || jsonb_build_object('exclude', coalesce(v_rule.exclude, '{}'), 'mask', coalesce(v_rule.mask, '{}'))
        ))
    end;
end
$auditctl$;
comment on function auditctl_internal.is_covered is 'Whether the stored rules still describe the capture of a table';

create or replace function auditctl_internal.pick_names(p_names text[], p_among text[], p_are_in boolean) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if p_names = '{}' then
        return '{}';
    end if;
    return (
        select coalesce(array_agg(n.name order by n.position), '{}')
        from (
            select u.name, min(u.position) as position
            from unnest(p_names) with ordinality as u (name, position)
            group by u.name
        ) as n
        where (n.name = any (p_among)) = p_are_in
    );
end
$auditctl$;
comment on function auditctl_internal.pick_names is 'The names that are, or are not, in p_among; each once, in the original order';

create or replace function auditctl_internal.sync_rule(p_capture auditctl.capture) returns auditctl.capture
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_result auditctl.capture := p_capture;
    v_rule auditctl.rule := auditctl_internal.table_rule(p_capture.relation);
    v_own auditctl.rule;
    v_columns constant text[] := auditctl_internal.column_names(p_capture.relation);
    v_exclude constant text[] := p_capture.exclude || p_capture.former_exclude;
    v_mask constant text[] := p_capture.mask || p_capture.former_mask;
begin
    -- A rule for one table names only columns that exist. A hidden name stays hidden if a column of that name is added again.
    v_result.exclude := auditctl_internal.pick_names(v_exclude, v_columns, true);
    v_result.former_exclude := auditctl_internal.pick_names(v_exclude, v_columns, false);
    v_result.mask := auditctl_internal.pick_names(v_mask, v_columns, true);
    v_result.former_mask := auditctl_internal.pick_names(v_mask, v_columns, false);
    if exists (select from pg_index as i where i.indrelid = p_capture.relation and i.indisprimary) or not p_capture.key <@ v_columns then
        v_result.key := '{}';
    end if;
    update auditctl.rule as r
    set exclude = stated.exclude, mask = stated.mask, key = v_result.key, set_by = session_user, set_at = now()
    from (
        -- What it does not state it goes on taking from others, as long as that hides as much of the table.
        select
            case when own.exclude is not null or not v_result.exclude <@ coalesce(v_rule.exclude, '{}') then v_result.exclude end as exclude,
            case when own.mask is not null or not v_result.mask <@ coalesce(v_rule.mask, '{}') then v_result.mask end as mask
        from auditctl.rule as own
        where own.name = v_result.target
    ) as stated
    where r.name = v_result.target and (r.exclude, r.mask, r.key) is distinct from (stated.exclude, stated.mask, v_result.key);
    if not exists (select from auditctl.rule as r where r.name = v_result.target) then
        -- A glob covered the table, but does not match its new name or columns.
        insert into auditctl.rule
        select r.*
        from (select coalesce(max(r.position) + 1, 0) as position from auditctl.rule as r) as last
        cross join lateral jsonb_populate_record(null::auditctl.rule, to_jsonb(v_result) || jsonb_build_object(
            'name', v_result.target, 'position', last.position, 'auto', true, 'set_by', session_user, 'set_at', now(),
            -- That nothing is hidden need only be stated where another rule hides something.
            'exclude', case when v_result.exclude || auditctl_internal.pick_names(v_rule.exclude, v_columns, true) <> '{}' then v_result.exclude end,
            'mask', case when v_result.mask || auditctl_internal.pick_names(v_rule.mask, v_columns, true) <> '{}' then v_result.mask end
        )) as r;
    end if;
    -- A name that it takes from others hides a column that is added later, too.
    select r.* into v_own from auditctl.rule as r where r.name = v_result.target;
    v_rule := auditctl_internal.table_rule(p_capture.relation);
    if v_own.exclude is null then
        v_result.exclude := coalesce(v_rule.exclude, '{}');
    end if;
    if v_own.mask is null then
        v_result.mask := coalesce(v_rule.mask, '{}');
    end if;
    return v_result;
end
$auditctl$;
comment on function auditctl_internal.sync_rule is
    'Updates the table''s own rule to its name and columns, or creates one if only a glob covered it; returns the capture that the rule states';

create or replace function auditctl_internal.widen_globs(p_relation regclass, p_old jsonb, p_new jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_glob auditctl.rule;
    v_exclude text[];
    v_mask text[];
begin
    for v_glob in select g.* from auditctl_internal.globs_over(p_relation) as g loop
        v_exclude := auditctl_internal.pick_names(auditctl_internal.followed_columns(v_glob.exclude, p_old, p_new), v_glob.exclude || v_glob.mask, false);
        v_mask := auditctl_internal.pick_names(auditctl_internal.followed_columns(v_glob.mask, p_old, p_new), v_glob.exclude || v_glob.mask, false);
        if v_exclude || v_mask <> '{}' then
            update auditctl.rule
            set
                -- Only a list that it states has names to follow.
                exclude = exclude || nullif(v_exclude, '{}'), mask = mask || nullif(v_mask, '{}'),
                set_by = session_user, set_at = now()
            where name = v_glob.name;
            perform auditctl_internal.widen_captures(v_glob, p_relation, v_exclude, v_mask);
        end if;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.widen_globs is
    'Adds to globs the new name of a column that they hide, for tables that are created later with a column of that name';

create or replace function auditctl_internal.widen_captures(
    p_glob auditctl.rule, p_except regclass, p_exclude text[], p_mask text[]
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_capture auditctl.capture;
begin
    for v_capture in
        select k.*
        from auditctl.capture as k
        where k.relation <> p_except and k.being_changed_by is distinct from pg_current_xact_id()
            and exists (select from auditctl_internal.globs_over(k.relation) as g where g.name = p_glob.name)
            and exists (
                select from auditctl_internal.table_rule(k.relation) as r where r.exclude && p_exclude or r.mask && p_mask
            )
        order by k.relation
    loop
        if exists (
            select from pg_attribute as a
            where a.attrelid = any (v_capture.relation || v_capture.members) and a.attnum > 0 and not a.attisdropped
                and a.attname = any (p_exclude || p_mask)
        ) then
            -- A column of that name that is not hidden stays as it is, by a rule of the table's own.
            v_capture := auditctl_internal.sync_rule(v_capture);
        else
            v_capture.exclude := v_capture.exclude || p_exclude;
            v_capture.mask := v_capture.mask || p_mask;
        end if;
        update auditctl.capture
        set exclude = v_capture.exclude, mask = v_capture.mask, key = v_capture.key,
            former_exclude = v_capture.former_exclude, former_mask = v_capture.former_mask
        where relation = v_capture.relation;
        perform auditctl_internal.write_functions(v_capture, v_capture.relation || v_capture.members, false);
    end loop;
end
$auditctl$;
comment on function auditctl_internal.widen_captures is
    'Brings the tables that take their hidden columns from a glob, all but one, in line with what it hides from now on; none of their columns changes';
