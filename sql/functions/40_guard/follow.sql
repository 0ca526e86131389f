-- How the capture of a table, and the rules that it comes from, follow the table's new name and the new names of its columns.

create or replace function auditctl_internal.followed_capture(p_before auditctl.capture) returns auditctl.capture[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before auditctl.capture := p_before;
    v_now auditctl.capture := p_before;
    v_doubtful text[] := '{}';
    v_new_names text[];
    v_glob auditctl.rule;
    v_also_masked text[] := '{}';
    v_also_excluded text[] := '{}';
begin
    v_now.target := auditctl_internal.registered_name(p_before.relation);
    v_now.members := auditctl_internal.current_members(p_before.relation);
    v_now.columns := auditctl_internal.current_columns(p_before.relation, v_now.members);
    v_now.columns_of := auditctl_internal.table_identity(p_before.relation);
    v_now.rules := auditctl_internal.current_rules(p_before.relation, v_now.members);
    if v_before.columns_of is distinct from v_now.columns_of and not auditctl_internal.has_same_numbers(v_before) then
        v_doubtful := auditctl_internal.doubtful_columns(v_before.exclude || v_before.mask, v_before.columns, v_now.columns);
        v_before.columns := auditctl_internal.renumbered_columns(v_before.columns, v_now.columns);
    end if;
    v_now.exclude := auditctl_internal.followed_columns(v_before.exclude, v_before.columns, v_now.columns);
    v_now.mask := auditctl_internal.followed_columns(v_before.mask, v_before.columns, v_now.columns)
        || auditctl_internal.pick_names(v_doubtful, v_before.exclude || v_before.mask, false);
    -- A glob also hides a column that is added under, or renamed to, a name which a hidden column had before.
    v_new_names := auditctl_internal.new_names(v_before.columns, v_now.columns);
    if v_new_names <> '{}' and not exists (select from auditctl.rule as r where r.name = v_now.target and '{}' in (r.exclude, r.mask)) then
        for v_glob in select g.* from auditctl_internal.globs_over(p_before.relation) as g loop
            v_also_masked := v_also_masked || auditctl_internal.pick_names(v_glob.mask, v_new_names, true);
            v_also_excluded := v_also_excluded || auditctl_internal.pick_names(v_glob.exclude, v_new_names, true);
        end loop;
        v_now.mask := v_now.mask || auditctl_internal.pick_names(v_also_masked, v_now.exclude || v_now.mask, false);
        v_now.exclude := v_now.exclude || auditctl_internal.pick_names(v_also_excluded, v_now.exclude || v_now.mask, false);
    end if;
    if v_now.target <> v_before.target then
        v_now := auditctl_internal.hide_as_named(v_now);
        perform auditctl_internal.warn_of_uncovered(p_before.relation, v_now);
    end if;
    v_now.key := auditctl_internal.followed_columns(v_before.key, v_before.columns, v_now.columns);
    if v_doubtful <> '{}' then
        raise warning 'columns of % that may be excluded or masked ones with a new name are masked: %', v_now.target, array_to_string(v_doubtful, ', ')
            using hint = 'State the rule again: ' || auditctl_internal.command_line('enable', v_now.target);
    end if;
    return array[v_before, v_now];
end
$auditctl$;
comment on function auditctl_internal.followed_capture is
    'The capture of a table as it was, with columns numbered as they are now, and as it should be under the new name of the table, of its columns and members';

create or replace function auditctl_internal.follow_rules(p_before auditctl.capture, p_now auditctl.capture) returns auditctl.capture
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_columns constant text[] := auditctl_internal.column_names(p_now.relation);
begin
    if p_now.target <> p_before.target then
        perform auditctl_internal.follow_rename(p_before.target, p_now.target);
    end if;
    if (p_now.exclude, p_now.mask) is distinct from (p_before.exclude, p_before.mask) then
        perform auditctl_internal.widen_globs(p_now.relation, p_before.columns, p_now.columns);
    end if;
    if (p_now.exclude, p_now.mask, p_now.key) is distinct from (p_before.exclude, p_before.mask, p_before.key)
        or (p_now.former_exclude || p_now.former_mask) && v_columns
        or exists (
            select from auditctl.rule as r
            where r.name = p_now.target and not coalesce(r.exclude, '{}') || coalesce(r.mask, '{}') || p_now.key <@ v_columns
        )
        or not auditctl_internal.is_covered(p_now)
    then
        return auditctl_internal.sync_rule(p_now);
    end if;
    return p_now;
end
$auditctl$;
comment on function auditctl_internal.follow_rules is 'Makes the stored rules follow what became of a table; returns the capture that they state';
