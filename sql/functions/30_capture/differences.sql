-- Generates the code that compares the old and new row of an update.

create or replace function auditctl_internal.changed(p_name text, p_old anyelement, p_new anyelement) returns jsonb
language sql stable
as $auditctl$
    select case when p_old is distinct from p_new then jsonb_build_array(p_name, p_old, p_new) end
$auditctl$;
comment on function auditctl_internal.changed is
    'A column with its old and new value, if these differ; else null. Only for types whose operator = is true for identical images only. Inlined';

create or replace function auditctl_internal.changed_text(p_name text, p_old text, p_new text) returns jsonb
language sql stable
as $auditctl$
    select case when p_old collate "C" is distinct from p_new collate "C" then jsonb_build_array(p_name, p_old, p_new) end
$auditctl$;
comment on function auditctl_internal.changed_text is
    'A column of text with its old and new value, if these differ byte for byte, regardless of the column''s collation; else null. Inlined';

create or replace function auditctl_internal.changed_image(p_name text, p_old anyelement, p_new anyelement) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when record_image_ne(row(p_old), row(p_new))
                then jsonb_build_array(p_name, p_old, p_new)
        end
$auditctl$;
comment on function auditctl_internal.changed_image is 'A column of a type whose values are preserved by to_jsonb with its old and new value, if their stored images differ; else null. Inlined';

create or replace function auditctl_internal.changed_float(p_name text, p_old anyelement, p_new anyelement) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when record_image_ne(row(p_old), row(p_new))
                then jsonb_build_array(p_name, auditctl_internal.float_image(p_old), auditctl_internal.float_image(p_new))
        end
$auditctl$;
comment on function auditctl_internal.changed_float is 'A column of float4 or float8 with its old and new value, if their stored images differ; else null. Inlined';

create or replace function auditctl_internal.changed_floats(p_name text, p_old anyelement, p_new anyelement) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when record_image_ne(row(p_old), row(p_new))
                then jsonb_build_array(p_name, auditctl_internal.floats_image(p_old), auditctl_internal.floats_image(p_new))
        end
$auditctl$;
comment on function auditctl_internal.changed_floats is 'A column of float4[] or float8[] with its old and new value, if their stored images differ; else null. Inlined';

create or replace function auditctl_internal.changed_array(p_name text, p_old anyelement, p_new anyelement) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when record_image_ne(row(p_old), row(p_new))
                then jsonb_build_array(p_name, auditctl_internal.array_image(p_old), auditctl_internal.array_image(p_new))
        end
$auditctl$;
comment on function auditctl_internal.changed_array is 'A column of another array with its old and new value, if their stored images differ; else null. Inlined';

create or replace function auditctl_internal.changed_document(p_name text, p_old jsonb, p_new jsonb) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when record_image_ne(row(p_old), row(p_new))
                then jsonb_build_array(p_name, auditctl_internal.document_image(p_old), auditctl_internal.document_image(p_new))
        end
$auditctl$;
comment on function auditctl_internal.changed_document is 'A column of jsonb with its old and new value, if their stored images differ; else null. Inlined';

create or replace function auditctl_internal.change_code(p_column auditctl.captured_column, p_mask text[], p_by_image boolean) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if p_column.name = any (p_mask) or p_column.own_type is null or p_column.base_oid = 'xml'::regtype then
        return format(
            'case when record_image_ne(row(old.%1$I), row(new.%1$I)) then jsonb_build_array(%1$L, %2$s, %3$s) end',
            p_column.name, auditctl_internal.recorded_code('old', p_column, p_mask), auditctl_internal.recorded_code('new', p_column, p_mask)
        );
    end if;
    return format(
        'auditctl_internal.changed%1$s(%2$L, old.%2$I, new.%2$I)',
        case
            when p_by_image then '_' || coalesce(auditctl_internal.image_kind(p_column.base_oid, p_column.is_array), 'image')
            when p_column.base_oid in ('text'::regtype, 'varchar'::regtype) then '_text'
        end,
        p_column.name
    );
end
$auditctl$;
comment on function auditctl_internal.change_code is
    'The expression for a change of a column: an array of its name, old and new value; null if its stored image is the same';

create or replace function auditctl_internal.changes_code(
    p_shape text, p_columns auditctl.captured_column[], p_mask text[], p_key text
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_size constant integer := 16;
    v_column auditctl.captured_column;
    v_by_image boolean;
    v_fields text[];
    v_changes text[];
    v_image_fields text[] := '{}';
    v_image_changes text[] := '{}';
    v_other_fields text[] := '{}';
    v_other_changes text[] := '{}';
    v_first text := '';
    v_groups text := '';
begin
    foreach v_column in array p_columns loop
        v_by_image := v_column.name = any (p_mask) or auditctl_internal.is_compared_by_image(v_column);
        if v_by_image then
            v_image_fields := array_append(v_image_fields, quote_ident(v_column.name));
            v_image_changes := array_append(v_image_changes, auditctl_internal.change_code(v_column, p_mask, true));
        else
            v_other_fields := array_append(v_other_fields, quote_ident(v_column.name));
            v_other_changes := array_append(v_other_changes, auditctl_internal.change_code(v_column, p_mask, false));
        end if;
    end loop;
    -- The first group is compared column by column. Of each other group whole rows are compared first, and the columns one by
    -- one only if these differ: so a session plans the expressions of a column and a transaction prepares them only if needed.
    foreach v_by_image in array array[false, true] loop
        v_fields := case when v_by_image then v_image_fields else v_other_fields end;
        v_changes := case when v_by_image then v_image_changes else v_other_changes end;
        for v_number in 1..cardinality(v_fields) by v_size loop
            if not v_by_image and cardinality(v_fields) <= v_size then
                v_first := E',\n            ' || array_to_string(v_changes, E',\n            ');
            else
                v_groups := v_groups || format(
                    E'\n        if record_image_ne(row(old.%s), row(new.%s)) then\n'
                    '            v_changes := case when v_changes is not null then v_changes || array_remove(array[\n                %s\n            ], null) end;\n'
                    '        end if;',
                    array_to_string(v_fields[v_number:v_number + v_size - 1], ', old.'),
                    array_to_string(v_fields[v_number:v_number + v_size - 1], ', new.'),
                    array_to_string(v_changes[v_number:v_number + v_size - 1], E',\n                ')
                );
            end if;
        end loop;
    end loop;
    return format(
        E'        v_changes := case when %s then array_remove(array[\n            %s%s\n        ], null) end;', p_shape, p_key, v_first
    ) || v_groups;
end
$auditctl$;
comment on function auditctl_internal.changes_code is
    'The statements that put the changed columns of an update into v_changes, as auditctl_internal.record_update takes them, the key before them; null if the table is not as it was';
