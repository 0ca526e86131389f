-- Generates the expressions with which capture reads the value of a column and compares two values.
--
-- A capture function runs with the rights of auditctl_owner, so nothing in it may run code that a table's owner can
-- write: no cast and no operator on a type that is not PostgreSQL's own. Such values are recorded by their output
-- function, as text: format('%s', x) calls output functions only, whatever casts exist.

create or replace function auditctl_internal.text_code(p_field text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return format('case when num_nulls(%1$s) = 0 then format(''%%s'', %1$s) end', p_field);
end
$auditctl$;
comment on function auditctl_internal.text_code is 'The expression for the text of a value, by its output function; null for null';

create or replace function auditctl_internal.needs_text_condition(p_value text, p_text text, p_base oid, p_is_array boolean) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return case
        -- JSONB has no negative zero, and JSON arrays have no bounds: such values are recorded as their text.
        when p_base in ('float4'::regtype, 'float8'::regtype) then format('%s = 0 and %s = ''-0''', p_value, p_text)
        when p_base in ('float4[]'::regtype, 'float8[]'::regtype) then format('%s ~ ''^[[]|[{,]-0[},]''', p_text)
        when p_is_array
            then format(
                '(case when array_ndims(%1$s) > 1 then strpos(replace(array_dims(%1$s), ''[1:'', ''''), ''['') > 0 '
                'else array_lower(%1$s, 1) <> 1 end)',
                p_value
            )
        -- A JSON null is not an SQL null, and no application may make a value look like one of auditctl's own forms.
        when p_base = 'jsonb'::regtype
            then format('jsonb_typeof(%1$s) = ''null'' or %1$s ?| ''{$masked,$sha256,$json}''', p_value)
    end;
end
$auditctl$;
comment on function auditctl_internal.needs_text_condition is
    'The condition under which to_jsonb would not preserve a value of one of PostgreSQL''s own types; null for types without such values';

create or replace function auditctl_internal.image_code(p_value text, p_text text, p_base oid, p_is_array boolean) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_condition constant text := auditctl_internal.needs_text_condition(p_value, p_text, p_base, p_is_array);
begin
    return case
        -- The output function leaves out the encoding that the document declares.
        when p_base = 'xml'::regtype then format('%s::text', p_value)
        when v_condition is null then p_value
        when p_base = 'jsonb'::regtype
            then format('case when %1$s then jsonb_build_object(''$json'', %2$s) else %2$s end', v_condition, p_value)
        else format('case when %s then to_jsonb(%s) else to_jsonb(%s) end', v_condition, p_text, p_value)
    end;
end
$auditctl$;
comment on function auditctl_internal.image_code is
    'The expression that records a value of one of PostgreSQL''s own types, given the expressions for the value and for its text';

create or replace function auditctl_internal.field_code(p_row text, p_column auditctl.captured_column) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return format('auditctl_internal.typed(%s.%I, null::%s)', p_row, p_column.name, p_column.own_type);
end
$auditctl$;
comment on function auditctl_internal.field_code is
    'The expression for a column of old or new; raises if its type was changed. Only for PostgreSQL''s own types';

create or replace function auditctl_internal.value_code(p_row text, p_column auditctl.captured_column) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_field constant text := format('%s.%I', p_row, p_column.name);
    v_text constant text := auditctl_internal.text_code(v_field);
    v_value text;
begin
    if p_column.own_type is not null then
        v_value := auditctl_internal.field_code(p_row, p_column);
    -- Whether text is valid xml depends on the session's xmloption.
    elsif p_column.is_plain
        and p_column.base_oid not in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'xml'::regtype)
    then
        v_value := format('(%s)::%s', v_text, p_column.base_type);
    else
        return v_text;
    end if;
    return auditctl_internal.image_code(v_value, format('format(''%%s'', %s)', v_field), p_column.base_oid, p_column.is_array);
end
$auditctl$;
comment on function auditctl_internal.value_code is 'The expression for the recorded value of a column of old or new';

create or replace function auditctl_internal.is_compared_by_image(p_column auditctl.captured_column) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return p_column.own_type is null
        -- For these types the operator = is true for identical images only; for text this holds in collation C.
        or p_column.base_oid <> all (
            array[
                'int2', 'int4', 'int8', 'oid', 'bool', 'uuid', 'bytea', 'date', 'timestamp', 'timestamptz', 'text', 'varchar'
            ]::regtype[]::oid[]
        );
end
$auditctl$;
comment on function auditctl_internal.is_compared_by_image is
    'Whether a change of a column can be detected only by comparing stored images, not by an operator';

create or replace function auditctl_internal.differs_code(p_column auditctl.captured_column) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return format(
        case
            when auditctl_internal.is_compared_by_image(p_column) then 'record_image_ne(row(old.%1$I), row(new.%1$I))'
            -- Byte for byte, regardless of the column's collation.
            when p_column.base_oid in ('text'::regtype, 'varchar'::regtype)
                then 'auditctl_internal.typed(old.%1$I, null::%2$s) collate "C" is distinct from new.%1$I collate "C"'
            else 'auditctl_internal.typed(old.%1$I, null::%2$s) is distinct from new.%1$I'
        end,
        p_column.name, p_column.own_type
    );
end
$auditctl$;
comment on function auditctl_internal.differs_code is 'The condition that the stored image of a column changed';

create or replace function auditctl_internal.pinned_settings(
    p_stored auditctl.captured_column[], p_key auditctl.captured_column[]
) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        -- The settings that affect the text of a value; ? stands for every unknown type.
        with sensitive (name, setting, types, types_as_text) as (
            values
            ('TimeZone', 'UTC', array['timestamptz'], array['timestamptz']),
            ('DateStyle', 'ISO, YMD', '{}', array['date', 'timestamp', 'timestamptz']),
            ('IntervalStyle', 'postgres', array['interval'], array['interval']),
            ('extra_float_digits', '1', array['float4', 'float8'], array['float4', 'float8']),
            ('bytea_output', 'hex', array['bytea'], array['bytea']),
            ('lc_monetary', 'C', array['money'], array['money']),
            ('array_nulls', 'on', '{}', array['[]']),
            ('quote_all_identifiers', 'off', '{}', '{}')
        ),

        used as (
            select part.name, c.own_type is null as is_text
            from unnest(p_stored) as c
            cross join unnest(c.constituents || case when c.is_array and c.own_type is null then '{[]}'::text[] else '{}' end) as part (name)
            union
            select part.name, true
            from unnest(p_key) as c
            cross join unnest(c.constituents) as part (name)
        )

        select coalesce(array_agg(s.name || '=' || s.setting order by s.name), '{}')
        from sensitive as s
        where exists (
            select
            from used as u
            where u.name = any (s.types)
                or u.is_text and u.name = any (s.types_as_text)
                or u.name <> all (
                    array[
                        '[]', 'bool', 'int2', 'int4', 'int8', 'oid', 'numeric', 'text', 'varchar', 'bpchar', 'name', 'char', 'uuid', 'json',
                        'jsonb', 'date', 'timestamp', 'time', 'timetz', 'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit', 'xml',
                        'tsvector', 'timestamptz', 'interval', 'float4', 'float8', 'bytea', 'money'
                    ]
                )
        )
    );
end
$auditctl$;
comment on function auditctl_internal.pinned_settings is 'The session settings that a function recording these columns must pin, as NAME=VALUE';
