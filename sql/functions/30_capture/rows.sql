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

create or replace function auditctl_internal.row_code(
    p_row text, p_columns auditctl.captured_column[], p_mask text[], p_is_whole boolean
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if p_is_whole then
        return format('to_jsonb(%s)', p_row) || coalesce((
            select string_agg(
                format(
                    E'\n            || auditctl_internal.exact_%s(%L, %s.%I)', auditctl_internal.image_kind(c.base_oid, c.is_array), c.name, p_row, c.name
                ), '' order by c.ordinality
            )
            from unnest(p_columns) with ordinality as c
            where auditctl_internal.image_kind(c.base_oid, c.is_array) is not null
        ), '');
    end if;
    return coalesce((
        -- PostgreSQL's functions take at most 100 arguments: 50 columns.
        select string_agg(format(E'jsonb_build_object(\n%s\n            )', part.pairs), E'\n            || ' order by part.number)
        from (
            select
                (c.ordinality - 1) / 50 as number,
                string_agg(
                    format('                %L, %s', c.name, auditctl_internal.recorded_code(p_row, p_columns[c.ordinality], p_mask)),
                    E',\n' order by c.ordinality
                ) as pairs
            from unnest(p_columns) with ordinality as c
            group by (c.ordinality - 1) / 50
        ) as part
    ), '''{}''::jsonb');
end
$auditctl$;
comment on function auditctl_internal.row_code is
    'The expression that records a whole row, old or new; only for use where auditctl_internal.has_shape was true';
