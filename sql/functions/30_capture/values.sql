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

-- JSONB has no negative zero, and JSON arrays have no bounds: such values are recorded as their text. A JSON null is not an
-- SQL null, and no application may make a value look like one of auditctl's own forms. PostgreSQL inlines these functions.

create or replace function auditctl_internal.float_needs_text(p_value anyelement) returns boolean
language sql stable
as $auditctl$
    select p_value = 0 and format('%s', p_value) = '-0'
$auditctl$;
comment on function auditctl_internal.float_needs_text is 'Whether to_jsonb would not preserve a value of type float4 or float8: it is negative zero';

create or replace function auditctl_internal.floats_needs_text(p_value anyelement) returns boolean
language sql stable
as $auditctl$
    select format('%s', p_value) ~ '^[[]|[{,]-0[},]'
$auditctl$;
comment on function auditctl_internal.floats_needs_text is 'Whether to_jsonb would not preserve an array of such values: it has a negative zero, or bounds that do not begin with 1';

create or replace function auditctl_internal.array_may_need_text(p_value anyelement) returns boolean
language sql stable
as $auditctl$
    select array_lower(p_value, 1) <> 1 or array_ndims(p_value) > 1
$auditctl$;
comment on function auditctl_internal.array_may_need_text is 'Whether to_jsonb might not preserve any other array: it has several dimensions, or bounds that do not begin with 1';

create or replace function auditctl_internal.exact_image(p_value anyelement) returns jsonb
language plpgsql stable
as $auditctl$
-- Called by capture only, whose search_path is pinned, and for rare arrays: what is inlined is part of each session's plans.
begin
    if strpos(replace(array_dims(p_value), '[1:', ''), '[') > 0 then
        return to_jsonb(format('%s', p_value));
    end if;
    return to_jsonb(p_value);
end
$auditctl$;
comment on function auditctl_internal.exact_image is 'What is recorded of such an array: its text, if it has bounds that do not begin with 1';

create or replace function auditctl_internal.document_needs_wrapping(p_value jsonb) returns boolean
language sql stable
as $auditctl$
    select jsonb_typeof(p_value) = 'null' or p_value ?| '{$masked,$erased,$sha256,$json}'
$auditctl$;
comment on function auditctl_internal.document_needs_wrapping is 'Whether a document must be wrapped';

create or replace function auditctl_internal.float_image(p_value anyelement) returns jsonb
language sql stable
as $auditctl$
    select case when auditctl_internal.float_needs_text(p_value) then to_jsonb(format('%s', p_value)) else to_jsonb(p_value) end
$auditctl$;
comment on function auditctl_internal.float_image is 'What is recorded of such a value';

create or replace function auditctl_internal.exact_float(p_name text, p_value anyelement) returns jsonb
language sql stable
as $auditctl$
    select
        case when auditctl_internal.float_needs_text(p_value) then jsonb_build_object(p_name, format('%s', p_value)) else '{}' end
$auditctl$;
comment on function auditctl_internal.exact_float is 'An object of a column''s name and image, if that is not what to_jsonb gives; else an empty one';

create or replace function auditctl_internal.floats_image(p_value anyelement) returns jsonb
language sql stable
as $auditctl$
    select case when auditctl_internal.floats_needs_text(p_value) then to_jsonb(format('%s', p_value)) else to_jsonb(p_value) end
$auditctl$;
comment on function auditctl_internal.floats_image is 'What is recorded of such a value';

create or replace function auditctl_internal.exact_floats(p_name text, p_value anyelement) returns jsonb
language sql stable
as $auditctl$
    select
        case when auditctl_internal.floats_needs_text(p_value) then jsonb_build_object(p_name, format('%s', p_value)) else '{}' end
$auditctl$;
comment on function auditctl_internal.exact_floats is 'An object of a column''s name and image, if that is not what to_jsonb gives; else an empty one';

create or replace function auditctl_internal.array_image(p_value anyelement) returns jsonb
language sql stable
as $auditctl$
    select case when auditctl_internal.array_may_need_text(p_value) then auditctl_internal.exact_image(p_value) else to_jsonb(p_value) end
$auditctl$;
comment on function auditctl_internal.array_image is 'What is recorded of such a value';

create or replace function auditctl_internal.exact_array(p_name text, p_value anyelement) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when auditctl_internal.array_may_need_text(p_value) then jsonb_build_object(p_name, auditctl_internal.exact_image(p_value))
            else '{}'
        end
$auditctl$;
comment on function auditctl_internal.exact_array is 'An object of a column''s name and image, if that is not what to_jsonb gives; else an empty one';

create or replace function auditctl_internal.document_image(p_value jsonb) returns jsonb
language sql stable
as $auditctl$
    select case when auditctl_internal.document_needs_wrapping(p_value) then jsonb_build_object('$json', p_value) else p_value end
