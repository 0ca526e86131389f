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

create or replace function auditctl_internal.change_code(p_column auditctl.captured_column, p_mask text[]) returns text
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
            when auditctl_internal.is_compared_by_image(p_column)
                then '_' || coalesce(auditctl_internal.image_kind(p_column.base_oid, p_column.is_array), 'image')
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
    v_code text;
begin
    with comparable as (
        select
            p_columns[c.ordinality] as whole, c.name, c.ordinality,
            c.name = any (p_mask) or auditctl_internal.is_compared_by_image(p_columns[c.ordinality]) as by_image
        from unnest(p_columns) with ordinality as c
    ),

    -- The first group is compared column by column. Of each other group whole rows are compared first, and the columns one by
    -- one only if these differ: so a session plans the expressions of a column and a transaction prepares them only if needed.
    numbered as (
        select
            c.*, (row_number() over (partition by c.by_image order by c.ordinality) - 1) / v_size as number,
            not c.by_image and count(*) over (partition by c.by_image) <= v_size as is_first
        from comparable as c
    ),

    part as (
        select
            n.is_first, n.by_image, n.number,
            string_agg(format('old.%I', n.name), ', ' order by n.ordinality) as old_fields,
            string_agg(format('new.%I', n.name), ', ' order by n.ordinality) as new_fields,
            string_agg(
                repeat(' ', case when n.is_first then 12 else 16 end) || auditctl_internal.change_code(n.whole, p_mask), E',\n' order by n.ordinality
            ) as changes
        from numbered as n
        group by n.is_first, n.by_image, n.number
    )

    select
        format(
            E'        v_changes := case when %s then array_remove(array[\n            %s%s\n        ], null) end;',
            p_shape, p_key, max(E',\n' || p.changes) filter (where p.is_first)
        ) || coalesce(string_agg(
            format(
                E'\n        if record_image_ne(row(%s), row(%s)) then\n'
                '            v_changes := case when v_changes is not null then v_changes || array_remove(array[\n%s\n            ], null) end;\n'
                '        end if;',
                p.old_fields, p.new_fields, p.changes
            ), '' order by p.by_image, p.number
        ) filter (where not p.is_first), '')
    into v_code
    from part as p;
    return v_code;
end
$auditctl$;
comment on function auditctl_internal.changes_code is
    'The statements that put the changed columns of an update into v_changes, as auditctl_internal.record_update takes them, the key before them; null if the table is not as it was';
