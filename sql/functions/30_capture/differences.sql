-- Generates the code that compares the old and new row of an update.

create or replace function auditctl_internal.object_code(p_row text, p_column auditctl.captured_column, p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return case
        -- For text alone jsonb_object gives the same result at half the cost.
        when p_column.own_type is not null and p_column.base_oid in ('text'::regtype, 'varchar'::regtype)
            and p_column.name <> all (p_mask)
            then format('jsonb_object(array[%L, %s])', p_column.name, auditctl_internal.value_code(p_row, p_column))
        else format('jsonb_build_object(%s)', auditctl_internal.recorded_code(p_row, p_column, p_mask))
    end;
end
$auditctl$;
comment on function auditctl_internal.object_code is 'The expression for an object of one column''s name and value';

create or replace function auditctl_internal.difference_code(p_group auditctl.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
-- For a group of columns without a change, only one expression is evaluated.
declare
    v_column auditctl.captured_column;
    v_conditions text[] := '{}';
    v_old_fields text[] := '{}';
    v_new_fields text[] := '{}';
    v_code text := '';
begin
    foreach v_column in array p_group loop
        v_conditions := v_conditions || auditctl_internal.differs_code(v_column);
        v_old_fields := v_old_fields || format('old.%I', v_column.name);
        v_new_fields := v_new_fields || format('new.%I', v_column.name);
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
                then format('record_image_ne(row(%s), row(%s))', array_to_string(v_old_fields, ', '), array_to_string(v_new_fields, ', '))
            else array_to_string(v_conditions, E'\n            or ')
        end,
        v_code
    );
end
$auditctl$;
comment on function auditctl_internal.difference_code is
    'The statements that put the changes of a group of columns into v_old and v_new; all columns are compared in the same way';

create or replace function auditctl_internal.differences_code(p_columns auditctl.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_group_size constant integer := 4;
    v_comparable auditctl.captured_column[] := '{}';
    v_column auditctl.captured_column;
    v_by_image boolean;
    v_code text := '';
begin
    foreach v_by_image in array array[false, true] loop
        v_comparable := '{}';
        foreach v_column in array p_columns loop
            if auditctl_internal.is_compared_by_image(v_column) = v_by_image then
                v_comparable := v_comparable || v_column;
            end if;
        end loop;
        for v_first in 1..cardinality(v_comparable) by v_group_size loop
            v_code := v_code || auditctl_internal.difference_code(v_comparable[v_first:v_first + v_group_size - 1], p_mask);
        end loop;
    end loop;
    return rtrim(v_code, E'\n');
end
$auditctl$;
comment on function auditctl_internal.differences_code is
    'The statements that put the changed columns of an update into v_old and v_new, which stay null where nothing changed';
