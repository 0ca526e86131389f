-- The coverage guard: in the transaction of any DDL it checks the audited tables concerned, refuses changes that would
-- disable capture, rewrites functions, installs capture on new partitions and children, follows renames, and records it.

create or replace function auditctl_internal.counted(p_number text, p_noun text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return format('%s %s%s', p_number, p_noun, case when p_number <> '1' then 's' end);
end
$auditctl$;
comment on function auditctl_internal.counted is 'A number with a noun, in the plural unless it is one';

create or replace function auditctl_internal.record_ddl(p_target text, p_command text, p_changes jsonb) returns void
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
            when c.change ? 'waits' then format('not audited yet: %s', c.change ->> 'because')
            when c.change ? 'parted' then format('now audited by itself: %s', c.change ->> 'parted')
            when c.change ? 'left' then format('no longer audited: %s', c.change ->> 'left')
            when c.change ? 'key' then format(
                'key now %s, was %s', coalesce(nullif(translate(c.change ->> 'key', '[]"', ''), ''), 'none'),
                coalesce(nullif(translate(c.change ->> 'was', '[]"', ''), ''), 'none')
            )
            when c.change ? 'trigger' then concat_ws(' ', 'trigger', c.change ->> 'trigger', 'on ' || (c.change ->> 'member'), c.change ->> 'state')
            when c.change ? 'rule' then format('rule %s keeps writes from triggers', c.change ->> 'rule')
            when c.change ? 'gone' then format('gone: %s', c.change ->> 'gone')
            when c.change ? 'events' then format(
                'the log has %s%s of %s', case when c.change ? 'estimated' then 'about ' end,
                auditctl_internal.counted(c.change ->> 'events', 'event'), auditctl_internal.counted(c.change ->> 'keys', 'key')
            )
        end, '; ' order by c.position
    )
    into v_summary
    from jsonb_array_elements(p_changes) with ordinality as c (change, position);
    perform auditctl_internal.insert_event(
        'auditctl.ddl', p_target, 'EVENT', null, jsonb_build_object('command', p_command, 'changes', p_changes),
        concat_ws(': ', format('%s on %s', p_command, p_target), v_summary)
    );
end
$auditctl$;
comment on function auditctl_internal.record_ddl is 'Records DDL on an audited table, as an event of target auditctl.ddl';

create or replace function auditctl_internal.warn_of_uncovered(p_member regclass, p_capture auditctl.capture) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_uncovered text[];
begin
    select auditctl_internal.pick_names(t.hidden, p_capture.exclude || p_capture.mask, false)
    into v_uncovered
    from auditctl.target as t
    where t.target = auditctl_internal.registered_name(p_member);
    v_uncovered := auditctl_internal.pick_names(v_uncovered, auditctl_internal.column_names(p_member), true);
    if v_uncovered <> '{}' then
        raise warning 'columns of % that were hidden until now are recorded in the clear as those of %: %',
            auditctl_internal.registered_name(p_member), p_capture.target, array_to_string(v_uncovered, ', ')
            using hint = 'State them in mask or exclude of the rule for ' || p_capture.target || '.';
    end if;
end
$auditctl$;
comment on function auditctl_internal.warn_of_uncovered is
    'Warns a session that makes a table part of an audited one that hides less than was hidden when the table was audited by itself';

create or replace function auditctl_internal.renew_members(
    p_before auditctl.capture, p_now auditctl.capture, p_site auditctl.capture_site, p_command text
) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_remaining constant regclass[] := array(select m from unnest(p_before.members) as m where m = any (p_now.members));
    v_complete auditctl.capture := p_now;
    v_changes jsonb := '[]';
    v_member regclass;
    v_left oid[];
begin
    -- Members that were complete before must still be complete, with rewritten functions; then new members are attached.
    v_complete.members := v_remaining;
    perform auditctl_internal.write_site(p_site, p_now, false);
    if v_remaining <> '{}' then
        perform auditctl_internal.write_functions(p_now, v_remaining, false);
    end if;
    for v_member in select m from unnest(p_now.members) as m where m <> all (v_remaining) loop
        if auditctl_internal.attach_member(v_member, p_now) then
            v_complete.members := v_complete.members || v_member;
        end if;
        v_changes := v_changes || jsonb_build_object('joined', auditctl_internal.registered_name(v_member));
        perform auditctl_internal.warn_of_uncovered(v_member, p_now);
    end loop;
    perform auditctl_internal.require_triggers(v_complete);
    perform auditctl_internal.renew_reading(v_complete);
    if p_before.members = '{}' then
        return v_changes;
    end if;
    v_left := array(
        select m
        from unnest(p_before.members::oid[]) as m
        where m <> all (v_remaining::oid[]) and auditctl_internal.registered_name(m) is not null and auditctl_internal.audited_through(m) is null
    );
    if v_left <> '{}' then
        perform auditctl_internal.join_tables(v_left, p_command);
    end if;
    foreach v_member in array v_left loop
        if auditctl_internal.audited_through(v_member) is not null then
            if auditctl_internal.audited_through(v_member) = v_member then
                v_changes := v_changes || jsonb_build_object('parted', auditctl_internal.registered_name(v_member));
            end if;
            continue;
        end if;
        v_changes := v_changes || jsonb_build_object('left', auditctl_internal.registered_name(v_member));
        raise warning '% is no longer audited', auditctl_internal.registered_name(v_member)
            using hint = 'To audit it by itself: ' || auditctl_internal.command_line('enable', auditctl_internal.registered_name(v_member));
    end loop;
    return v_changes;
