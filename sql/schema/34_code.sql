-- The pieces of code that capture functions are assembled from: rows, keys and differences, by a table's columns.

create function audit.recorded_code(p_row text, p_column audit.captured_column, p_mask text[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        format(
            '%L, %s', p_column.name,
            case when p_column.name = any (p_mask) then '''{"$masked": true}''::jsonb' else audit.value_code(p_row, p_column) end
        )
$auditctl$;

revoke execute on function audit.recorded_code(text, audit.captured_column, text[]) from public;
comment on function audit.recorded_code(text, audit.captured_column, text[]) is 'A column''s name and value as arguments of jsonb_build_object';

create function audit.row_code(p_row text, p_columns audit.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column audit.captured_column;
    v_pairs text[] := '{}';
    v_code text := '';
begin
    foreach v_column in array p_columns loop
        v_pairs := v_pairs || (E'\n                ' || audit.recorded_code(p_row, v_column, p_mask));
    end loop;
    -- PostgreSQL's functions take at most 100 arguments: 50 columns.
    for v_first in 1..cardinality(v_pairs) by 50 loop
        v_code := v_code || case when v_first > 1 then E'\n            || ' else '' end
            || format(E'jsonb_build_object(%s\n            )', array_to_string(v_pairs[v_first:v_first + 49], ','));
    end loop;
    return coalesce(nullif(v_code, ''), '''{}''::jsonb');
end
$auditctl$;

revoke execute on function audit.row_code(text, audit.captured_column[], text[]) from public;
comment on function audit.row_code(text, audit.captured_column[], text[]) is 'The expression that records a whole row, old or new';

create function audit.key_code(p_row text, p_key audit.captured_column[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column audit.captured_column;
    v_parts text[] := '{}';
    v_code text;
    v_is_short boolean := true;
begin
    foreach v_column in array p_key loop
        v_parts := v_parts || audit.value_code(p_row, v_column);
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
        v_code := audit.text_code(format('%s.%I', p_row, p_key[1].name));
    end if;
    return case
        when v_is_short then v_code
        else format('case when octet_length(%1$s) > 1000 then audit.fit_key(%1$s) else %1$s end', v_code)
    end;
end
$auditctl$;

revoke execute on function audit.key_code(text, audit.captured_column[]) from public;
comment on function audit.key_code(text, audit.captured_column[]) is 'The expression for the key of a row; null without a key';

create function audit.difference_code(p_group audit.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
-- Of a group of columns without a change nothing but one expression is evaluated.
declare
    v_column audit.captured_column;
    v_conditions text[] := '{}';
    v_olds text[] := '{}';
    v_news text[] := '{}';
    v_code text := '';
begin
    foreach v_column in array p_group loop
        v_conditions := v_conditions || audit.differs_code(v_column);
        v_olds := v_olds || format('old.%I', v_column.name);
        v_news := v_news || format('new.%I', v_column.name);
        v_code := v_code || format(
            E'            if %1$s then\n'
            '                if v_new is null then\n'
            '                    v_old := jsonb_build_object(%2$s);\n'
            '                    v_new := jsonb_build_object(%3$s);\n'
            '                else\n'
            '                    v_old := v_old || jsonb_build_object(%2$s);\n'
            '                    v_new := v_new || jsonb_build_object(%3$s);\n'
            '                end if;\n'
            '            end if;\n',
            audit.differs_code(v_column), audit.recorded_code('old', v_column, p_mask), audit.recorded_code('new', v_column, p_mask)
        );
    end loop;
    return format(
        E'        if %s then\n%s        end if;\n',
        case
            when audit.is_compared_by_image(p_group[1])
                then format('record_image_ne(row(%s), row(%s))', array_to_string(v_olds, ', '), array_to_string(v_news, ', '))
            else array_to_string(v_conditions, E'\n            or ')
        end,
        v_code
    );
end
$auditctl$;

revoke execute on function audit.difference_code(audit.captured_column[], text[]) from public;
comment on function audit.difference_code(audit.captured_column[], text[]) is
    'The statements that put the changes of a few columns into v_old and v_new; all are compared in one way';

create function audit.differences_code(p_columns audit.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_group_size constant integer := 8;
    v_ways audit.captured_column[] := '{}';
    v_column audit.captured_column;
    v_by_image boolean;
    v_code text := '';
begin
    foreach v_by_image in array array[false, true] loop
        v_ways := '{}';
        foreach v_column in array p_columns loop
            if audit.is_compared_by_image(v_column) = v_by_image then
                v_ways := v_ways || v_column;
            end if;
        end loop;
        for v_first in 1..cardinality(v_ways) by v_group_size loop
            v_code := v_code || audit.difference_code(v_ways[v_first:v_first + v_group_size - 1], p_mask);
        end loop;
    end loop;
    return rtrim(v_code, E'\n');
end
$auditctl$;

revoke execute on function audit.differences_code(audit.captured_column[], text[]) from public;
comment on function audit.differences_code(audit.captured_column[], text[]) is
    'The statements that put the changed columns of an update into v_old and v_new, which stay null where nothing changed';
