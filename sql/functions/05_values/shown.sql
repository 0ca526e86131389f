-- Recorded values as auditctl.details shows them.

create or replace function auditctl.shorten(p_value text) returns text
language sql immutable parallel safe
return case
    -- Looking at the start alone costs the same for any length; no character takes more than four bytes.
    when pg_catalog.octet_length(p_value) > 2000 then pg_catalog.left(p_value, 99) || pg_catalog.chr(8230)
    when p_value = '{"$masked": true}' then '***'
    when p_value = '{"$erased": true}' then '(erased)'
    when p_value like '{"$json": %}' then pg_catalog.substr(p_value, 11, least(pg_catalog.length(p_value) - 11, 100))
    when p_value like '{"$head": "%", "$bytes": %, "$sha256": %}' or p_value like '{"$bytes": %, "$sha256": %}' then pg_catalog.concat(
        case when p_value ^@ '{"$head": ' then pg_catalog.substr(p_value, 12, 80) || pg_catalog.chr(8230) || ' ' end,
        '(' || pg_catalog.split_part(pg_catalog.split_part(p_value, '"$bytes": ', 2), ',', 1) || ' bytes)'
    )
    -- A value may end within a character, on which PostgreSQL raises an error. Three more bytes complete any character.
    when pg_catalog.length(p_value || '   ') > 103 then pg_catalog.left(p_value || '   ', 99) || pg_catalog.chr(8230)
    else p_value
end;
revoke execute on function auditctl.shorten from public;
grant execute on function auditctl.shorten to auditctl_reader;
comment on function auditctl.shorten is 'A long, masked, erased or large value as auditctl.details shows it';

create or replace function auditctl.quoted(p_value text) returns text
language sql immutable parallel safe
return case
    when p_value in ('', 'null', '***', '(none)', '(erased)') or p_value like ' %' or p_value like '"%' or p_value like '% ' then '"' || p_value || '"'
    else p_value
end;
revoke execute on function auditctl.quoted from public;
grant execute on function auditctl.quoted to auditctl_reader;
comment on function auditctl.quoted is
    'A short value in quotes if it is empty, begins or ends with a space, begins with a quote, or could be taken for null or a hidden value';

create or replace function auditctl.shown(p_value text) returns text
language sql immutable parallel safe
-- Few values sort before a plus sign: empty ones, and those that begin with a space, a quote, a bracket or an asterisk.
return coalesce(
    case
        when pg_catalog.octet_length(p_value) > 100 or p_value like '{"$%' then auditctl.shorten(p_value)
        when p_value operator(pg_catalog.<) '+' collate "C" or p_value = 'null' then auditctl.quoted(p_value)
        else p_value
    end, 'null'
);
revoke execute on function auditctl.shown from public;
grant execute on function auditctl.shown to auditctl_reader;
comment on function auditctl.shown is
    'A recorded value as auditctl.details shows it: at most 100 characters; the word null for null; see auditctl.quoted';

create or replace function auditctl.short_text(p_value jsonb) returns text
language sql immutable parallel safe
-- Writing a large document takes a hundred times as long as reading it.
return case
    when pg_catalog.pg_column_size(p_value) > 102400 and pg_catalog.jsonb_typeof(p_value) = 'array'
        then pg_catalog.concat('[', pg_catalog.chr(8230), '] (', pg_catalog.pg_column_size(p_value), ' bytes)')
    when pg_catalog.pg_column_size(p_value) > 102400 and pg_catalog.jsonb_typeof(p_value) = 'object'
        then pg_catalog.concat('{', pg_catalog.chr(8230), '} (', pg_catalog.pg_column_size(p_value), ' bytes)')
    else p_value operator(pg_catalog.#>>) '{}'
end;
revoke execute on function auditctl.short_text from public;
grant execute on function auditctl.short_text to auditctl_reader;
comment on function auditctl.short_text is 'The text of a recorded value; of a document above 100 kB only its kind and its size as stored';

create or replace function auditctl.common_length(p_old text, p_new text) returns integer
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_common integer := 0;
    v_half integer;
    v_old text := p_old;
    v_new text := p_new;
    v_left integer := least(length(p_old), length(p_new));
begin
    -- Each round halves what is left, so all together read each text twice.
    while v_left > 0 loop
        v_half := (v_left + 1) / 2;
        if left(v_old, v_half) collate "C" = left(v_new, v_half) then
            v_common := v_common + v_half;
            v_left := v_left - v_half;
            v_old := substr(v_old, v_half + 1);
            v_new := substr(v_new, v_half + 1);
        else
            v_left := v_half - 1;
            v_old := left(v_old, v_left + 1);
            v_new := left(v_new, v_left + 1);
        end if;
    end loop;
    return v_common;
end
$auditctl$;
revoke execute on function auditctl.common_length from public;
grant execute on function auditctl.common_length to auditctl_reader;
comment on function auditctl.common_length is 'How many characters two texts have in common at their start';

create or replace function auditctl.shown_part(p_value jsonb, p_other jsonb, p_is_inner boolean) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_text constant text := auditctl.short_text(p_value);
begin
    if p_value is null then
        return '(none)';
    elsif jsonb_typeof(p_value) = 'string' and jsonb_typeof(p_other) in ('number', 'boolean') and v_text ~ '^(-?[0-9]|(true|false)$)' then
        -- A number is not the text of a number.
        return '"' || left(v_text, 99) || '"';
    elsif p_is_inner and v_text like '{"$%' then
        -- Only a whole column is masked, erased or large.
        return case when length(v_text) > 100 then left(v_text, 99) || chr(8230) else v_text end;
    elsif jsonb_typeof(p_value) = 'string' and octet_length(v_text) < 100 then
        return auditctl.quoted(v_text);
    end if;
    return auditctl.shown(v_text);
end
$auditctl$;
revoke execute on function auditctl.shown_part from public;
grant execute on function auditctl.shown_part to auditctl_reader;
comment on function auditctl.shown_part is
    'A value, or one within a column, as auditctl.shown_change shows it beside another: (none) for a null, which is not a value';

create or replace function auditctl.shown_change(p_old jsonb, p_new jsonb, p_is_inner boolean default false) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_are_texts constant boolean := jsonb_typeof(p_old) = 'string' and jsonb_typeof(p_new) = 'string';
    -- A value may end within a character, on which PostgreSQL raises an error. Three more bytes complete any character.
    v_old text := case when v_are_texts then (p_old #>> '{}') || '   ' end;
    v_new text := case when v_are_texts then (p_new #>> '{}') || '   ' end;
    v_start integer;
begin
    if greatest(octet_length(v_old), octet_length(v_new)) > 103 then
        v_start := auditctl.common_length(v_old, v_new) - 20;
        if v_start > 20 then
            v_old := substr(v_old, v_start + 1);
            v_new := substr(v_new, v_start + 1);
            return concat(
                chr(8230), case when length(v_old) > 102 then left(v_old, 98) || chr(8230) else left(v_old, -3) end, ' ', chr(8594), ' ',
                chr(8230), case when length(v_new) > 102 then left(v_new, 98) || chr(8230) else left(v_new, -3) end
            );
        end if;
    end if;
    return auditctl.shown_part(p_old, p_new, p_is_inner) || ' ' || chr(8594) || ' ' || auditctl.shown_part(p_new, p_old, p_is_inner);
end
$auditctl$;
revoke execute on function auditctl.shown_change from public;
grant execute on function auditctl.shown_change to auditctl_reader;
comment on function auditctl.shown_change is
    'Two recorded values, or two within a column, with an arrow, each of at most 100 characters: of long texts what begins shortly before they differ';
