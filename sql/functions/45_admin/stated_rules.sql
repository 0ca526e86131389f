-- A rule as a migration states it: what it may be, and where it comes among the stored rules.

create or replace function auditctl_internal.default_rule() returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_expressions text;
    v_result jsonb;
begin
    select string_agg(format('%L, %s', a.attname, coalesce(pg_get_expr(d.adbin, d.adrelid), 'null')), ', ' order by a.attnum)
    into v_expressions
    from pg_attribute as a
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = 'auditctl.rule'::regclass and a.attnum > 0 and not a.attisdropped
        and a.attname not in ('name', 'position', 'set_by', 'set_at');
    execute 'select jsonb_build_object(' || v_expressions || ')' into v_result;
    return v_result;
end
$auditctl$;
comment on function auditctl_internal.default_rule() is 'Every key of a rule with its default';

create or replace function auditctl_internal.rule_name(p_table text, p_schemas name[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_parts text[] := regexp_match(p_table, '^(?:("(?:[^"]|"")+"|[^".]+)[.])?("(?:[^"]|"")+"|[^".]+)$');
    v_name text;
    v_schema name;
    v_is_glob boolean;
begin
    if v_parts is null then
        raise exception '% is not a table name', coalesce(quote_literal(left(p_table, 200)), 'null')
            using errcode = 'invalid_name', hint = 'Write schema.table; put a part that contains a dot in double quotes.';
    end if;
    v_is_glob := auditctl_internal.is_glob(p_table);
    foreach v_schema in array case when v_parts[1] is null then coalesce(p_schemas, '{}') else '{""}' end loop
        v_name := auditctl.canonical_target(coalesce(v_parts[1], auditctl.qualified(v_schema, '')) || case when v_parts[1] is null then '' else '.' end || v_parts[2]);
        if v_is_glob or auditctl_internal.named_relation(v_name) is not null or exists (select from auditctl.rule as r where r.name = v_name) then
            return v_name;
        end if;
    end loop;
    if lower(p_table) <> p_table and p_table !~ '"' then
        return auditctl_internal.rule_name(lower(p_table), p_schemas);
    end if;
    raise exception 'there is no table %', left(p_table, 200)
        using errcode = 'undefined_table', hint = 'Create the table first, and name it with its schema.';
end
$auditctl$;
comment on function auditctl_internal.rule_name is
    'The name of the rule for a table or glob, given the schemas to look in for a name without one; raises 42P01 if there is neither a table nor a rule of that name';

create or replace function auditctl_internal.require_fitting_rule(p_rule auditctl.rule, p_relation oid) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_is_glob constant boolean := auditctl_internal.is_glob(p_rule.name);
    v_columns text[];
    v_names text[];
    v_other text;
begin
    if p_rule.label is not null then
        select r.name into v_other from auditctl.rule as r where r.name <> p_rule.name and p_rule.label in (r.label, r.name) limit 1;
        if v_is_glob or found then
            raise exception 'label %: %', p_rule.label, case
                    when v_is_glob then format('a label belongs to one table, and %s is a glob', p_rule.name)
                    else 'is already used for ' || v_other
                end
                using errcode = 'invalid_parameter_value';
        end if;
    end if;
    v_names := auditctl_internal.pick_names(p_rule.mask, p_rule.exclude, true);
    if v_names <> '{}' then
        raise exception 'mask: % is already excluded', v_names[1] using errcode = 'invalid_parameter_value';
    end if;
    if (p_rule.read_query or p_rule.read_force) and not 'READ' = any (p_rule.actions) then
        raise exception '%: the rule does not record reads', case when p_rule.read_query then 'read_query' else 'read_force' end
            using errcode = 'invalid_parameter_value', hint = 'Add read to its actions.';
    end if;
    if p_relation is null then
        return;
    end if;
    v_columns := auditctl_internal.column_names(p_relation);
    v_names := auditctl_internal.pick_names(coalesce(p_rule.exclude, '{}') || coalesce(p_rule.mask, '{}') || p_rule.key, v_columns, false);
    if v_names <> '{}' then
        raise exception '% has no column %', p_rule.name, v_names[1]
            using errcode = 'undefined_column', hint = 'Its columns are: ' || array_to_string(v_columns, ', ');
    end if;
    if p_rule.key <> '{}' and exists (select from pg_index as i where i.indrelid = p_relation and i.indisprimary) then
        raise exception '% has a primary key; key is only for tables without one', p_rule.name using errcode = 'invalid_parameter_value';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_fitting_rule is
    'Raises 42703 for a column that a table does not have, and 22023 for what else does not fit in a rule, as auditctl/capture/validate.py does';

create or replace function auditctl_internal.stated_rule(p_name text, p_keys jsonb) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_defaults constant jsonb := auditctl_internal.default_rule();
    v_unknown text;
    v_result jsonb;
begin
    select k.key into v_unknown from jsonb_each(case jsonb_typeof(p_keys) when 'object' then p_keys else '{"rule": null}' end) as k where not v_defaults ? k.key limit 1;
    if found then
        raise exception 'a rule has no key %', left(v_unknown, 100)
            using errcode = 'invalid_parameter_value',
                hint = 'Its keys are: ' || (select string_agg(k, ', ' order by k) from jsonb_object_keys(v_defaults) as k);
    end if;
    v_result := v_defaults || p_keys || jsonb_build_object('name', p_name);
    v_result := v_result || jsonb_build_object('actions', upper(v_result ->> 'actions')::jsonb);
    perform auditctl_internal.require_sound_keys(v_result);
    if v_result ->> 'on_drop' not in ('refuse', 'record') then
        raise exception 'on_drop: must be refuse or record' using errcode = 'invalid_parameter_value';
    end if;
    return v_result;
end
$auditctl$;
comment on function auditctl_internal.stated_rule is 'A rule with every key, given those that differ from the default; raises 22023 for what is no key or not of its type';

create or replace function auditctl_internal.rules_with(p_rule jsonb, p_before text) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name constant text := p_rule ->> 'name';
    v_parts constant text[] := auditctl_internal.name_parts(v_name);
    v_own integer := (select r.position from auditctl.rule as r where r.name = v_name);
    v_next integer;
    v_is_taken boolean := false;
begin
    if p_before is not null then
        v_next := (select r.position from auditctl.rule as r where r.name = p_before);
        if v_next is null then
            raise exception 'there is no rule %', p_before using errcode = 'invalid_parameter_value';
        end if;
    elsif v_own is null and auditctl_internal.is_glob(v_name) then
        -- A wider one that comes first would hide it.
        select min(r.position)
        into v_next
        from auditctl.rule as r
        cross join auditctl_internal.name_parts(r.name) as wide
        where auditctl_internal.is_glob(r.name)
            and auditctl_internal.part_covers(wide[1], v_parts[1]) and auditctl_internal.part_covers(wide[2], v_parts[2]);
    end if;
    if v_next is null then
        v_own := coalesce(v_own, (select coalesce(max(r.position) + 1, 0) from auditctl.rule as r));
    elsif v_own is null or v_own >= v_next then
        v_is_taken := exists (select from auditctl.rule as r where r.position = v_next - 1 and r.name <> v_name);
        v_own := v_next - case when v_is_taken then 0 else 1 end;
    end if;
    return (
        select jsonb_agg(each.rule)
        from (
            select to_jsonb(r) - '{set_by,set_at}'::text[]
                || jsonb_build_object('position', r.position + case when v_is_taken and r.position >= v_next then 1 else 0 end) as rule
            from auditctl.rule as r
            where r.name <> v_name
            union all
            select p_rule || jsonb_build_object('position', v_own)
        ) as each
    );
end
$auditctl$;
comment on function auditctl_internal.rules_with is
    'All stored rules with one in place of that of its name: where that was, or before the named one, or before the first glob that covers it';
