-- Assembles capture functions from templates and a table's columns. The tool plans with the same code with which the
-- coverage guard rewrites the functions when a table changes.

create or replace function auditctl_internal.options_code(p_site auditctl.capture_site, p_capture auditctl.capture) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return concat(
        case when p_capture.require_actor then ', p_require_actor => true' end,
        case when p_capture.require_reason then ', p_require_reason => true' end,
        case when p_site.kind = 'p' or p_site.relation <> p_site.root then format(
            ', p_partition => case when (tg_table_schema, tg_table_name) <> (%L, %L) then tg_table_schema || ''.'' || tg_table_name end',
            p_site.root_schema, p_site.root_name
        ) end
    );
end
$auditctl$;
comment on function auditctl_internal.options_code is
    'The arguments by which a write without an actor or a reason is refused and the partition or child written to is recorded; empty for most tables';

create or replace function auditctl_internal.function_name(p_schema text, p_table text, p_action auditctl.action) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_option constant text := lower(p_action::text);
    v_head text := format('%s__%s', p_schema, p_table);
    v_tail text := '__' || v_option;
begin
    if octet_length(v_head || v_tail) > 63 or strpos(p_schema || '.' || p_table, '__') > 0
        or p_schema ~ '_$' or p_table ~ '^_' or p_table ~ '_$'
    then
        -- A shortened or ambiguous name gets a hash of the full name.
        v_tail := v_tail || '__' || left(
            encode(sha256(decode(encode(convert_to(p_schema, 'UTF8'), 'hex') || '00' || encode(convert_to(p_table, 'UTF8'), 'hex')
                || '00' || encode(convert_to(v_option, 'UTF8'), 'hex'), 'hex')), 'hex'),
            10
        );
        while octet_length(v_head || v_tail) > 63 loop
            v_head := left(v_head, -1);
        end loop;
    end if;
    return v_head || v_tail;
end
$auditctl$;
comment on function auditctl_internal.function_name is 'schema__table__action, with a hash where that would be ambiguous or longer than 63 bytes';

create or replace function auditctl_internal.function_parts(
    p_site auditctl.capture_site, p_capture auditctl.capture, p_action auditctl.action
) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
-- The values that templates refer to by name.
declare
    v_captured auditctl.captured_column[] := '{}';
    v_key constant auditctl.captured_column[] := auditctl_internal.named_columns(p_site.columns, p_capture.key);
    v_hidden constant text[] := p_capture.exclude || p_capture.mask;
    v_simple constant text := auditctl_internal.simple_key(v_key, v_hidden);
    v_row constant text := case p_action when 'CREATE' then 'new' else 'old' end;
    v_column auditctl.captured_column;
    v_known text[] := '{}';
    v_documents text[];
    v_shape text;
    v_image text;
    v_parts jsonb;
begin
    foreach v_column in array p_site.columns loop
        v_known := array_append(v_known, v_column.name);
        if v_column.name <> all (p_capture.exclude) then
            v_captured := array_append(v_captured, v_column);
        end if;
    end loop;
    v_parts := jsonb_build_object(
        'target', quote_literal(p_capture.target),
        'exclude', quote_literal(p_capture.exclude),
        'mask', quote_literal(p_capture.mask),
        'known', quote_literal(v_known),
        'key', quote_literal(p_capture.key),
        'options', auditctl_internal.options_code(p_site, p_capture)
    );
    if p_action = 'TRUNCATE' then
        return v_parts;
    end if;
    v_documents := auditctl_internal.document_columns(v_captured, p_capture.mask);
    v_shape := auditctl_internal.has_shape_code(p_site, case p_action when 'DELETE' then 'old' else 'new' end);
    if p_action <> 'UPDATE' or v_key = '{}' then
        v_image := auditctl_internal.row_code(
            v_row, v_captured, p_capture.mask, auditctl_internal.is_whole(p_site, v_captured, p_capture.mask)
        );
    end if;
    if p_action = 'UPDATE' then
        return v_parts || jsonb_build_object(
            'changes', auditctl_internal.changes_code(
                v_shape, v_captured, p_capture.mask, auditctl_internal.changed_key_code(v_key, v_hidden)
            ),
            'changed_key', coalesce(quote_literal(v_simple), 'null'),
            'key_variable', case when v_key = '{}' then E'    v_old jsonb;\n' when v_simple is null then E'    v_previous_key jsonb;\n' else '' end,
            'update_key', case
                -- Without a key, only the whole old row identifies the row.
                when v_key = '{}' then format('        v_old := case when cardinality(v_changes) > 1 then %s end;', v_image)
                else coalesce(auditctl_internal.previous_key_code(v_key, v_hidden), '')
            end,
            'update_options', concat(
                case when v_key = '{}' then ', p_old => v_old' when v_simple is null then ', p_previous_key => v_previous_key' end,
                ', p_most => ' || case when v_documents is null then 0 when v_documents <> '{}' then 200 end
            )
        );
    end if;
    return v_parts || jsonb_build_object(
        v_row || '_row', format(E'case when %s then %s end', v_shape, v_image),
        v_row || '_key', case
            when v_key <> '{}' and v_simple is null then format(
                '        v_target_id := case when v_%s is not null then %s end;', v_row, auditctl_internal.key_code(v_row, v_key, v_hidden)
            )
            else ''
        end,
        'key_variable', case when v_key <> '{}' and v_simple is null then E'    v_target_id text;\n' else '' end,
        -- What could not be assigned is null.
        'forget_row', case when v_key <> '{}' and v_simple is null then format('v_%s := null', v_row) else 'null' end,
        v_row || '_row_key', case
            when v_simple is not null then format('v_%s ->> %L', v_row, v_simple) when v_key = '{}' then 'null' else 'v_target_id'
        end,
        v_row || '_is_large', auditctl_internal.is_large_code('v_' || v_row, v_documents)
    );