$auditctl$;
comment on function auditctl_internal.document_image is 'What is recorded of a document';

create or replace function auditctl_internal.exact_document(p_name text, p_value jsonb) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when auditctl_internal.document_needs_wrapping(p_value)
                then jsonb_build_object(p_name, jsonb_build_object('$json', p_value))
            else '{}'
        end
$auditctl$;
comment on function auditctl_internal.exact_document is 'An object of a column''s name and image, if that is not what to_jsonb gives; else an empty one';

create or replace function auditctl_internal.image_kind(p_base oid, p_is_array boolean) returns text
language sql immutable
as $auditctl$
    select
        case
            when p_base in ('float4'::regtype, 'float8'::regtype) then 'float'
            when p_base in ('float4[]'::regtype, 'float8[]'::regtype) then 'floats'
            when p_is_array then 'array'
            when p_base = 'jsonb'::regtype then 'document'
        end
$auditctl$;
comment on function auditctl_internal.image_kind is
    'By which of the functions above a value of one of PostgreSQL''s own types is recorded; null if to_jsonb preserves every value';

create or replace function auditctl_internal.image_code(p_value text, p_base oid, p_is_array boolean) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return case
        -- The output function leaves out the encoding that the document declares.
        when p_base = 'xml'::regtype then p_value || '::text'
        else coalesce('auditctl_internal.' || auditctl_internal.image_kind(p_base, p_is_array) || '_image(' || p_value || ')', p_value)
    end;
end
$auditctl$;
comment on function auditctl_internal.image_code is
    'The expression that records a value of one of PostgreSQL''s own types, given the expression for the value';

create or replace function auditctl_internal.value_code(p_row text, p_column auditctl.captured_column) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_field constant text := format('%s.%I', p_row, p_column.name);
    v_text constant text := auditctl_internal.text_code(v_field);
begin
    if p_column.own_type is not null then
        return auditctl_internal.image_code(v_field, p_column.base_oid, p_column.is_array);
    -- Whether text is valid xml depends on the session's xmloption.
    elsif p_column.is_plain
        and p_column.base_oid not in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'xml'::regtype)
    then
        return auditctl_internal.image_code(format('(%s)::%s', v_text, p_column.base_type), p_column.base_oid, p_column.is_array);
    end if;
    return v_text;
end
$auditctl$;
comment on function auditctl_internal.value_code is
    'The expression for the recorded value of a column of old or new; only for use where auditctl_internal.has_shape was true';

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

create or replace function auditctl_internal.pinned_settings(
    p_stored auditctl.captured_column[], p_key auditctl.captured_column[]
) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    -- Types whose text depends on no setting, or on those below; what else there may be, such as ?, on any.
    c_known constant text[] := array[
        '[]', 'bool', 'int2', 'int4', 'int8', 'oid', 'numeric', 'text', 'varchar', 'bpchar', 'name', 'char', 'uuid', 'json',
        'jsonb', 'date', 'timestamp', 'time', 'timetz', 'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit', 'xml',
        'tsvector', 'timestamptz', 'interval', 'float4', 'float8', 'bytea', 'money'
    ];
    v_column auditctl.captured_column;
    v_parts text[] := '{}';
    v_text_parts text[] := '{}';
    v_is_known boolean;
begin
    foreach v_column in array p_stored loop
        if v_column.own_type is not null then
            v_parts := v_parts || v_column.constituents;
        else
            v_text_parts := v_text_parts || v_column.constituents || case when v_column.is_array then '{[]}'::text[] else '{}' end;
        end if;
    end loop;
    foreach v_column in array p_key loop
        v_text_parts := v_text_parts || v_column.constituents;
    end loop;
    v_parts := v_parts || v_text_parts;
    v_is_known := v_parts <@ c_known;
    return array_remove(array[
        case when not v_is_known or v_text_parts && '{date,timestamp,timestamptz}' then 'DateStyle=ISO, YMD' end,
        case when not v_is_known or v_parts && '{interval}' then 'IntervalStyle=postgres' end,
        case when not v_is_known or v_parts && '{timestamptz}' then 'TimeZone=UTC' end,
        case when not v_is_known or v_text_parts && '{[]}' then 'array_nulls=on' end,
        case when not v_is_known or v_parts && '{bytea}' then 'bytea_output=hex' end,
        case when not v_is_known or v_parts && '{float4,float8}' then 'extra_float_digits=1' end,
        case when not v_is_known or v_parts && '{money}' then 'lc_monetary=C' end,
        case when not v_is_known then 'quote_all_identifiers=off' end
    ], null);
end
$auditctl$;
comment on function auditctl_internal.pinned_settings is
    'The session settings that affect the text of a value of these columns, which a function that records them must pin, as NAME=VALUE';
