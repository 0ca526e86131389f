-- Generates the code that records whole rows, from a table's columns.

create or replace function auditctl_internal.recorded_code(p_row text, p_column auditctl.captured_column, p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return format(
        '%L, %s', p_column.name,
        case when p_column.name = any (p_mask) then '''{"$masked": true}''::jsonb' else auditctl_internal.value_code(p_row, p_column) end
    );
end
$auditctl$;
comment on function auditctl_internal.recorded_code is 'A column''s name and value as arguments of jsonb_build_object';

create or replace function auditctl_internal.row_code(p_row text, p_columns auditctl.captured_column[], p_mask text[]) returns text
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
comment on function auditctl_internal.row_code is 'The expression that records a whole row, old or new';

create or replace function auditctl_internal.is_whole(
    p_relation regclass, p_columns auditctl.captured_column[], p_mask text[]
) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select
            coalesce(bool_and(c.own_type is not null and c.base_oid <> 'xml'::regtype and c.name <> all (p_mask)), false)
            and count(*) = (select count(*) from pg_attribute as a where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped)
        from unnest(p_columns) as c
    );
end
$auditctl$;
comment on function auditctl_internal.is_whole is
    'Whether all columns of a table are recorded and have PostgreSQL''s own types, so that to_jsonb may convert whole rows';

create or replace function auditctl_internal.typed_code(p_row text, p_columns auditctl.captured_column[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        -- PostgreSQL's functions take at most 100 arguments.
        select string_agg(format(E'num_nulls(\n                %s\n            )', part.fields), ' + ' order by part.number)
        from (
            select
                (c.position - 1) / 100 as number,
                string_agg(auditctl_internal.field_code(p_row, p_columns[c.position]), E',\n                ' order by c.position) as fields
            from generate_subscripts(p_columns, 1) as c (position)
            group by (c.position - 1) / 100
        ) as part
    );
end
$auditctl$;
comment on function auditctl_internal.typed_code is
    'An expression, never below zero, that raises unless the columns of old or new still have the same types';

create or replace function auditctl_internal.record_row_code(
    p_row text, p_columns auditctl.captured_column[], p_mask text[], p_is_whole boolean
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
    v_exceptions auditctl.captured_column[] := '{}';
    v_conditions text[] := '{}';
    v_condition text;
begin
    if not p_is_whole then
        return format('        v_%s := %s;', p_row, auditctl_internal.row_code(p_row, p_columns, p_mask));
    end if;
    foreach v_column in array p_columns loop
        v_condition := auditctl_internal.needs_text_condition(
            auditctl_internal.field_code(p_row, v_column), format('format(''%%s'', %s.%I)', p_row, v_column.name),
            v_column.base_oid, v_column.is_array
        );
        if v_condition is not null then
            v_exceptions := v_exceptions || v_column;
            v_conditions := v_conditions || v_condition;
        end if;
    end loop;
    return concat(
        -- For a column whose type was changed since, to_jsonb might run a cast that the table's owner wrote.
        format('        v_%1$s := case when %2$s >= 0 then to_jsonb(%1$s) end;', p_row, auditctl_internal.typed_code(p_row, p_columns)),
        case when cardinality(v_exceptions) > 0 then format(
            E'\n        if %2$s then\n            v_%1$s := v_%1$s || %3$s;\n        end if;',
            p_row, array_to_string(v_conditions, E'\n            or '), auditctl_internal.row_code(p_row, v_exceptions, p_mask)
        ) end
    );
end
$auditctl$;
comment on function auditctl_internal.record_row_code is 'The statements that record a whole row, old or new, in v_old or v_new';
