-- Which texts name the same row: a key is read by the types of its columns, and written as capture writes it.
--
-- Only PostgreSQL's own types are read as such, all others as text: auditctl_owner must run no code of a table's owner.

create or replace function auditctl_internal.key_fields(p_types auditctl.key_type[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Without length, precision or scale, so that nothing is rounded or cut while it is read.
    select string_agg(format('c%s %s', t.position, format_type(t.type, -1)), ', ' order by t.position)
    from unnest(p_types) with ordinality as t (type, modifier, collation_name, ignores_case, position)
$auditctl$;
comment on function auditctl_internal.key_fields is 'The columns c1, c2 and so on of a key as a column definition list';

create or replace function auditctl_internal.key_expression(p_types auditctl.key_type[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with field as (
        select
            t.position, t.type,
            -- With the column's length, precision or scale, where that changes the text but not the value.
            case
                when t.modifier >= 0
                    then format(
                        'case when record_eq(row(r.c%1$s), row(r.c%1$s::%2$s)) then r.c%1$s::%2$s else r.c%1$s end',
                        t.position, format_type(t.type, t.modifier)
                    )
                else format('r.c%s', t.position)
            end as code
        from unnest(p_types) with ordinality as t (type, modifier, collation_name, ignores_case, position)
    )

    -- As auditctl_internal.key_code has it.
    select case cardinality(p_types)
        when 1 then format('format(''%%s'', %s)', min(f.code))
        else format(
            'jsonb_build_array(%s)::text',
            string_agg(
                auditctl_internal.image_code(f.code, f.type, p.typcategory = 'A'), ', ' order by f.position
            )
        )
    end
    from field as f
    join pg_type as p on p.oid = f.type
$auditctl$;
comment on function auditctl_internal.key_expression is 'The expression for a key''s text as capture writes it, over the columns of r';

create or replace function auditctl_internal.key_parts(p_types auditctl.key_type[], p_key text) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_parts jsonb;
begin
    if cardinality(p_types) = 1 then
        return jsonb_build_object('c1', case
            when p_types[1].type = 'jsonb'::regtype then p_key::jsonb
            when p_types[1].type = any (array['text', 'varchar', 'bpchar', 'name', '"char"']::regtype[]) then to_jsonb(p_key)
            else to_jsonb(btrim(p_key, e' \t\n\r\f\v'))
        end);
    end if;
    v_parts := p_key::jsonb;
    if jsonb_typeof(v_parts) <> 'array' or jsonb_array_length(v_parts) <> cardinality(p_types) then
        raise exception 'not a JSON array of % values', cardinality(p_types);
    end if;
    return (select jsonb_object_agg('c' || p.position, p.value) from jsonb_array_elements(v_parts) with ordinality as p (value, position));
end
$auditctl$;
comment on function auditctl_internal.key_parts is
    'The values of a key by c1, c2 and so on, from its text: the value itself for one column, a JSON array for several. Raises if it is not such a text';

create or replace function auditctl_internal.write_keys(p_types auditctl.key_type[], p_parts jsonb[]) returns setof text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return query execute format(
        'select auditctl_internal.fit_key(%s) from unnest($1) as p (parts) cross join lateral jsonb_to_record(p.parts) as r (%s)',
        auditctl_internal.key_expression(p_types), auditctl_internal.key_fields(p_types)
    ) using p_parts;
end
$auditctl$;
comment on function auditctl_internal.write_keys is 'The texts of keys as capture writes them; raises if a value is not one of its type';

create or replace function auditctl_internal.same_key(p_types auditctl.key_type[], p_parts jsonb, p_other text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_row text;
    v_same boolean;
begin
    select string_agg(format(
        case when t.ignores_case then 'lower(%%1$s.c%1$s)' else '%%1$s.c%1$s%2$s' end, t.position, ' collate ' || t.collation_name
    ), ', ' order by t.position)
    into v_row
    from unnest(p_types) with ordinality as t (type, modifier, collation_name, ignores_case, position);
    execute format(
        'select record_eq(row(%s), row(%s)) from jsonb_to_record($1) as a (%s), jsonb_to_record($2) as b (%4$s)',
        format(v_row, 'a'), format(v_row, 'b'), auditctl_internal.key_fields(p_types), auditctl_internal.key_fields(p_types)
    )
    into v_same using p_parts, auditctl_internal.key_parts(p_types, p_other);
    return v_same;
exception when others then
    -- An event of a time when the key had other types.
    return false;
end
$auditctl$;
comment on function auditctl_internal.same_key is 'Whether a recorded key names the same row, by the operator = of its types';

create or replace function auditctl_internal.has_equal_texts(p_type auditctl.key_type) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select p_type.ignores_case or p_type.collation_name is not null
        or p_type.type = any ('{interval,jsonb}'::regtype[])
        or p_type.type = 'bpchar'::regtype and p_type.modifier < 0
        or t.typcategory in ('A', 'R') and d.constituents && array['numeric', 'float4', 'float8', 'interval', 'jsonb', 'bpchar']
    from pg_type as t
    cross join lateral auditctl_internal.describe_types(array[t.oid]) as d
    where t.oid = p_type.type
$auditctl$;
comment on function auditctl_internal.has_equal_texts is
    'Whether several texts, too many to list, mean equal values of a type, such as 1 day and 24 hours';

create or replace function auditctl_internal.key_variants(p_types auditctl.key_type[], p_parts jsonb) returns jsonb[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
-- A numeric value may be recorded with any number of zeros at its end, and zero with a sign.
declare
    v_variants jsonb[] := array[p_parts];
    v_free constant integer := (
        select count(*) from unnest(p_types) as t where t.type = 'numeric'::regtype and t.modifier < 0
    );
    v_zeros constant integer := least(40, floor(power(300, 1.0 / greatest(v_free, 1))));
    v_name text;
begin
    for i in 1..cardinality(p_types) loop
        v_name := 'c' || i;
        continue when p_parts ->> v_name is null;
        if p_types[i].type = 'numeric'::regtype and p_types[i].modifier < 0 then
            continue when (p_parts ->> v_name)::numeric in ('NaN', 'Infinity', '-Infinity');
            v_variants := array(
                select v || jsonb_build_object(v_name, round(n.value, scale(n.value) + z)::text)
                from unnest(v_variants) as v
                cross join (select trim_scale((p_parts ->> v_name)::numeric) as value) as n
                cross join generate_series(0, v_zeros) as z
            );
        elsif p_types[i].type = any ('{float4,float8}'::regtype[]) and (p_parts ->> v_name)::float8 = 0 then
            v_variants := array(
                select v || jsonb_build_object(v_name, zero)
                from unnest(v_variants) as v
                cross join unnest('{0,-0}'::text[]) as zero
            );
        end if;
    end loop;
    return v_variants;
end
$auditctl$;
comment on function auditctl_internal.key_variants is
    'Values of a key that are equal to the given ones and written differently, as far as they can be listed: up to 40 zeros at the end of a number';

create or replace function auditctl_internal.equal_keys(
    p_target text, p_types auditctl.key_type[], p_parts jsonb, p_key text
) returns setof text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_is_searched constant boolean := (select bool_or(auditctl_internal.has_equal_texts(t)) from unnest(p_types) as t);
    -- Equal keys differ in nothing but case.
    v_folds_case constant boolean := (
        select bool_and(t.ignores_case or not auditctl_internal.has_equal_texts(t) and t.type <> all ('{numeric,float4,float8}'::regtype[]))
        from unnest(p_types) as t
    );
    v_variants jsonb[];
begin
    if v_is_searched then
        return query
        select e.target_id
        from (select distinct e.target_id from auditctl.event as e where e.target = p_target and e.target_id is not null) as e
        where (not v_folds_case or lower(e.target_id) = lower(p_key)) and auditctl_internal.same_key(p_types, p_parts, e.target_id);
        return;
    end if;
    v_variants := auditctl_internal.key_variants(p_types, p_parts);
    if cardinality(v_variants) > 1 then
        return query
        select distinct e.target_id
        from auditctl.event as e
        where e.target = p_target and e.target_id = any (array(select k from auditctl_internal.write_keys(p_types, v_variants) as k));
    end if;
end
$auditctl$;
comment on function auditctl_internal.equal_keys is 'The keys in the log that are equal to a key, given as values and as text, and written differently';

create or replace function auditctl_internal.untyped_key(p_key text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_key jsonb;
begin
    if p_key ~ '^[[:space:]]*[[]' then
        v_key := p_key::jsonb;
    end if;
    return auditctl_internal.fit_key(coalesce(v_key::text, p_key));
exception when others then
    return auditctl_internal.fit_key(p_key);
end
$auditctl$;
comment on function auditctl_internal.untyped_key is 'A key of unknown types: a JSON array as JSONB writes it, any other text as it is';

create or replace function auditctl.find_key(p_target text, p_key text) returns table (spellings text[], fault text, columns text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
set "IntervalStyle" = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
set lc_monetary = 'C'
set array_nulls = on
set quote_all_identifiers = off
as $auditctl$
declare
    v_target auditctl.target;
    v_parts jsonb;
    v_key text;
begin
    select * into v_target from auditctl.target as t where t.target = p_target;
    if p_key is null or coalesce(cardinality(v_target.key_types), 0) = 0 then
        spellings := array[auditctl_internal.untyped_key(p_key)];
    else
        columns := (
            select string_agg(format('%s %s', c.name, format_type(c.type, c.modifier)), ', ' order by c.position)
            from unnest(v_target.key_columns, v_target.key_types) with ordinality
                as c (name, type, modifier, collation_name, ignores_case, position)
        );
        begin
            v_parts := auditctl_internal.key_parts(v_target.key_types, p_key);
            v_key := (select k from auditctl_internal.write_keys(v_target.key_types, array[v_parts]) as k);
            spellings := v_key || array(
                select k from auditctl_internal.equal_keys(p_target, v_target.key_types, v_parts, v_key) as k where k <> v_key order by k
            );
        exception when others then
            fault := sqlerrm;
            spellings := '{}';
        end;
    end if;
    -- The text itself always counts, for events of a time when the key had other types.
    spellings := spellings || array(
        select distinct k.key from unnest(array[p_key, auditctl_internal.fit_key(p_key)]) as k (key) where k.key <> all (spellings)
    );
    if exists (
        select from auditctl.event as e
        where fault is not null and e.target_id = any (spellings)
            and e.target = any (array(select n.target from auditctl.target_names(p_target) as n))
    ) then
        fault := null;
    end if;
    return next;
end
$auditctl$;
revoke execute on function auditctl.find_key from public;
grant execute on function auditctl.find_key to auditctl_reader;
comment on function auditctl.find_key is
    'The texts under which the log may have a key of a target, first as capture writes it; why a text cannot be a key; and the key''s columns with their types';

create or replace function auditctl.key_spellings(p_target text, p_key text) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select distinct s
    from auditctl.target_names(p_target) as n
    cross join lateral auditctl.find_key(n.target, p_key) as f
    cross join lateral unnest(f.spellings) as s
$auditctl$;
revoke execute on function auditctl.key_spellings from public;
grant execute on function auditctl.key_spellings to auditctl_reader;
comment on function auditctl.key_spellings is 'The texts under which the log may have a key of a table, under each name that the table had';

create or replace function auditctl_internal.normal_key(p_target text, p_key text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select f.spellings[1] from auditctl.find_key(p_target, p_key) as f
$auditctl$;
comment on function auditctl_internal.normal_key is 'A key of a target as capture writes it; the text itself, shortened if it is too long, if it cannot be one';
