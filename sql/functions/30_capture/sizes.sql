-- Bounds what an event may hold, so that every reader of the log can read every event, whatever a row holds. A control
-- character takes one byte in a row and six in JSON; the number 1e131071 takes ten bytes in a row and 131,072 in JSON.

create or replace function auditctl_internal.event_limit() returns bigint
language sql immutable
as $auditctl$
    select 8388608::bigint
$auditctl$;
comment on function auditctl_internal.event_limit is
    'The size in bytes, as JSON text, up to which an event holds its old and new values whole; inlined, so it costs nothing';

create or replace function auditctl_internal.text_size(p_value jsonb) returns bigint
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_least bigint;
begin
    -- Writing a large value as JSON may take seconds and more memory than there is. No text is shorter than its strings
    -- are, unescaped, nor than an eighth of its stored form.
    if pg_column_size(p_value) > auditctl_internal.event_limit() then
        v_least := greatest(
            pg_column_size(p_value) / 8,
            case jsonb_typeof(p_value)
                when 'string' then octet_length(p_value #>> '{}')
                when 'object' then (
                    select sum(octet_length(pair.value #>> '{}')) from jsonb_each(p_value) as pair where jsonb_typeof(pair.value) = 'string'
                )
            end
        );
        if v_least > auditctl_internal.event_limit() then
            return v_least;
        end if;
    end if;
    return coalesce(octet_length(p_value::text), 0);
exception when others then
    return 1::bigint << 40;
end
$auditctl$;
comment on function auditctl_internal.text_size is
    'The size of a value as JSON text, in bytes; for a value far above the limit of an event a number that is above it, too; never raises';

create or replace function auditctl_internal.fits(p_old jsonb, p_new jsonb) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return auditctl_internal.text_size(p_old) + auditctl_internal.text_size(p_new) <= auditctl_internal.event_limit();
end
$auditctl$;
comment on function auditctl_internal.fits is 'Whether the values do not exceed the limit of an event; never raises';

create or replace function auditctl_internal.largest_value(p_values bigint) returns bigint
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A name of 63 control characters and its punctuation take less than 400 bytes, the form of a large value below 1,400.
    select greatest(auditctl_internal.event_limit() / greatest(p_values, 1) - 400, 1400)
$auditctl$;
comment on function auditctl_internal.largest_value is
    'The size in bytes, as JSON text, up to which a value is recorded whole in an event that exceeds the limit: an equal share for each of its values';

create or replace function auditctl_internal.large_form(p_head text, p_bytes bigint, p_sha256 bytea) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_form constant jsonb := jsonb_build_object('$sha256', encode(p_sha256, 'hex'), '$bytes', p_bytes);
begin
    return v_form || jsonb_build_object('$head', left(p_head, 200));
exception when others then
    -- Not valid text.
    return v_form;
end
$auditctl$;
comment on function auditctl_internal.large_form is 'What is recorded of a value too large for its event: how its text begins, its length and its hash';

create or replace function auditctl_internal.large_text(p_text text) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return auditctl_internal.large_form(left(p_text, 200), octet_length(p_text), sha256(convert_to(p_text, 'UTF8')));
exception when others then
    -- Not valid text.
    return auditctl_internal.large_form(null, octet_length(p_text), null);
end
$auditctl$;
comment on function auditctl_internal.large_text is 'The form of a large value by its text; its length and hash are of the text, the hash in UTF-8';

create or replace function auditctl_internal.large_bytes(p_bytes bytea) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select auditctl_internal.large_form(e'\\x' || encode(substring(p_bytes for 99), 'hex'), octet_length(p_bytes), sha256(p_bytes))
$auditctl$;
comment on function auditctl_internal.large_bytes is 'The form of a large value of type bytea; its length and hash are of the bytes';

create or replace function auditctl_internal.fit_values(p_values jsonb) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_largest bigint;
begin
    if coalesce(pg_column_size(p_values), 0) <= 8192 or auditctl_internal.text_size(p_values) <= auditctl_internal.event_limit() / 2 then
        return p_values;
    end if;
    if jsonb_typeof(p_values) = 'object' then
        v_largest := auditctl_internal.largest_value((select 2 * count(*) from jsonb_object_keys(p_values)));
        select jsonb_object_agg(
            pair.key, case when auditctl_internal.text_size(pair.value) <= v_largest then pair.value else auditctl_internal.large_text(pair.value #>> '{}') end
        )
        into p_values
        from jsonb_each(p_values) as pair;
        if auditctl_internal.text_size(p_values) <= auditctl_internal.event_limit() then
            return p_values;
        end if;
    end if;
    return auditctl_internal.large_text(p_values #>> '{}');
exception when others then
    return auditctl_internal.large_form(null, pg_column_size(p_values), null);
end
$auditctl$;
comment on function auditctl_internal.fit_values is 'Values that capture did not generate, such as those of a rule, within the limit of an event; never raises';

create or replace function auditctl_internal.document_columns(p_columns auditctl.captured_column[], p_mask text[]) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
    v_numbers integer := 0;
    v_documents text[] := '{}';
begin
    -- Measuring the text of every row would cost a tenth of its capture. A short row can have a long text only by numbers with
    -- a large exponent: up to ten columns of type numeric stay within the limit, arrays and documents are looked at.
    foreach v_column in array p_columns loop
        if v_column.name = any (p_mask) or not v_column.is_plain then
            continue;
        elsif v_column.base_oid = 'numeric'::regtype and v_column.modifier = -1 then
            v_numbers := v_numbers + 1;
        elsif v_column.base_oid in ('jsonb'::regtype, 'numeric[]'::regtype) then
            v_documents := array_append(v_documents, v_column.name);
        end if;
    end loop;
    if v_numbers > 10 then
        return null;
    elsif cardinality(v_documents) > 1 then
        return array(select d.name from unnest(v_documents) as d (name) order by d.name collate "C");
    end if;
    return v_documents;
end
$auditctl$;
comment on function auditctl_internal.document_columns is
    'The columns whose values may have a text that is far longer than they are; null if the text of each row must be measured';

create or replace function auditctl_internal.is_large_code(p_variable text, p_documents text[]) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name text;
    v_code text;
begin
    if p_documents is null then
        return ', true';
    end if;
    foreach v_name in array p_documents loop
        v_code := concat_ws(' or ', v_code, format('pg_column_size(%s -> %L) > %s', p_variable, v_name, 200 / cardinality(p_documents)));
    end loop;
    return coalesce(', ' || v_code, '');
end
$auditctl$;
comment on function auditctl_internal.is_large_code is
    'The argument of auditctl_internal.record_row that says whether the text of a recorded row must be measured however short it looks';
