-- The pieces of code that capture functions are assembled from: rows, keys and differences, by a table's columns.

create function auditctl_internal.recorded_code(p_row text, p_column auditctl.captured_column, p_mask text[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        format(
            '%L, %s', p_column.name,
            case when p_column.name = any (p_mask) then '''{"$masked": true}''::jsonb' else auditctl_internal.value_code(p_row, p_column) end
        )
$auditctl$;

comment on function auditctl_internal.recorded_code(text, auditctl.captured_column, text[]) is 'A column''s name and value as arguments of jsonb_build_object';

create function auditctl_internal.row_code(p_row text, p_columns auditctl.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
    v_pairs text[] := '{}';
    v_code text := '';
begin
    foreach v_column in array p_columns loop
        v_pairs := v_pairs || (E'\n                ' || auditctl_internal.recorded_code(p_row, v_column, p_mask));
    end loop;
    -- PostgreSQL's functions take at most 100 arguments: 50 columns.
    for v_first in 1..cardinality(v_pairs) by 50 loop
        v_code := v_code || case when v_first > 1 then E'\n            || ' else '' end
            || format(E'jsonb_build_object(%s\n            )', array_to_string(v_pairs[v_first:v_first + 49], ','));
    end loop;
    return coalesce(nullif(v_code, ''), '''{}''::jsonb');
end
$auditctl$;

comment on function auditctl_internal.row_code(text, auditctl.captured_column[], text[]) is 'The expression that records a whole row, old or new';

create function auditctl_internal.is_whole(p_relation regclass, p_columns auditctl.captured_column[], p_mask text[]) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        coalesce(bool_and(c.own_type is not null and c.base_oid <> 'xml'::regtype and c.name <> all (p_mask)), false)
        and count(*) = (select count(*) from pg_attribute as a where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped)
    from unnest(p_columns) as c
$auditctl$;

comment on function auditctl_internal.is_whole(regclass, auditctl.captured_column[], text[]) is
    'Whether all columns of a table are recorded, and of PostgreSQL''s own types, so that to_jsonb may see its rows';

create function auditctl_internal.typed_code(p_row text, p_columns auditctl.captured_column[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL's functions take at most 100 arguments.
    select string_agg(format(E'num_nulls(\n                %s\n            )', part.fields), ' + ' order by part.number)
    from (
        select
            (c.position - 1) / 100 as number,
            string_agg(auditctl_internal.field_code(p_row, p_columns[c.position]), E',\n                ' order by c.position) as fields
        from generate_subscripts(p_columns, 1) as c (position)
        group by (c.position - 1) / 100
    ) as part
$auditctl$;

comment on function auditctl_internal.typed_code(text, auditctl.captured_column[]) is
    'An expression, never below zero, that raises unless the columns of old or new have the types they had';

create function auditctl_internal.record_row_code(p_row text, p_columns auditctl.captured_column[], p_mask text[], p_is_whole boolean) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
    v_odd auditctl.captured_column[] := '{}';
    v_conditions text[] := '{}';
    v_condition text;
begin
    if not p_is_whole then
        return format('        v_%s := %s;', p_row, auditctl_internal.row_code(p_row, p_columns, p_mask));
    end if;
    foreach v_column in array p_columns loop
        v_condition := auditctl_internal.odd_code(
            auditctl_internal.field_code(p_row, v_column), format('format(''%%s'', %s.%I)', p_row, v_column.name),
            v_column.base_oid, v_column.is_array
        );
        if v_condition is not null then
            v_odd := v_odd || v_column;
            v_conditions := v_conditions || v_condition;
        end if;
    end loop;
    return concat(
        -- Of a column that got another type since, to_jsonb might run a cast that the table's owner wrote.
        format('        v_%1$s := case when %2$s >= 0 then to_jsonb(%1$s) end;', p_row, auditctl_internal.typed_code(p_row, p_columns)),
        case when cardinality(v_odd) > 0 then format(
            E'\n        if %2$s then\n            v_%1$s := v_%1$s || %3$s;\n        end if;',
            p_row, array_to_string(v_conditions, E'\n            or '), auditctl_internal.row_code(p_row, v_odd, p_mask)
        ) end
    );
end
$auditctl$;

comment on function auditctl_internal.record_row_code(text, auditctl.captured_column[], text[], boolean) is
    'The statements that record a whole row, old or new, in v_old or v_new';

create function auditctl_internal.key_code(p_row text, p_key auditctl.captured_column[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
    v_parts text[] := '{}';
    v_code text;
    v_is_short boolean := true;
begin
    foreach v_column in array p_key loop
        v_parts := v_parts || auditctl_internal.value_code(p_row, v_column);
        v_is_short := v_is_short
            and v_column.constituents <@ array['int2', 'int4', 'int8', 'oid', 'uuid', 'date', 'timestamp', 'timestamptz', 'bool'];
    end loop;
    if cardinality(p_key) = 0 then
        return 'null';
    elsif cardinality(p_key) > 1 then
        v_code := format('jsonb_build_array(%s)::text', array_to_string(v_parts, ', '));
    -- Types whose cast to text is their output function.
    elsif p_key[1].own_type is not null and p_key[1].base_oid = any (
        array['int2', 'int4', 'int8', 'oid', 'uuid', 'text', 'varchar', 'numeric']::regtype[]::oid[]
    ) then
        v_code := format('%s::text', v_parts[1]);
    else
        v_code := auditctl_internal.text_code(format('%s.%I', p_row, p_key[1].name));
    end if;
    return case
        when v_is_short then v_code
        else format('case when octet_length(%1$s) > 1000 then auditctl_internal.fit_key(%1$s) else %1$s end', v_code)
    end;
end
$auditctl$;

comment on function auditctl_internal.key_code(text, auditctl.captured_column[]) is 'The expression for the key of a row; null without a key';

create function auditctl_internal.object_code(p_row text, p_column auditctl.captured_column, p_mask text[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        case
            -- Of text alone jsonb_object makes the same for half the price.
            when p_column.own_type is not null and p_column.base_oid in ('text'::regtype, 'varchar'::regtype)
                and p_column.name <> all (p_mask)
                then format('jsonb_object(array[%L, %s])', p_column.name, auditctl_internal.value_code(p_row, p_column))
            else format('jsonb_build_object(%s)', auditctl_internal.recorded_code(p_row, p_column, p_mask))
        end
$auditctl$;

comment on function auditctl_internal.object_code(text, auditctl.captured_column, text[]) is 'The expression for an object of one column''s name and value';

create function auditctl_internal.difference_code(p_group auditctl.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
-- Of a group of columns without a change nothing but one expression is evaluated.
declare
    v_column auditctl.captured_column;
    v_conditions text[] := '{}';
    v_olds text[] := '{}';
    v_news text[] := '{}';
    v_code text := '';
begin
    foreach v_column in array p_group loop
        v_conditions := v_conditions || auditctl_internal.differs_code(v_column);
        v_olds := v_olds || format('old.%I', v_column.name);
        v_news := v_news || format('new.%I', v_column.name);
        v_code := v_code || format(
            E'            if %1$s then\n'
            '                v_old := coalesce(v_old, ''{}'') || %2$s;\n'
            '                v_new := coalesce(v_new, ''{}'') || %3$s;\n'
            '            end if;\n',
            auditctl_internal.differs_code(v_column), auditctl_internal.object_code('old', v_column, p_mask), auditctl_internal.object_code('new', v_column, p_mask)
        );
    end loop;
    return format(
        E'        if %s then\n%s        end if;\n',
        case
            when auditctl_internal.is_compared_by_image(p_group[1])
                then format('record_image_ne(row(%s), row(%s))', array_to_string(v_olds, ', '), array_to_string(v_news, ', '))
            else array_to_string(v_conditions, E'\n            or ')
        end,
        v_code
    );
end
$auditctl$;

comment on function auditctl_internal.difference_code(auditctl.captured_column[], text[]) is
    'The statements that put the changes of a few columns into v_old and v_new; all are compared in one way';

create function auditctl_internal.differences_code(p_columns auditctl.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_group_size constant integer := 4;
    v_ways auditctl.captured_column[] := '{}';
    v_column auditctl.captured_column;
    v_by_image boolean;
    v_code text := '';
begin
    foreach v_by_image in array array[false, true] loop
        v_ways := '{}';
        foreach v_column in array p_columns loop
            if auditctl_internal.is_compared_by_image(v_column) = v_by_image then
                v_ways := v_ways || v_column;
            end if;
        end loop;
        for v_first in 1..cardinality(v_ways) by v_group_size loop
            v_code := v_code || auditctl_internal.difference_code(v_ways[v_first:v_first + v_group_size - 1], p_mask);
        end loop;
    end loop;
    return rtrim(v_code, E'\n');
end
$auditctl$;

comment on function auditctl_internal.differences_code(auditctl.captured_column[], text[]) is
    'The statements that put the changed columns of an update into v_old and v_new, which stay null where nothing changed';

create function auditctl_internal.condition_code(p_root regclass, p_target text, p_require_actor boolean, p_is_part boolean) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select concat(
        case when p_require_actor then format(
            E'    if v_actor_kind = ''system'' then\n'
            '        raise exception ''%% of %% refused: no actor is set'', lower(tg_op), %L\n'
            '            using errcode = ''UA002'', hint = ''Name the user in the transaction: '
            'select auditctl.set_context(''''alice'''', ''''203.0.113.7'''')'';\n'
            '    end if;\n', p_target
        ) end,
        case when p_is_part then format(
            E'    if (tg_table_schema, tg_table_name) <> (%L, %L) then\n'
            '        v_context := coalesce(v_context, ''{}'') || jsonb_build_object(''partition'', tg_table_schema || ''.'' || tg_table_name);\n'
            '    end if;\n', n.nspname, c.relname
        ) end
    )
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_root
$auditctl$;

comment on function auditctl_internal.condition_code(regclass, text, boolean, boolean) is
    'The statements that refuse a write without an actor, and that note which partition or child was written to; empty for most tables';

create function auditctl_internal.update_key_code(p_key auditctl.captured_column[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select format(
        E'        v_target_id := %s;\n'
        '        if %s then\n'
        '            v_context := coalesce(v_context, ''{}'') || jsonb_build_object(''previous_target_id'', %s);\n'
        '        end if;',
        auditctl_internal.key_code('new', p_key), string_agg(auditctl_internal.differs_code(k), ' or '), auditctl_internal.key_code('old', p_key)
    )
    from unnest(p_key) as k
    having count(*) > 0
$auditctl$;

comment on function auditctl_internal.update_key_code(auditctl.captured_column[]) is
    'The statements that record which row an update changed, and what its key was if that changed too; null without a key';
