-- Generates the code that records whole rows, from a table's columns.

create or replace function auditctl_internal.recorded_code(p_row text, p_column auditctl.captured_column, p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return case when p_column.name = any (p_mask) then '''{"$masked": true}''::jsonb' else auditctl_internal.value_code(p_row, p_column) end;
end
$auditctl$;
comment on function auditctl_internal.recorded_code is 'The expression for what is recorded of a column of old or new';

create or replace function auditctl_internal.is_whole(
    p_site auditctl.capture_site, p_columns auditctl.captured_column[], p_mask text[]
) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
begin
    foreach v_column in array p_columns loop
        if v_column.own_type is null or v_column.base_oid = 'xml'::regtype or v_column.name = any (p_mask) then
            return false;
        end if;
    end loop;
    return p_columns <> '{}' and cardinality(p_columns) = cardinality(p_site.types);
end
$auditctl$;
comment on function auditctl_internal.is_whole is
    'Whether all columns of a table are recorded and have PostgreSQL''s own types, so that to_jsonb may convert whole rows';

create or replace function auditctl_internal.row_code(
    p_row text, p_columns auditctl.captured_column[], p_mask text[], p_is_whole boolean
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
    v_kind text;
    v_number integer := 0;
    v_pairs text;
    v_code text := case when p_is_whole then format('to_jsonb(%s)', p_row) end;
begin
    foreach v_column in array p_columns loop
        if p_is_whole then
            v_kind := auditctl_internal.image_kind(v_column.base_oid, v_column.is_array);
            if v_kind is not null then
                v_code := v_code || format(E'\n            || auditctl_internal.exact_%s(%L, %s.%I)', v_kind, v_column.name, p_row, v_column.name);
            end if;
            continue;
        end if;
        v_number := v_number + 1;
        v_pairs := concat_ws(
            E',\n', v_pairs, format('                %L, %s', v_column.name, auditctl_internal.recorded_code(p_row, v_column, p_mask))
        );
        -- PostgreSQL's functions take at most 100 arguments: 50 columns.
        if v_number % 50 = 0 or v_number = cardinality(p_columns) then
            v_code := concat_ws(E'\n            || ', v_code, format(E'jsonb_build_object(\n%s\n            )', v_pairs));
            v_pairs := null;
        end if;
    end loop;
    return coalesce(v_code, '''{}''::jsonb');
end
$auditctl$;
comment on function auditctl_internal.row_code is
    'The expression that records a whole row, old or new; only for use where auditctl_internal.has_shape was true';