end
$auditctl$;
comment on function auditctl_internal.function_parts is 'The SQL that fills the placeholders of a template, by name';

create or replace function auditctl_internal.assemble(p_parts text[], p_values jsonb) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_source text := '';
begin
    for v_position in 1..cardinality(p_parts) loop
        if v_position % 2 = 1 then
            v_source := v_source || p_parts[v_position];
        elsif p_values ->> p_parts[v_position] is null then
            raise exception 'a template uses an unknown placeholder: %', p_parts[v_position]
                using errcode = 'invalid_parameter_value', hint = 'The templates belong to another version: run auditctl install.';
        else
            v_source := v_source || (p_values ->> p_parts[v_position]);
        end if;
    end loop;
    return v_source;
end
$auditctl$;
comment on function auditctl_internal.assemble is 'Returns a template with its placeholders filled';

create or replace function auditctl_internal.function_comment(p_action auditctl.action, p_target text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return format('auditctl: %s of %s', lower(p_action::text), p_target);
end
$auditctl$;
comment on function auditctl_internal.function_comment is 'The comment of a capture function, by which its action and target are known';

create or replace function auditctl_internal.capture_function(
    p_site auditctl.capture_site, p_capture auditctl.capture, p_action auditctl.action
) returns auditctl.capture_function
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_capture auditctl.capture := p_capture;
    v_column auditctl.captured_column;
    v_names text[] := '{}';
    v_stored auditctl.captured_column[] := '{}';
    v_parts text[];
    v_function auditctl.capture_function;
    v_setting text;
    v_settings text := '';
    v_tag text := format('$%s$', 'auditctl');
    v_number integer := 0;
begin
    foreach v_column in array p_site.columns loop
        v_names := array_append(v_names, v_column.name);
        if v_column.name <> all (p_capture.exclude || p_capture.mask) then
            v_stored := array_append(v_stored, v_column);
        end if;
    end loop;
    v_capture.key := auditctl_internal.best_key(p_site.key_indexes, v_names, p_capture.key, p_capture.exclude || p_capture.mask);
    v_function.name := auditctl_internal.function_name(p_site.schema, p_site.name, p_action);
    select t.parts into v_parts from auditctl.template as t where t.action = p_action;
    v_function.source := E'\n' || auditctl_internal.assemble(v_parts, auditctl_internal.function_parts(p_site, v_capture, p_action)) || E'\n';
    v_function.settings := array['search_path=pg_catalog, pg_temp'];
    if p_action <> 'TRUNCATE' then
        v_function.settings := v_function.settings || auditctl_internal.pinned_settings(
            v_stored, auditctl_internal.named_columns(p_site.columns, v_capture.key)
        );
    end if;
    foreach v_setting in array v_function.settings loop
        v_settings := v_settings || format(
            E'set %I = %s\n', split_part(v_setting, '=', 1),
            case when v_setting like 'search_path=%' then 'pg_catalog, pg_temp' else quote_literal(split_part(v_setting, '=', 2)) end
        );
    end loop;
    while strpos(v_function.source, v_tag) > 0 loop
        v_number := v_number + 1;
        v_tag := format('$%s%s$', 'auditctl', v_number);
    end loop;
    v_function.statement := format(
        E'create or replace function auditctl_triggers.%I() returns trigger\nlanguage plpgsql\nsecurity definer\n%sas %s%s%s',
        v_function.name, v_settings, v_tag, v_function.source, v_tag
    );
    v_function.comment := auditctl_internal.function_comment(p_action, p_capture.target);
    -- Without USAGE on auditctl_triggers nobody can name the function and so attach it to a table of their own. With it, as
    -- a member of pg_read_all_data, the coverage guard refuses that: see auditctl_internal.require_no_forged_trigger.
    if p_site.kind = 'p' and p_action <> 'TRUNCATE' then
        v_function.grantee := p_site.owner;
    end if;
    return v_function;
end
$auditctl$;
comment on function auditctl_internal.capture_function is
    'Generates the function that captures an action on an audited table, or on a child of it. All that it depends on is in auditctl_internal.function_inputs';