end
$auditctl$;
comment on function auditctl_internal.renew_members is
    'Brings functions and triggers of an audited table and its members up to date; returns which members joined and left';

create or replace function auditctl_internal.renew_capture(
    p_relation regclass, p_command text, p_changes jsonb, p_table_shape text default null
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before auditctl.capture;
    v_now auditctl.capture;
    v_changes jsonb := p_changes;
    v_site auditctl.capture_site;
    v_columns text[];
    v_key text[];
    v_key_types auditctl.key_type[];
    v_hidden text[];
    v_target auditctl.target;
    v_followed auditctl.capture[];
    v_functions text[];
begin
    -- The statements below are DDL too, and fire the guard again.
    update auditctl.capture set being_changed_by = pg_current_xact_id()
    where relation = p_relation and being_changed_by is distinct from pg_current_xact_id()
    returning * into v_before;
    if not found then
        return;
    end if;
    perform auditctl_internal.end_release(p_relation);
    v_followed := auditctl_internal.followed_capture(v_before);
    v_before := v_followed[1];
    v_now := v_followed[2];
    v_functions := auditctl_internal.child_functions(v_before.members);
    v_columns := auditctl_internal.column_names(p_relation);
    perform auditctl_internal.require_no_new_rule(v_before, v_now.rules);
    if v_now.target <> v_before.target then
        v_changes := v_changes || jsonb_build_object('renamed_from', v_before.target);
    end if;
    v_now := auditctl_internal.follow_rules(v_before, v_now);
    select t.* into v_target from auditctl.target as t where t.target = v_now.target;
    v_key := auditctl_internal.followed_columns(v_target.key_columns, v_before.columns, v_now.columns);
    if v_key <> v_target.key_columns then
        -- The columns that identify rows until now may have other names; they decide among several unique indexes.
        update auditctl.target set key_columns = v_key where target = v_now.target;
    end if;
    v_site := auditctl_internal.describe_site(p_relation, p_relation);
    v_key := auditctl_internal.best_key(v_site.key_indexes, v_columns, v_now.key, v_now.exclude || v_now.mask);
    v_key_types := auditctl_internal.key_types(p_relation, v_key);
    if v_target.key_columns <> v_key then
        v_changes := v_changes || jsonb_build_object('key', v_key, 'was', v_target.key_columns);
    end if;
    v_changes := v_changes || auditctl_internal.column_changes(v_before.columns, v_now.columns, v_now.exclude || v_now.mask)
        || auditctl_internal.renew_members(v_before, v_now, v_site, p_command);
    v_changes := v_changes || auditctl_internal.released_changes(v_before, v_now) || auditctl_internal.function_changes(v_functions, v_now.members);
    if v_now.on_drop = 'record' and v_changes @? '$[*] ? (exists(@.dropped) || exists(@.gone))' then
        v_changes := v_changes || auditctl_internal.log_size(v_now.target);
    end if;

    v_hidden := case
        when v_now.actions && '{CREATE, UPDATE, DELETE}' then v_now.exclude || v_now.mask || v_now.former_exclude || v_now.former_mask
        else v_target.hidden
    end;
    if (v_target.key_columns, v_target.key_types, v_target.hidden) is distinct from (v_key, v_key_types, v_hidden) then
        update auditctl.target set key_columns = v_key, key_types = v_key_types, hidden = v_hidden where target = v_now.target;
    end if;
    update auditctl.capture
    set
        target = v_now.target, exclude = v_now.exclude, mask = v_now.mask, key = v_now.key,
        former_exclude = v_now.former_exclude, former_mask = v_now.former_mask,
        members = v_now.members, columns = v_now.columns, columns_of = v_now.columns_of, rules = v_now.rules,
        key_indexes = case
            when v_now.members = '{}' then array(select i.name from unnest(v_site.key_indexes) as i where not i.is_primary order by i.name)
            else auditctl_internal.key_index_names(p_relation, v_now.members)
        end,
        shape = case
            when v_now.members = v_before.members or not exists (select from auditctl_internal.trigger_states(array[v_now]) as s where s.fault is not null)
                then coalesce(
                        -- The key by which the table is registered is part of it.
                        case when v_now.members = v_before.members and v_target.key_columns = v_key then p_table_shape end,
                        auditctl_internal.table_shape(p_relation, v_now.members)
                    )
                    || auditctl_internal.trigger_shape(p_relation, v_now.members)
        end,
        detached = array(
            select m from unnest(v_before.members || v_before.detached) as m
            where m <> all (v_now.members) and auditctl_internal.registered_name(m) is not null
                and not exists (select from auditctl.capture as k where k.relation = auditctl_internal.audited_through(m))
        ),
        being_changed_by = null
    where relation = p_relation;
    perform auditctl_internal.record_ddl(v_now.target, p_command, v_changes);
end
$auditctl$;
comment on function auditctl_internal.renew_capture is
    'Runs after DDL on an audited table or a member of it: refuses changes that would disable capture, and brings capture up to date; takes auditctl_internal.table_shape from a caller that has it';
