-- READ, business events and retention, and events that cost less.

-- The check on the kind of actor was a fifth of an event's price; this one is a fiftieth.
alter table audit.event drop constraint event_actor_kind_is_known;
create type audit.actor_kind as enum ('application', 'database', 'system');
alter table audit.event add constraint event_actor_kind_is_known check (actor_kind::audit.actor_kind is not null);

alter table audit.rule
add column read_query boolean not null default false,
add column read_force boolean not null default false;
alter table audit.capture
add column read_query boolean not null default false,
add column read_force boolean not null default false;

-- What follows stands in sql/schema, as it is now.

comment on type audit.actor_kind is 'How an actor is known: named by an application, the login itself, or nobody';

create function audit.own_keys() returns text[]
language sql immutable
as $auditctl$
    select
        '{application_name,role,partition,previous_target_id,summary,claimed_actor,claimed_ip,context_rejected,context_bytes,'
        'leaf,indirect,imported_by,imported_from,rolled_back}'::text[]
$auditctl$;

revoke execute on function audit.own_keys() from public;

comment on function audit.own_keys() is 'The keys of a context that auditctl alone writes; in line it costs nothing';

create or replace function audit.parse_context(p_text text) returns jsonb
language plpgsql immutable
as $auditctl$
-- Called by capture only, whose search_path is pinned; pinning it here again would cost more than the rest.
declare
    v_context jsonb;
    v_own constant text[] := audit.own_keys();
begin
    -- Deep nesting would make readers of the log fail, so brackets are counted before anything is parsed. And
    -- 1e130000 is nine bytes here and 130,001 digits for each reader.
    if octet_length(p_text) <= 16384
        and (octet_length(p_text) <= 500 or octet_length(p_text) - octet_length(translate(p_text, '[{', '')) <= 500)
        and p_text !~ '[0-9.][eE][+-]?[0-9]{3}'
        and convert_to(p_text, 'UTF8') is not null
    then
        v_context := p_text::jsonb;
        if jsonb_typeof(v_context) = 'object' then
            return case when v_context ?| v_own then v_context - v_own else v_context end;
        end if;
    end if;
    return jsonb_build_object('context_rejected', left(audit.readable(p_text), 500), 'context_bytes', octet_length(p_text));
exception when others then
    return jsonb_build_object('context_rejected', left(audit.readable(p_text), 500), 'context_bytes', octet_length(p_text));
end
$auditctl$;

-- The short ways, for the sessions that nearly all events come from. Capture functions ask them in this order and
-- take audit.identify() where neither applies. PostgreSQL puts SQL functions of one expression in line, so that they
-- cost no call; they raise where a role is gone, and capture takes audit.identify() then, too.

create or replace function audit.is_application() returns boolean
language sql stable
as $auditctl$
    select
        pg_has_role(session_user, 'audit_app'::regrole, 'USAGE')
        -- Superusers have every role; audit.identify() looks whether this one was granted.
        and not pg_has_role(session_user, 'audit_owner'::regrole, 'MEMBER')
        and coalesce(octet_length(convert_to(current_setting('auditctl.actor', true), 'UTF8')) <= 1000, true)
        -- A list of addresses, a netmask or blanks: audit.identify() sees to it, as to what is no address at all.
        and coalesce(strpos(translate(current_setting('auditctl.ip', true), ', ', '//'), '/') = 0, true)
$auditctl$;

comment on function audit.is_application() is
    'Whether the login is a member of audit_app and no superuser, and the user and the address that it names look as they should';

comment on function audit.is_database() is 'Whether the login is no application and names nobody';

create function audit.is_plain_session() returns boolean
language sql stable
as $auditctl$
    select
        coalesce(current_setting('auditctl.context', true), '') = ''
        and current_setting('application_name') <> ''
        and current_setting('role') = 'none'
$auditctl$;

revoke execute on function audit.is_plain_session() from public;

comment on function audit.is_plain_session() is 'Whether nothing but its application_name is to be said of the session';

create or replace function audit.context(p_setting text) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when current_setting('role') <> 'none' or current_setting('application_name') = '' then audit.session_context()
            -- As audit.parse_context() does: short, an object, no number of thousands of digits, without the keys that
            -- only auditctl writes. What is no JSON all the same raises.
            when octet_length(p_setting) <= 500 and p_setting ^@ '{' and p_setting !~ '[0-9.][eE][+-]?[0-9]{3}'
                and convert_to(p_setting, 'UTF8') is not null
                then p_setting::jsonb - audit.own_keys()
                    || jsonb_object(array['application_name', current_setting('application_name')])
            else audit.session_context()
        end
$auditctl$;

create function audit.odd_code(p_value text, p_text text, p_base oid, p_is_array boolean) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        case
            -- JSON numbers have no negative zero in JSONB, JSON arrays no bounds: such values are recorded as their text.
            when p_base in ('float4'::regtype, 'float8'::regtype) then format('%s = 0 and %s = ''-0''', p_value, p_text)
            when p_base in ('float4[]'::regtype, 'float8[]'::regtype) then format('%s ~ ''^[[]|[{,]-0[},]''', p_text)
            when p_is_array
                then format(
                    '(case when array_ndims(%1$s) > 1 then strpos(replace(array_dims(%1$s), ''[1:'', ''''), ''['') > 0 '
                    'else array_lower(%1$s, 1) <> 1 end)',
                    p_value
                )
            -- A JSON null is no SQL null, and no application may make a value look like one of auditctl's own forms.
            when p_base = 'jsonb'::regtype
                then format('jsonb_typeof(%1$s) = ''null'' or %1$s ?| ''{$masked,$sha256,$json}''', p_value)
        end
$auditctl$;

revoke execute on function audit.odd_code(text, text, oid, boolean) from public;

comment on function audit.odd_code(text, text, oid, boolean) is
    'The condition that a value of one of PostgreSQL''s own types is not what to_jsonb makes of it; null for types without such values';

create or replace function audit.image_code(p_value text, p_text text, p_base oid, p_is_array boolean) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        case
            -- The output function leaves out the encoding that the document declares.
            when p_base = 'xml'::regtype then format('%s::text', p_value)
            when odd.condition is null then p_value
            when p_base = 'jsonb'::regtype
                then format('case when %1$s then jsonb_build_object(''$json'', %2$s) else %2$s end', odd.condition, p_value)
            else format('case when %s then to_jsonb(%s) else to_jsonb(%s) end', odd.condition, p_text, p_value)
        end
    from (select audit.odd_code(p_value, p_text, p_base, p_is_array) as condition) as odd
$auditctl$;

create function audit.field_code(p_row text, p_column audit.captured_column) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select format('audit.typed(%s.%I, null::%s)', p_row, p_column.name, p_column.own_type)
$auditctl$;

revoke execute on function audit.field_code(text, audit.captured_column) from public;

comment on function audit.field_code(text, audit.captured_column) is
    'The expression for a column of old or new; raises if it has another type than it had. For PostgreSQL''s own types alone';

create or replace function audit.value_code(p_row text, p_column audit.captured_column) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_field constant text := format('%s.%I', p_row, p_column.name);
    v_text constant text := audit.text_code(v_field);
    v_value text;
begin
    if p_column.own_type is not null then
        v_value := audit.field_code(p_row, p_column);
    -- Whether text is xml depends on the session's xmloption.
    elsif p_column.is_plain
        and p_column.base_oid not in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'xml'::regtype)
    then
        v_value := format('(%s)::%s', v_text, p_column.base_type);
    else
        return v_text;
    end if;
    return audit.image_code(v_value, format('format(''%%s'', %s)', v_field), p_column.base_oid, p_column.is_array);
end
$auditctl$;

create function audit.is_whole(p_relation regclass, p_columns audit.captured_column[], p_mask text[]) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        coalesce(bool_and(c.own_type is not null and c.base_oid <> 'xml'::regtype and c.name <> all (p_mask)), false)
        and count(*) = (select count(*) from pg_attribute as a where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped)
    from unnest(p_columns) as c
$auditctl$;

revoke execute on function audit.is_whole(regclass, audit.captured_column[], text[]) from public;

comment on function audit.is_whole(regclass, audit.captured_column[], text[]) is
    'Whether all columns of a table are recorded, and of PostgreSQL''s own types, so that to_jsonb may see its rows';

create function audit.typed_code(p_row text, p_columns audit.captured_column[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL's functions take at most 100 arguments.
    select string_agg(format(E'num_nulls(\n                %s\n            )', part.fields), ' + ' order by part.number)
    from (
        select
            (c.position - 1) / 100 as number,
            string_agg(audit.field_code(p_row, p_columns[c.position]), E',\n                ' order by c.position) as fields
        from generate_subscripts(p_columns, 1) as c (position)
        group by (c.position - 1) / 100
    ) as part
$auditctl$;

revoke execute on function audit.typed_code(text, audit.captured_column[]) from public;

comment on function audit.typed_code(text, audit.captured_column[]) is
    'An expression, never below zero, that raises unless the columns of old or new have the types they had';

create function audit.record_row_code(p_row text, p_columns audit.captured_column[], p_mask text[], p_is_whole boolean) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column audit.captured_column;
    v_odd audit.captured_column[] := '{}';
    v_conditions text[] := '{}';
    v_condition text;
begin
    if not p_is_whole then
        return format('        v_%s := %s;', p_row, audit.row_code(p_row, p_columns, p_mask));
    end if;
    foreach v_column in array p_columns loop
        v_condition := audit.odd_code(
            audit.field_code(p_row, v_column), format('format(''%%s'', %s.%I)', p_row, v_column.name),
            v_column.base_oid, v_column.is_array
        );
        if v_condition is not null then
            v_odd := v_odd || v_column;
            v_conditions := v_conditions || v_condition;
        end if;
    end loop;
    return concat(
        -- Of a column that got another type since, to_jsonb might run a cast that the table's owner wrote.
        format('        v_%1$s := case when %2$s >= 0 then to_jsonb(%1$s) end;', p_row, audit.typed_code(p_row, p_columns)),
        case when cardinality(v_odd) > 0 then format(
            E'\n        if %2$s then\n            v_%1$s := v_%1$s || %3$s;\n        end if;',
            p_row, array_to_string(v_conditions, E'\n            or '), audit.row_code(p_row, v_odd, p_mask)
        ) end
    );
end
$auditctl$;

revoke execute on function audit.record_row_code(text, audit.captured_column[], text[], boolean) from public;

comment on function audit.record_row_code(text, audit.captured_column[], text[], boolean) is
    'The statements that record a whole row, old or new, in v_old or v_new';

create function audit.object_code(p_row text, p_column audit.captured_column, p_mask text[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        case
            -- Of text alone jsonb_object makes the same for half the price.
            when p_column.own_type is not null and p_column.base_oid in ('text'::regtype, 'varchar'::regtype)
                and p_column.name <> all (p_mask)
                then format('jsonb_object(array[%L, %s])', p_column.name, audit.value_code(p_row, p_column))
            else format('jsonb_build_object(%s)', audit.recorded_code(p_row, p_column, p_mask))
        end
$auditctl$;

revoke execute on function audit.object_code(text, audit.captured_column, text[]) from public;

comment on function audit.object_code(text, audit.captured_column, text[]) is 'The expression for an object of one column''s name and value';

create or replace function audit.difference_code(p_group audit.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
-- Of a group of columns without a change nothing but one expression is evaluated.
declare
    v_column audit.captured_column;
    v_conditions text[] := '{}';
    v_olds text[] := '{}';
    v_news text[] := '{}';
    v_code text := '';
begin
    foreach v_column in array p_group loop
        v_conditions := v_conditions || audit.differs_code(v_column);
        v_olds := v_olds || format('old.%I', v_column.name);
        v_news := v_news || format('new.%I', v_column.name);
        v_code := v_code || format(
            E'            if %1$s then\n'
            '                v_old := coalesce(v_old, ''{}'') || %2$s;\n'
            '                v_new := coalesce(v_new, ''{}'') || %3$s;\n'
            '            end if;\n',
            audit.differs_code(v_column), audit.object_code('old', v_column, p_mask), audit.object_code('new', v_column, p_mask)
        );
    end loop;
    return format(
        E'        if %s then\n%s        end if;\n',
        case
            when audit.is_compared_by_image(p_group[1])
                then format('record_image_ne(row(%s), row(%s))', array_to_string(v_olds, ', '), array_to_string(v_news, ', '))
            else array_to_string(v_conditions, E'\n            or ')
        end,
        v_code
    );
end
$auditctl$;

create or replace function audit.differences_code(p_columns audit.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_group_size constant integer := 4;
    v_ways audit.captured_column[] := '{}';
    v_column audit.captured_column;
    v_by_image boolean;
    v_code text := '';
begin
    foreach v_by_image in array array[false, true] loop
        v_ways := '{}';
        foreach v_column in array p_columns loop
            if audit.is_compared_by_image(v_column) = v_by_image then
                v_ways := v_ways || v_column;
            end if;
        end loop;
        for v_first in 1..cardinality(v_ways) by v_group_size loop
            v_code := v_code || audit.difference_code(v_ways[v_first:v_first + v_group_size - 1], p_mask);
        end loop;
    end loop;
    return rtrim(v_code, E'\n');
end
$auditctl$;

create function audit.condition_code(p_root regclass, p_target text, p_require_actor boolean, p_is_part boolean) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select concat(
        case when p_require_actor then format(
            E'    if v_actor_kind = ''system'' then\n'
            '        raise exception ''%% of %% refused: no actor is set'', lower(tg_op), %L\n'
            '            using errcode = ''UA002'', hint = ''Name the user in the transaction: '
            'select audit.set_context(''''alice'''', ''''203.0.113.7'''')'';\n'
            '    end if;\n', p_target
        ) end,
        case when p_is_part then format(
            E'    if (tg_table_schema, tg_table_name) <> (%L, %L) then\n'
            '        v_context := coalesce(v_context, ''{}'') || jsonb_build_object(''partition'', tg_table_schema || ''.'' || tg_table_name);\n'
            '    end if;\n', n.nspname, c.relname
        ) end
    )
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_root
$auditctl$;

revoke execute on function audit.condition_code(regclass, text, boolean, boolean) from public;

comment on function audit.condition_code(regclass, text, boolean, boolean) is
    'The statements that refuse a write without an actor, and that note which partition or child was written to; empty for most tables';

create function audit.update_key_code(p_key audit.captured_column[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select format(
        E'        v_target_id := %s;\n'
        '        if %s then\n'
        '            v_context := coalesce(v_context, ''{}'') || jsonb_build_object(''previous_target_id'', %s);\n'
        '        end if;',
        audit.key_code('new', p_key), string_agg(audit.differs_code(k), ' or '), audit.key_code('old', p_key)
    )
    from unnest(p_key) as k
    having count(*) > 0
$auditctl$;

revoke execute on function audit.update_key_code(audit.captured_column[]) from public;

comment on function audit.update_key_code(audit.captured_column[]) is
    'The statements that record which row an update changed, and what its key was if that changed too; null without a key';

create or replace function audit.function_parts(
    p_relation regclass, p_root regclass, p_target text, p_action audit.action,
    p_exclude text[], p_mask text[], p_key text[], p_require_actor boolean, p_columns audit.captured_column[]
) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
-- What the templates call by name.
declare
    v_captured constant audit.captured_column[] := array(select c from unnest(p_columns) as c where c.name <> all (p_exclude));
    v_key constant audit.captured_column[] := array(
        select c
        from unnest(p_key) with ordinality as k (name, position)
        join unnest(p_columns) as c on c.name = k.name
        order by k.position
    );
    v_is_whole constant boolean := audit.is_whole(p_relation, v_captured, p_mask);
    v_kind constant text := (select c.relkind from pg_class as c where c.oid = p_relation);
    v_last constant integer := (select max(a.attnum) from pg_attribute as a where a.attrelid = p_relation);
    v_parts jsonb;
begin
    v_parts := jsonb_build_object(
        'target', quote_literal(p_target),
        'exclude', format('%L::text[]', p_exclude),
        'mask', format('%L::text[]', p_mask),
        'known', format('%L::text[]', array(select c.name from unnest(p_columns) as c)),
        'key', format('%L::text[]', p_key),
        'conditions', audit.condition_code(p_root, p_target, p_require_actor, v_kind = 'p' or p_relation <> p_root)
    );
    if p_action = 'TRUNCATE' then
        return v_parts;
    end if;
    return v_parts || jsonb_build_object(
        -- A dropped column keeps its number, so that any column ever added is seen.
        -- A partition numbers its columns as it likes: the whole is asked, by its object id. After a restore that is
        -- another, and after the whole became a partition itself its root is: both take the careful way until apply.
        'shape_changed', case
            when v_kind = 'p' then format(
                E'pg_partition_root(tg_relid) <> %L::oid\n            or pg_describe_object(%L::oid, %L::oid, %s) is not null',
                pg_partition_root(p_relation)::oid, 'pg_class'::regclass::oid, p_relation::oid, v_last + 1
            )
            else format('pg_describe_object(%L::oid, tg_relid, %s) is not null', 'pg_class'::regclass::oid, v_last + 1)
        end,
        'record_old_row', audit.record_row_code('old', v_captured, p_mask, v_is_whole),
        'record_new_row', audit.record_row_code('new', v_captured, p_mask, v_is_whole),
        'old_key', audit.key_code('old', v_key),
        'new_key', audit.key_code('new', v_key),
        'update_key', coalesce(
            audit.update_key_code(v_key),
            -- Nothing else may tell which row it was.
            audit.record_row_code('old', v_captured, p_mask, v_is_whole)
        ),
        'differences', case p_action when 'UPDATE' then audit.differences_code(v_captured, p_mask) else '' end
    );
end
$auditctl$;

comment on column audit.rule.read_query is 'Whether the event of a read has the query''s text';

comment on column audit.rule.read_force is 'Whether reads by the table''s owner are recorded, too';

create or replace function audit.record_event(
    p_target text,
    p_target_id text default null,
    p_summary text default null,
    p_data jsonb default null,
    p_action audit.action default 'EVENT'
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if p_action is null or p_action not in ('EVENT', 'READ') then
        raise exception 'record_event cannot record %: row changes are recorded by capture alone', coalesce(p_action::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Use action EVENT or READ.';
    end if;
    perform audit.require_target(p_target);
    if octet_length(p_target_id) > 10240 then
        raise exception 'record_event takes a target_id of at most 10 kB'
            using errcode = 'invalid_parameter_value', hint = 'Give the key that tells the object from others.';
    end if;
    if octet_length(p_summary) > 65536 then
        raise exception 'record_event takes a summary of at most 64 kB'
            using errcode = 'invalid_parameter_value', hint = 'Say it in one sentence; give the rest as data.';
    end if;
    if octet_length(p_data::text) > 1048576 then
        raise exception 'record_event takes data of at most 1 MB'
            using errcode = 'invalid_parameter_value', hint = 'Record where the data can be found, or a digest of it.';
    end if;
    if not coalesce((audit.deciding_type(p_target)).enabled, true) then
        return null;
    end if;
    return audit.insert_event(p_target, p_target_id, p_action, null, p_data, p_summary);
end
$auditctl$;

comment on function audit.record_event(text, text, text, jsonb, audit.action) is
    'Records a business event or a read, under the same rules of who as any other event; returns its event_id, or null where its type is switched off';

create or replace function audit.record_rule() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform audit.insert_event(
        format('%s.%s', tg_table_schema, tg_table_name),
        case tg_op when 'DELETE' then old.name else new.name end,
        case tg_op when 'INSERT' then 'CREATE' else tg_op end::audit.action,
        case when tg_op <> 'INSERT' then to_jsonb(old) end,
        case when tg_op <> 'DELETE' then to_jsonb(new) end,
        null
    );
    return null;
end
$auditctl$;

comment on function audit.record_rule() is 'Records every change of a rule or an event type, whoever makes it and however';

comment on column audit.capture.read_query is 'Whether the event of a read has the query''s text';

comment on column audit.capture.read_force is 'Whether reads by the table''s owner are recorded, too';

-- The kinds of business events that somebody said something about: what people see of them, and which are switched off.

create table audit.event_type (
    name text not null,
    label text,
    enabled boolean not null default true,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    constraint event_type_pkey primary key (name),
    constraint event_type_name_is_not_empty check (name <> ''),
    constraint event_type_label_is_not_empty check (label <> ''),
    constraint event_type_label_is_of_one_type check (label is null or name !~ '[*?]')
);

comment on table audit.event_type is 'Business events that the configuration names; one that is not here is recorded under its own name';

comment on column audit.event_type.name is 'The target that audit.record_event is called with, or a glob: * stands for any characters, ? for one';

comment on column audit.event_type.label is 'What people see as the target; null for the name itself';

comment on column audit.event_type.enabled is 'Whether such events are recorded; of several that fit, the name itself counts, else the longest glob';

comment on column audit.event_type.set_by is 'The login that stated it';

comment on column audit.event_type.set_at is 'When it was stated';

grant select on audit.event_type to audit_reader;

alter table audit.event_type enable row level security;

create policy event_type_is_read_by_whoever_may on audit.event_type for select using (true);

create trigger event_type_recorded after insert or update or delete on audit.event_type
for each row execute function audit.record_rule();

alter table audit.event_type enable always trigger event_type_recorded;

create function audit.deciding_type(p_target text) returns audit.event_type
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_type audit.event_type;
begin
    select t.* into v_type
    from audit.event_type as t
    where t.name = p_target
        or p_target like translate(regexp_replace(t.name, '([\\%_])', '\\\1', 'g'), '*?', '%_')
    order by t.name = p_target desc, length(t.name) desc, t.name collate "C"
    limit 1;
    return v_type;
end
$auditctl$;

revoke execute on function audit.deciding_type(text) from public;

grant execute on function audit.deciding_type(text) to audit_reader;

comment on function audit.deciding_type(text) is
    'The event type that says whether events of a target are recorded: of that very name, else the longest glob that fits; null where nothing is said';

create function audit.names_actor() returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select audit.holds_app_role()
$auditctl$;

revoke execute on function audit.names_actor() from public;

grant execute on function audit.names_actor() to audit_app, audit_admin;

comment on function audit.names_actor() is 'Whether the user that this session names is believed: whether its login was granted audit_app';

create or replace function audit.sentence(p_action audit.action, p_old jsonb, p_new jsonb, p_context jsonb)
returns table (details text)
language sql stable parallel safe
begin atomic
-- A set-returning function is inlined into the query that reads the log, a scalar one with a subquery is not; and
-- keys expanded in a select list cost half of what jsonb_each_text costs in a FROM clause.
select case p_action
    when 'UPDATE' then pg_catalog.array_to_string(array(
        select pair.key || ': ' || audit.shown(p_old ->> pair.key) || ' ' || pg_catalog.chr(8594) || ' ' || audit.shown(p_new ->> pair.key)
        from (select pg_catalog.jsonb_object_keys(p_new) as key) as pair
        order by pair.key collate "C"
    ), '; ')
    when 'CREATE' then pg_catalog.array_to_string(array(
        select pair.key || ': ' || audit.shown(p_new ->> pair.key)
        from (select pg_catalog.jsonb_object_keys(p_new) as key) as pair
        where p_new ->> pair.key is not null
        order by pair.key collate "C"
    ), '; ')
    when 'DELETE' then pg_catalog.array_to_string(array(
        select pair.key || ': ' || audit.shown(p_old ->> pair.key)
        from (select pg_catalog.jsonb_object_keys(p_old) as key) as pair
        where p_old ->> pair.key is not null
        order by pair.key collate "C"
    ), '; ')
    when 'TRUNCATE' then 'all rows removed'
    when 'READ' then coalesce(p_context ->> 'summary', 'read')
    else coalesce(p_context ->> 'summary', 'recorded')
end;
end;

create or replace view audit.activity as
select
    event.event_id,
    event.occurred_at as created_on,
    event.ip as ip_address,
    coalesce(event.actor, 'System') as user_name,
    coalesce(case when target.target is null then event_type.label else target.label end, event.target) as target,
    event.target_id,
    event.action,
    (select sentence.details from audit.sentence(event.action, event.old_values, event.new_values, event.context) as sentence) as details,
    event.old_values,
    event.new_values,
    event.db_user,
    event.actor_kind,
    event.xact_id,
    event.context,
    event.actor,
    event.target as target_name
from audit.event as event
left join audit.target as target on target.target = event.target
left join audit.event_type as event_type on event_type.name = event.target;

comment on view audit.activity is 'The log as people read it: the label for the name, System for nobody, and a sentence of what happened';

comment on column audit.activity.target is 'The label of the table or event type, or its name';

create or replace function audit.history(p_target text, p_target_id text)
returns table (event_id bigint, occurred_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
-- One object has few events among very many: each step is a look-up in an index, never a pass over the log.
set enable_hashjoin = off
set enable_mergejoin = off
-- Compiling it for every partition takes seconds, the look-ups milliseconds.
set jit = off
as $auditctl$
    with recursive name as materialized (
        select n.target, n.since, n.until from audit.target_names(p_target) as n
    ),

    -- The keys the object has borne, each with the time it bore it.
    life as (
        select p_target_id as target_id, '-infinity'::timestamptz as since, 'infinity'::timestamptz as until
        union
        select step.target_id, step.since, step.until
        from life
        cross join lateral (
            -- Before it came to this key: from the last time a row came to the earlier one.
            select
                arrival.context ->> 'previous_target_id' as target_id,
                coalesce(
                    (
                        select max(birth.occurred_at)
                        from name
                        join audit.event as birth
                            on birth.target = name.target
                            and birth.target_id = arrival.context ->> 'previous_target_id'
                            and birth.occurred_at between name.since and name.until
                        where birth.occurred_at < arrival.occurred_at
                            and (birth.action = 'CREATE' or birth.context ? 'previous_target_id')
                    ), '-infinity'
                ) as since,
                arrival.occurred_at as until
            from name
            join audit.event as arrival
                on arrival.target = name.target
                and arrival.target_id = life.target_id
                and arrival.occurred_at between name.since and name.until
            where arrival.occurred_at between life.since and life.until
                and arrival.context ? 'previous_target_id'
            union all
            -- After it left this key: until the next time a row left the later one.
            select
                departure.target_id,
                departure.occurred_at,
                coalesce(
                    least(
                        (
                            select min(death.occurred_at)
                            from name
                            join audit.event as death
                                on death.target = name.target
                                and death.target_id = departure.target_id
                                and death.occurred_at between name.since and name.until
                            where death.occurred_at > departure.occurred_at and death.action = 'DELETE'
                        ),
                        (
                            select min(leaving.occurred_at)
                            from name
                            join audit.event as leaving
                                on leaving.target = name.target
                                and leaving.context ->> 'previous_target_id' = departure.target_id
                                and leaving.context ? 'previous_target_id'
                                and leaving.occurred_at between name.since and name.until
                            where leaving.occurred_at > departure.occurred_at
                        )
                    ), 'infinity'
                )
            from name
            join audit.event as departure
                on departure.target = name.target
                and departure.context ->> 'previous_target_id' = life.target_id
                and departure.context ? 'previous_target_id'
                and departure.occurred_at between name.since and name.until
            where departure.occurred_at between life.since and life.until
        ) as step
    ),

    own as (
        select e.event_id, e.occurred_at, e.action
        from life
        cross join name
        join audit.event as e
            on e.target = name.target
            and e.target_id = life.target_id
            and e.occurred_at between greatest(life.since, name.since) and least(life.until, name.until)
        union
        select e.event_id, e.occurred_at, e.action
        from life
        cross join name
        join audit.event as e
            on e.target = name.target
            and e.context ->> 'previous_target_id' = life.target_id
            and e.context ? 'previous_target_id'
            and e.occurred_at between greatest(life.since, name.since) and least(life.until, name.until)
    ),

    -- A truncate ends the life of a row that was there.
    ordered as (
        select
            seen.event_id, seen.occurred_at, seen.action,
            lag(seen.action) over (order by seen.occurred_at, seen.event_id) as before
        from (
            select o.event_id, o.occurred_at, o.action from own as o
            union all
            select e.event_id, e.occurred_at, e.action
            from name
            join audit.event as e
                on e.target = name.target and e.target_id is null and e.occurred_at between name.since and name.until
            where e.action = 'TRUNCATE' and e.occurred_at > (select min(o.occurred_at) from own as o)
        ) as seen
    )

    select o.event_id, o.occurred_at
    from ordered as o
    where o.action <> 'TRUNCATE' or o.before not in ('DELETE', 'TRUNCATE')
$auditctl$;

-- How much the log holds.

create function audit.statistics(
    p_partition regclass,
    p_since timestamptz default null,
    p_until timestamptz default null,
    p_targets text[] default null,
    p_actions audit.action[] default null,
    p_recent timestamptz default null,
    p_percent double precision default 100
)
returns table (
    target text, month text, action audit.action, events bigint, weight bigint, oldest timestamptz, newest timestamptz,
    recent_events bigint, recent_weight bigint, other_events bigint, other_weight bigint
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- One pass over one partition, which a reader cannot name in a query of its own. Sizes are taken without reading what
-- lies out of line: a row's header and its columns of fixed length are 68 bytes.
begin
    if not exists (select from pg_partition_tree('audit.event') as t where t.relid = p_partition and t.isleaf) then
        raise exception '% is no partition of the log', p_partition using errcode = 'invalid_parameter_value';
    end if;
    return query execute format(
        $query$
        select
            e.target, coalesce(to_char(e.month, 'YYYY-MM'), e.month::text), e.action,
            count(*) filter (where e.chosen), coalesce(sum(e.weight) filter (where e.chosen), 0)::bigint,
            min(e.occurred_at) filter (where e.chosen), max(e.occurred_at) filter (where e.chosen),
            count(*) filter (where e.chosen and e.occurred_at >= $5),
            coalesce(sum(e.weight) filter (where e.chosen and e.occurred_at >= $5), 0)::bigint,
            count(*) filter (where not e.chosen), coalesce(sum(e.weight) filter (where not e.chosen), 0)::bigint
        from (
            select
                r.target, r.action, r.occurred_at, date_trunc('month', r.occurred_at at time zone 'UTC') as month,
                ($1 is null or r.occurred_at >= $1) and ($2 is null or r.occurred_at < $2)
                and ($3 is null or r.target = any ($3)) and ($4 is null or r.action = any ($4)) as chosen,
                68 + pg_column_size(r.target) + pg_column_size(r.actor_kind) + pg_column_size(r.db_user)
                + coalesce(pg_column_size(r.actor), 0) + coalesce(pg_column_size(r.ip), 0)
                + coalesce(pg_column_size(r.target_id), 0) + coalesce(pg_column_size(r.context), 0)
                + coalesce(pg_column_size(r.old_values), 0) + coalesce(pg_column_size(r.new_values), 0) as weight
            from only %s as r %s
        ) as e
        group by e.target, e.month, e.action
        $query$,
        p_partition,
        case when p_percent < 100 then format('tablesample system (%s) repeatable (0)', p_percent) else '' end
    ) using p_since, p_until, p_targets, p_actions, p_recent;
end
$auditctl$;

revoke execute on function audit.statistics(
    regclass, timestamptz, timestamptz, text[], audit.action[], timestamptz, double precision
) from public;

grant execute on function audit.statistics(
    regclass, timestamptz, timestamptz, text[], audit.action[], timestamptz, double precision
) to audit_reader;

comment on function audit.statistics(regclass, timestamptz, timestamptz, text[], audit.action[], timestamptz, double precision) is
    'Counts the events of one partition, or of a sample of its pages, by target, month and action; weight is their bytes in the table, other is what is not asked for';

-- What the coverage guard refuses: DDL after which capture would no longer be complete.

create or replace function audit.trigger_faults(p_capture audit.capture, p_members regclass[])
returns table (relation regclass, fault text)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with site as (
        -- A partition's triggers call the functions of the whole.
        select c.oid, n.nspname, c.relname, c.relkind, c.relispartition and c.oid <> p_capture.relation as is_part
        from unnest(p_capture.relation::oid || p_members::oid[]) as m (oid)
        join pg_class as c on c.oid = m.oid
        join pg_namespace as n on n.oid = c.relnamespace
    ),

    wanted as (
        select s.oid, action, 'auditctl_' || lower(action::text) as trigger, f.name as function
        from site as whole
        cross join unnest(p_capture.actions) as action
        cross join lateral (select audit.function_name(whole.nspname, whole.relname, action) as name) as f
        join site as s on s.is_part or s.oid = whole.oid
        where whole.oid = p_capture.relation and action <> 'READ' and (s.relkind <> 'f' or action <> 'TRUNCATE')
        union all
        select s.oid, action, 'auditctl_' || lower(action::text), audit.function_name(s.nspname, s.relname, action)
        from site as s
        cross join unnest(p_capture.actions) as action
        where not s.is_part and s.oid <> p_capture.relation and action <> 'READ' and (s.relkind <> 'f' or action <> 'TRUNCATE')
    )

    select w.oid::regclass, fault.fault
    from wanted as w
    left join pg_trigger as t on t.tgrelid = w.oid and t.tgname = w.trigger
    left join pg_proc as p on p.oid = t.tgfoid
    left join pg_namespace as n on n.oid = p.pronamespace
    cross join lateral (
        select
            case
                when t.oid is null then format('trigger %s is gone', w.trigger)
                when t.tgenabled = 'D' then format('trigger %s is disabled', w.trigger)
                when t.tgenabled <> 'A' then format('trigger %s no longer fires ALWAYS', w.trigger)
                when n.nspname <> 'audit_triggers' or p.proname <> w.function then format('trigger %s calls another function', w.trigger)
                when t.tgtype <> case w.action when 'CREATE' then 5 when 'UPDATE' then 17 when 'DELETE' then 9 when 'TRUNCATE' then 32 end
                    or t.tgqual is not null or t.tgnargs > 0 or t.tgconstraint <> 0 or t.tgattr <> ''::int2vector
                    or t.tgoldtable is not null or t.tgnewtable is not null
                    then format('trigger %s is defined differently', w.trigger)
            end as fault
    ) as fault
    where fault.fault is not null
$auditctl$;

create or replace function audit.needs_trigger(p_relation oid, p_action audit.action) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL has no truncate triggers on foreign tables, and none for reads.
    select p_action <> 'READ' and (c.relkind <> 'f' or p_action <> 'TRUNCATE') from pg_class as c where c.oid = p_relation
$auditctl$;

create or replace function audit.take_in(p_member regclass, p_capture audit.capture) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_action audit.action;
    v_has_own constant boolean := audit.has_own_function(p_member);
    v_function text;
begin
    foreach v_action in array p_capture.actions loop
        continue when not audit.needs_trigger(p_member, v_action);
        if v_has_own then
            perform audit.write_function(p_member, p_capture, v_action);
        end if;
        continue when exists (select from pg_trigger as t where t.tgrelid = p_member and t.tgname = 'auditctl_' || lower(v_action::text));
        select audit.function_name(n.nspname, c.relname, v_action)
        into v_function
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.oid = case when v_has_own then p_member else p_capture.relation end;
        perform audit.put_trigger(p_member, v_action::text, v_function);
    end loop;
    if 'READ' = any (p_capture.actions) then
        perform audit.take_in_reading(p_member, p_capture);
    end if;
    return true;
exception when insufficient_privilege then
    raise warning '% is not audited yet: %', audit.registered_name(p_member), sqlerrm
        using hint = 'Run: auditctl apply';
    return false;
end
$auditctl$;

create or replace function audit.is_covered(p_capture audit.capture) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- By a rule of its own, or by the first glob that matches its name if that says the same. A glob with brackets or
    -- double quotes is taken for one that does not match: then the table gets a rule of its own.
    select exists (select from audit.rule as r where r.name = p_capture.target) or coalesce(
        (
            select (r.actions, r.exclude, r.mask, r.key, r.require_actor, r.read_query, r.read_force)
                = (
                    p_capture.actions, p_capture.exclude, p_capture.mask, p_capture.key, p_capture.require_actor,
                    p_capture.read_query, p_capture.read_force
                )
            from audit.rule as r
            cross join pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            cross join lateral (
                select replace(replace(replace(replace(replace(r.name, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_') as name
            ) as pattern
            where c.oid = p_capture.relation and audit.is_glob(r.name)
                and n.nspname like split_part(pattern.name, '.', 1) escape '!'
                and c.relname like split_part(pattern.name, '.', 2) escape '!'
            order by r.position, r.name
            limit 1
        ), false
    )
$auditctl$;

create or replace function audit.state_rule(p_capture audit.capture) returns audit.capture
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_stated audit.capture := p_capture;
    v_columns constant text[] := array(select c.name from audit.captured_columns(p_capture.relation) as c);
    v_exclude constant text[] := p_capture.exclude || p_capture.former_exclude;
    v_mask constant text[] := p_capture.mask || p_capture.former_mask;
begin
    -- A rule for one table names columns it has. What it hid stays hidden if a column of that name comes back.
    v_stated.exclude := audit.chosen(v_exclude, v_columns, true);
    v_stated.former_exclude := audit.chosen(v_exclude, v_columns, false);
    v_stated.mask := audit.chosen(v_mask, v_columns, true);
    v_stated.former_mask := audit.chosen(v_mask, v_columns, false);
    if audit.key_columns(p_capture.relation) <> '{}' or not p_capture.key <@ v_columns then
        v_stated.key := '{}';
    end if;
    update audit.rule as r
    set exclude = v_stated.exclude, mask = v_stated.mask, key = v_stated.key, set_by = session_user, set_at = now()
    where r.name = v_stated.target
        and (r.exclude, r.mask, r.key) is distinct from (v_stated.exclude, v_stated.mask, v_stated.key);
    if not exists (select from audit.rule as r where r.name = v_stated.target) then
        -- A glob covered the table; it says nothing about this name, or about these columns.
        insert into audit.rule (name, position, actions, exclude, mask, key, require_actor, read_query, read_force)
        select v_stated.target, coalesce(max(r.position) + 1, 0), v_stated.actions,
            v_stated.exclude, v_stated.mask, v_stated.key, v_stated.require_actor, v_stated.read_query, v_stated.read_force
        from audit.rule as r;
    end if;
    return v_stated;
end
$auditctl$;

-- Reads. PostgreSQL has no trigger for them: a policy of row security calls audit.record_read, once for each statement
-- and table. It leaves an event, and a line in the server's log, which stays where the event is rolled back.

create table audit.read_site (
    relation regclass not null,
    root regclass not null,
    target text not null,
    read_query boolean not null,
    read_force boolean not null,
    had_row_security boolean not null,
    had_force boolean not null,
    constraint read_site_pkey primary key (relation)
);

comment on table audit.read_site is 'Where the policies of reading are: one row for each audited table, and for each partition and child of one';

comment on column audit.read_site.relation is 'The table with the policies';

comment on column audit.read_site.root is 'The audited table: the same, or what it is a partition or child of';

comment on column audit.read_site.target is 'schema.table of the audited table, as its events carry it';

comment on column audit.read_site.read_query is 'Whether the query''s text is recorded';

comment on column audit.read_site.read_force is 'Whether the table''s owner is recorded, too';

comment on column audit.read_site.had_row_security is 'Whether row security is the table''s own, and stays when reading is no longer audited';

comment on column audit.read_site.had_force is 'Whether row security was forced on the owner before';

alter table audit.read_site enable row level security;

create policy read_site_is_read_by_whoever_may on audit.read_site for select using (true);

grant select on audit.read_site to audit_reader;

create table audit.log_key (
    inner_key bytea not null,
    outer_key bytea not null,
    mark_key bytea not null,
    made_at timestamptz not null default pg_catalog.now()
);

comment on table audit.log_key is 'One row of secrets, made at random when the store was installed. Nobody but audit_owner can read it';

comment on column audit.log_key.inner_key is 'Of lines in the server''s log: hashed before the line, with SHA-256';

comment on column audit.log_key.outer_key is 'Of lines in the server''s log: hashed before that hash, so that nobody can lengthen a line';

comment on column audit.log_key.mark_key is 'Of the setting that says which reads of a statement are recorded already';

comment on column audit.log_key.made_at is 'When the keys were made';

-- Nobody is granted anything, and members of pg_read_all_data hold every table's privileges: no policy lets them in.
alter table audit.log_key enable row level security;

create function audit.new_key() returns bytea
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Each has 122 random bits from the server's strong source.
    select sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
$auditctl$;

revoke execute on function audit.new_key() from public;

comment on function audit.new_key() is 'A secret of 32 random bytes';

insert into audit.log_key (inner_key, outer_key, mark_key) values (audit.new_key(), audit.new_key(), audit.new_key());

create function audit.query_text() returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_limit constant integer := 10240;
    v_text text := audit.readable(current_query());
begin
    v_text := left(v_text, v_limit);
    while octet_length(v_text) > v_limit loop
        v_text := left(v_text, length(v_text) - (octet_length(v_text) - v_limit + 3) / 4);
    end loop;
    return v_text;
end
$auditctl$;

revoke execute on function audit.query_text() from public;

comment on function audit.query_text() is 'The text that the client sent, cut at 10 kB between two characters';

create function audit.may_select(p_relation regclass) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A role may be gone that the session still acts as: by object id that is no error.
    select coalesce(has_any_column_privilege(session_user, p_relation, 'SELECT'), false)
        or coalesce(has_any_column_privilege(to_regrole(quote_ident(current_setting('role')))::oid, p_relation, 'SELECT'), false)
$auditctl$;

revoke execute on function audit.may_select(regclass) from public;

comment on function audit.may_select(regclass) is 'Whether the login, or the role it has set, may itself read anything of a table';

create function audit.identify_reader() returns audit.identity
language plpgsql volatile
as $auditctl$
-- The short ways of capture, and audit.identify() where they do not apply. Called by audit.insert_read only, whose
-- search_path is pinned.
declare
    v_who audit.identity;
    v_setting text;
begin
    if audit.is_application() then
        v_who.actor := audit.claimed_actor();
        v_who.actor_kind := case when v_who.actor is null then 'system' else 'application' end;
        v_who.ip := audit.claimed_ip();
    elsif audit.is_database() then
        v_who.actor := session_user;
        v_who.actor_kind := 'database';
        v_who.ip := inet_client_addr();
    else
        return audit.identify();
    end if;
    if audit.is_plain_session() then
        v_who.context := jsonb_object(array['application_name', current_setting('application_name')]);
    else
        v_setting := current_setting('auditctl.context', true);
        v_who.context := audit.context(v_setting);
    end if;
    return v_who;
exception when others then
    return audit.identify();
end
$auditctl$;

revoke execute on function audit.identify_reader() from public;

comment on function audit.identify_reader() is 'Who reads, as audit.identify() says it, at less cost for nearly all sessions; never raises';

create function audit.insert_read(
    p_relation regclass, p_target text, p_leaf text, p_query text, p_recorded boolean
) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_who constant audit.identity := audit.identify_reader();
    v_at constant timestamptz := clock_timestamp();
    v_about constant jsonb := jsonb_strip_nulls(
        jsonb_build_object(
            'leaf', p_leaf, 'query', p_query, 'indirect',
            -- The second is asked for the few whom the first denies.
            case
                when not has_any_column_privilege(session_user, p_relation, 'SELECT') and not audit.may_select(p_relation) then true
            end
        )
    );
    v_event_id bigint;
    v_line jsonb;
begin
    if p_recorded then
        insert into audit.event (occurred_at, actor, actor_kind, ip, target, action, context)
        values (
            v_at, v_who.actor, v_who.actor_kind, v_who.ip, p_target, 'READ',
            -- These keys are never an application's own.
            nullif((coalesce(v_who.context, '{}') - 'query') || v_about, '{}')
        )
        returning event_id into v_event_id;
    end if;
    v_line := jsonb_build_object(
        'v', 1, 'target', p_target, 'actor', v_who.actor, 'actor_kind', v_who.actor_kind, 'ip', v_who.ip,
        'db_user', session_user,
        'xact_id', case when p_recorded then pg_current_xact_id()::text else pg_current_xact_id_if_assigned()::text end,
        'at', to_char(v_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'recorded', p_recorded, 'event_id', v_event_id, 'leaf', p_leaf
    );
    return case when p_query is null then v_line else v_line || jsonb_build_object('query', p_query) end;
end
$auditctl$;

revoke execute on function audit.insert_read(regclass, text, text, text, boolean) from public;

comment on function audit.insert_read(regclass, text, text, text, boolean) is
    'Adds the event of a read where the transaction may write; returns what the line in the server''s log says';

create function audit.record_read(p_relation regclass) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- Anybody can call this, as policies run with the reader's rights. It takes nothing from the caller but the table.
declare
    v_recorded constant boolean := current_setting('transaction_read_only') = 'off';
    v_setting constant text := 'auditctl.read_' || p_relation::oid;
    v_site record;
    v_mark text;
    v_line jsonb;
begin
    select s.target, s.root::oid <> s.relation::oid as is_leaf, s.read_query, k.inner_key, k.outer_key, k.mark_key
    into v_site
    from audit.read_site as s
    cross join audit.log_key as k
    where s.relation = p_relation;
    if not found then
        return true;
    end if;
    -- A self-join, an UPDATE or an upsert asks several times. The setting is undone with the event by any rollback, and
    -- nobody can set it beforehand: it takes the key, for this session and this statement.
    v_mark := encode(
        sha256(
            v_site.mark_key || convert_to(
                concat_ws(' ', pg_backend_pid(), extract(epoch from statement_timestamp()), p_relation::oid, v_recorded), 'UTF8'
            )
        ), 'hex'
    );
    if current_setting(v_setting, true) = v_mark then
        return true;
    end if;
    v_line := audit.insert_read(
        p_relation, v_site.target, case when v_site.is_leaf then audit.registered_name(p_relation) end,
        case when v_site.read_query then audit.query_text() end, v_recorded
    );
    raise log 'auditctl read: %', v_line || jsonb_build_object(
        'mac', encode(sha256(v_site.outer_key || sha256(v_site.inner_key || convert_to(v_line::text, 'UTF8'))), 'hex')
    );
    perform set_config(v_setting, v_mark, true);
    return true;
end
$auditctl$;

grant execute on function audit.record_read(regclass) to public;

comment on function audit.record_read(regclass) is
    'Records that this statement reads a table, once; called by the policy auditctl_read. Always true; does nothing for a table whose reads are not audited';

create function audit.verify_read_line(p_json text) returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_line jsonb;
begin
    if octet_length(p_json) <= 262144 then
        v_line := p_json::jsonb;
    end if;
    -- A line is as it was written, to the byte: no key stands twice in it.
    return coalesce(
        jsonb_typeof(v_line) = 'object' and v_line::text = p_json and v_line ->> 'mac' = (
            select encode(sha256(k.outer_key || sha256(k.inner_key || convert_to((v_line - 'mac')::text, 'UTF8'))), 'hex')
            from audit.log_key as k
        ), false
    );
exception when others then
    return false;
end
$auditctl$;

revoke execute on function audit.verify_read_line(text) from public;

grant execute on function audit.verify_read_line(text) to audit_admin;

comment on function audit.verify_read_line(text) is
    'Whether the JSON of a line "auditctl read: ..." in the server''s log was written by audit.record_read of this database, and not by somebody with RAISE LOG';

-- Where reads are recorded: the state of the policies, and what the coverage guard does for them.

create function audit.read_faults(p_relation regclass) returns table (fault text)
language sql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
    with found as (
        select s.*, c.relrowsecurity, c.relforcerowsecurity
        from audit.read_site as s
        join pg_class as c on c.oid = s.relation
        where s.relation = p_relation
    ),

    wanted as (
        select f.relation, 'auditctl_read'::name as policy, 'r'::"char" as command, false as is_permissive,
            format('( SELECT audit.record_read(%L::regclass) AS record_read)', f.relation::text) as using_text, null::text as check_text
        from found as f
        union all
        select f.relation, 'auditctl_open', '*', true, 'true', 'true' from found as f where not f.had_row_security
    )

    select
        case
            when p.oid is null then format('policy %s is gone', w.policy)
            else format('policy %s is defined differently', w.policy)
        end
    from wanted as w
    left join pg_policy as p on p.polrelid = w.relation and p.polname = w.policy
    where p.oid is null
        or (p.polcmd, p.polpermissive, p.polroles) is distinct from (w.command, w.is_permissive, '{0}'::oid[])
        or pg_get_expr(p.polqual, p.polrelid) is distinct from w.using_text
        or pg_get_expr(p.polwithcheck, p.polrelid) is distinct from w.check_text
    union all
    select 'row security is off' from found as f where not f.relrowsecurity
    union all
    select 'row security is not forced on the owner' from found as f where f.read_force and not f.relforcerowsecurity
$auditctl$;

revoke execute on function audit.read_faults(regclass) from public;

grant execute on function audit.read_faults(regclass) to audit_reader;

comment on function audit.read_faults(regclass) is
    'What keeps the reads of a table from being recorded, or its rows from being seen as before: a phrase for each; nothing where its reads are not audited';

create function audit.own_policies(p_relation regclass, p_permissive boolean) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(p.polname::text order by p.polname), '{}')
    from pg_policy as p
    where p.polrelid = p_relation and p.polpermissive = p_permissive and p.polname not in ('auditctl_read', 'auditctl_open')
$auditctl$;

revoke execute on function audit.own_policies(regclass, boolean) from public;

grant execute on function audit.own_policies(regclass, boolean) to audit_reader;

comment on function audit.own_policies(regclass, boolean) is 'The policies of a table that are not auditctl''s: the permissive or the restrictive ones';

create function audit.register_read(
    p_relation regclass, p_root regclass, p_target text, p_query boolean, p_force boolean
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    delete from audit.read_site as s where not exists (select from pg_class as c where c.oid = s.relation);
    insert into audit.read_site (relation, root, target, read_query, read_force, had_row_security, had_force)
    select c.oid, p_root, p_target, p_query, p_force, c.relrowsecurity, c.relforcerowsecurity
    from pg_class as c
    where c.oid = p_relation
    on conflict (relation) do update
    set root = excluded.root, target = excluded.target, read_query = excluded.read_query, read_force = excluded.read_force;
$auditctl$;

revoke execute on function audit.register_read(regclass, regclass, text, boolean, boolean) from public;

comment on function audit.register_read(regclass, regclass, text, boolean, boolean) is
    'Before the policies are put on a table: from now on record_read knows it, and how its row security was is kept';

create function audit.yield_row_security(p_relation regclass) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    update audit.read_site set had_row_security = true where relation = p_relation and not had_row_security
$auditctl$;

revoke execute on function audit.yield_row_security(regclass) from public;

comment on function audit.yield_row_security(regclass) is
    'From now on row security is the table''s own: its policies decide who sees what, and it stays when reading is no longer audited';

create function audit.forget_read(p_relation regclass) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    delete from audit.read_site where relation = p_relation
$auditctl$;

revoke execute on function audit.forget_read(regclass) from public;

comment on function audit.forget_read(regclass) is 'After the policies are off a table: record_read does nothing for it any more';

create function audit.take_in_reading(p_member regclass, p_capture audit.capture) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_opens constant boolean := (select not c.relrowsecurity from pg_class as c where c.oid = p_member);
begin
    if (select c.relkind = 'f' from pg_class as c where c.oid = p_member) then
        return;
    end if;
    if v_opens and audit.own_policies(p_member, false) <> '{}' then
        raise exception 'its policy % would come into force', (audit.own_policies(p_member, false))[1]
            using errcode = 'insufficient_privilege';
    end if;
    perform audit.register_read(p_member, p_capture.relation, p_capture.target, p_capture.read_query, p_capture.read_force);
    if exists (select from audit.read_faults(p_member)) then
        perform audit.put_read_policy(p_member, p_capture.read_force);
    end if;
end
$auditctl$;

revoke execute on function audit.take_in_reading(regclass, audit.capture) from public;

comment on function audit.take_in_reading(regclass, audit.capture) is
    'Puts the policies of reading on a new partition or child; raises where the installing login may not, or a dormant policy forbids it';

create function audit.unseen_parent(p_relations regclass[]) returns table (relation regclass, parent regclass)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select i.inhrelid::regclass, i.inhparent::regclass
    from pg_inherits as i
    where i.inhrelid = any (p_relations::oid[]) and not exists (select from audit.read_site as s where s.relation = i.inhparent)
$auditctl$;

revoke execute on function audit.unseen_parent(regclass[]) from public;

comment on function audit.unseen_parent(regclass[]) is
    'Tables through which others can be read without an event: for a query of a parent, the parent''s policies alone count';

create function audit.renew_reading(p_capture audit.capture, p_members regclass[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_found record;
begin
    if not 'READ' = any (p_capture.actions) then
        return;
    end if;
    update audit.read_site set target = p_capture.target where root = p_capture.relation and target <> p_capture.target;
    -- Whoever drops the policy that lets everybody through means his own. Without one nobody means that all is hidden.
    update audit.read_site as s set had_row_security = true
    where s.relation = any (p_capture.relation || p_members) and not s.had_row_security
        and not exists (select from pg_policy as p where p.polrelid = s.relation and p.polname = 'auditctl_open')
        and audit.own_policies(s.relation, true) || audit.own_policies(s.relation, false) <> '{}';
    select site.relation, coalesce(fault.fault, 'its reads are not recorded') as fault
    into v_found
    from unnest(p_capture.relation || p_members) as site (relation)
    join pg_class as c on c.oid = site.relation and c.relkind <> 'f'
    left join audit.read_site as s on s.relation = site.relation
    left join lateral audit.read_faults(site.relation) as fault on true
    where s.relation is null or fault.fault is not null
    union all
    select u.relation, format('whoever reads %s reads it, too, and leaves no event', audit.registered_name(u.parent))
    from audit.unseen_parent(p_capture.relation || p_members) as u
    limit 1;
    if found then
        raise exception 'refused: reads of % are audited, and this would mean that %', audit.registered_name(v_found.relation), v_found.fault
            using errcode = 'UA003',
                hint = 'To stop recording reads, the login that installed auditctl, or a superuser, runs first: '
                    || audit.command_line('disable', p_capture.target) || ' --actions read. If it was so before: auditctl apply';
    end if;
end
$auditctl$;

revoke execute on function audit.renew_reading(audit.capture, regclass[]) from public;

comment on function audit.renew_reading(audit.capture, regclass[]) is
    'After DDL on a table whose reads are audited: follows its name, hands row security over, and raises UA003 on what would silence its reads';

create function audit.warn_of_open_policy(p_relations oid[], p_command text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_open record;
    v_is_meant constant boolean := p_command like '% POLICY' or current_query() ~* 'enable\s+row\s+level\s+security';
begin
    if not v_is_meant then
        return;
    end if;
    for v_open in
        select audit.registered_name(s.relation) as name, p.policy, p.is_permissive
        from audit.read_site as s
        join audit.capture as k on k.relation = s.root and k.being_changed_by is distinct from pg_current_xact_id()
        left join lateral (
            select own.polname as policy, own.polpermissive as is_permissive
            from pg_policy as own
            where own.polrelid = s.relation and own.polname not in ('auditctl_read', 'auditctl_open') and p_command like '% POLICY'
        ) as p on true
        where s.relation = any (p_relations) and not s.had_row_security and (p.policy is not null or p_command not like '% POLICY')
    loop
        raise warning '%', case
                when v_open.policy is null then format('row security of %s was on already, to record reads, and lets every row through', v_open.name)
                when v_open.is_permissive then format('policy %s has no effect: row security of %s is on to record reads, and lets every row through', v_open.policy, v_open.name)
                else format('policy %s is in force at once: row security of %s is on to record reads', v_open.policy, v_open.name)
            end
            using hint = format('For row security of its own: drop policy auditctl_open on %s. Its reads stay recorded.', v_open.name);
    end loop;
end
$auditctl$;

revoke execute on function audit.warn_of_open_policy(oid[], text) from public;

comment on function audit.warn_of_open_policy(oid[], text) is
    'Warns whoever gives a table row security of its own while auditctl''s policy lets every row through';

create function audit.policied_relations() returns oid[]
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array_agg(p.polrelid)
    from pg_event_trigger_ddl_commands() as command
    join pg_policy as p on p.oid = command.objid
    join audit.read_site as s on s.relation::oid = p.polrelid
    where command.classid = 'pg_policy'::regclass
$auditctl$;

revoke execute on function audit.policied_relations() from public;

comment on function audit.policied_relations() is 'The tables whose reads are audited and whose policies a DDL command was about; null for none. Inside an event trigger only';

create function audit.strayed_reads() returns oid[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(s.relation::oid), '{}')
    from audit.read_site as s
    join audit.capture as k on k.relation = s.root
    where k.being_changed_by is distinct from pg_current_xact_id() and exists (select from audit.read_faults(s.relation))
$auditctl$;

revoke execute on function audit.strayed_reads() from public;

comment on function audit.strayed_reads() is 'The tables whose reads are audited and that are not what audit.read_site says';

create or replace function audit.renew_members(p_before audit.capture, p_now audit.capture) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_stayed constant regclass[] := array(select m from unnest(p_before.members) as m where m = any (p_now.members));
    v_complete regclass[] := v_stayed;
    v_changes jsonb := '[]';
    v_member regclass;
    v_action audit.action;
begin
    -- Those that were complete before must be so still, with functions made anew; then the new ones are taken in.
    for v_member in
        select c.oid::regclass
        from pg_class as c
        where c.oid = any (p_now.relation::oid || v_stayed::oid[]) and (c.oid = p_now.relation or not c.relispartition)
    loop
        foreach v_action in array p_now.actions loop
            if exists (select from pg_trigger as t where t.tgrelid = v_member and t.tgname = 'auditctl_' || lower(v_action::text)) then
                perform audit.write_function(v_member, p_now, v_action);
            end if;
        end loop;
    end loop;
    for v_member in select m from unnest(p_now.members) as m where m <> all (v_stayed) loop
        if audit.take_in(v_member, p_now) then
            v_complete := v_complete || v_member;
        end if;
        v_changes := v_changes || jsonb_build_object('joined', audit.registered_name(v_member));
    end loop;
    perform audit.require_triggers(p_now, v_complete);
    perform audit.renew_reading(p_now, v_complete);
    for v_member in
        select m
        from unnest(p_before.members) as m
        where m <> all (v_stayed) and audit.registered_name(m) is not null and audit.audited_through(m) is null
    loop
        v_changes := v_changes || jsonb_build_object('left', audit.registered_name(v_member));
        raise warning '% is no longer audited', audit.registered_name(v_member)
            using hint = 'To audit it by itself: ' || audit.command_line('enable', audit.registered_name(v_member));
    end loop;
    return v_changes;
end
$auditctl$;

create or replace function audit.watch_ddl(p_command text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
as $auditctl$
declare
    v_relations oid[];
    v_capture record;
begin
    if p_command in ('COMMENT', 'SECURITY LABEL', 'CREATE INDEX', 'GRANT', 'REVOKE', 'CREATE STATISTICS') then
        return;
    end if;
    v_relations := case when p_command like '% POLICY' then audit.policied_relations() else audit.changed_relations() end;
    -- Inside REFRESH, PostgreSQL does not tell what commands were about.
    if v_relations is null and p_command in (
        'ALTER TABLE', 'ALTER TRIGGER', 'ALTER RULE', 'ALTER SCHEMA', 'ALTER INDEX', 'CREATE TRIGGER', 'CREATE RULE',
        'REFRESH MATERIALIZED VIEW'
    ) then
        v_relations := audit.strayed_captures() || audit.strayed_reads();
    end if;
    if v_relations is null or v_relations = '{}' then
        return;
    end if;
    perform audit.require_fresh_snapshot();
    perform audit.warn_of_open_policy(v_relations, p_command);
    for v_capture in
        select k.relation, k.target
        from audit.capture as k
        where k.being_changed_by is distinct from pg_current_xact_id()
            and (k.relation::oid in (select audit.kin(v_relations)) or k.members::oid[] && v_relations)
        order by k.relation
    loop
        if p_command = 'ALTER SCHEMA' then
            perform audit.follow_schema(v_capture.relation, v_capture.target);
        end if;
        perform audit.renew_capture(v_capture.relation, p_command, '[]');
    end loop;
    for v_capture in
        select distinct r.old_target as former, k.target
        from pg_class as c
        join audit.rename as r on r.old_target = audit.registered_name(c.oid)
        join audit.capture as k on k.target = r.new_target
        where c.oid = any (v_relations) and c.relkind in ('r', 'p', 'f') and audit.audited_through(c.oid) is null
    loop
        raise warning '% now names a table that is not audited; the audited one is %', v_capture.former, v_capture.target
            using hint = 'To audit it: ' || audit.command_line('enable', v_capture.former);
    end loop;
end
$auditctl$;

create or replace function audit.watch_drop(p_command text) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
as $auditctl$
declare
    v_dropped record;
    v_relations oid[] := '{}';
    v_gone jsonb := '[]';
    v_relation regclass;
begin
    if not exists (
        select from pg_event_trigger_dropped_objects() as d where d.object_type in ('trigger', 'policy') or d.classid = 'pg_class'::regclass
    ) then
        return;
    end if;
    perform audit.require_fresh_snapshot();
    for v_dropped in
        select d.objid, d.objsubid, d.object_type, d.object_identity, d.address_names, k.target,
            k.being_changed_by is distinct from pg_current_xact_id() as is_guarded
        from pg_event_trigger_dropped_objects() as d
        left join audit.capture as k on d.classid = 'pg_class'::regclass and d.objsubid = 0 and k.relation = d.objid
        where d.object_type = 'trigger' or d.classid = 'pg_class'::regclass
            or d.object_type = 'policy' and d.address_names[3] in ('auditctl_read', 'auditctl_open')
    loop
        if v_dropped.object_type in ('trigger', 'policy') then
            v_relations := v_relations || array(
                select c.oid
                from pg_class as c
                join pg_namespace as n on n.oid = c.relnamespace
                where n.nspname = v_dropped.address_names[1] and c.relname = v_dropped.address_names[2]
            );
        elsif v_dropped.objsubid > 0 then
            v_relations := v_relations || v_dropped.objid;
        elsif v_dropped.target is not null and v_dropped.is_guarded then
            raise exception 'refused: % is audited', v_dropped.target
                using errcode = 'UA003', hint = audit.how_to_stop(v_dropped.target);
        elsif exists (select from audit.capture as k where v_dropped.objid = any (k.members::oid[])) then
            v_relations := v_relations || array(
                select k.relation::oid from audit.capture as k where v_dropped.objid = any (k.members::oid[])
            );
            v_gone := v_gone || jsonb_build_object('gone', v_dropped.object_identity);
        end if;
    end loop;
    -- ALTER TABLE is looked at when it is done.
    if p_command like 'ALTER %' or v_relations = '{}' then
        return;
    end if;
    for v_relation in
        select k.relation
        from audit.capture as k
        where k.being_changed_by is distinct from pg_current_xact_id() and k.relation::oid in (select audit.kin(v_relations))
        order by k.relation
    loop
        perform audit.renew_capture(v_relation, p_command, v_gone);
    end loop;
end
$auditctl$;

-- What was read of the server's log: each line counts once, and each file is read on from where it ended.

create table audit.read_line (
    line_key uuid not null,
    logged_at timestamptz not null,
    waiting jsonb,
    constraint read_line_pkey primary key (line_key)
);

comment on table audit.read_line is 'One row for each read that was taken from the server''s log, so that no line counts twice';

comment on column audit.read_line.line_key is 'Names the read: session, statement and table of a line of pgaudit, or the keyed hash of a line of auditctl''s own';

comment on column audit.read_line.logged_at is 'When the line was written';

comment on column audit.read_line.waiting is 'The read whose transaction had not ended when its line was found; null once that is known';

create index read_line_waiting_idx on audit.read_line (logged_at) where waiting is not null;

grant select on audit.read_line to audit_reader;

alter table audit.read_line enable row level security;

create policy read_line_is_read_by_whoever_may on audit.read_line for select using (true);

create table audit.log_file (
    fingerprint text not null,
    name text not null,
    format text not null,
    position bigint not null,
    line bigint not null,
    tail text not null,
    size bigint not null,
    read_by text not null default session_user,
    read_at timestamptz not null default pg_catalog.now(),
    constraint log_file_pkey primary key (fingerprint),
    constraint log_file_position_is_not_negative check (position >= 0)
);

comment on table audit.log_file is 'How far each file of the server''s log was read; a file that is renamed or compressed stays the same';

comment on column audit.log_file.fingerprint is 'SHA-256 of the first line, which no two files share';

comment on column audit.log_file.name is 'The file''s name when it was read last, without its folder';

comment on column audit.log_file.format is 'jsonlog or csvlog';

comment on column audit.log_file.position is 'How many bytes of it are done, as they are when it is not compressed';

comment on column audit.log_file.line is 'How many lines that is';

comment on column audit.log_file.tail is 'SHA-256 of the bytes before the position: another there means another file, which is read from its start';

comment on column audit.log_file.size is 'Size on disk when it was read to its end; -1 where it was not';

comment on column audit.log_file.read_by is 'The login that read it last';

comment on column audit.log_file.read_at is 'When it was read last';

grant select on audit.log_file to audit_reader;

alter table audit.log_file enable row level security;

create policy log_file_is_read_by_whoever_may on audit.log_file for select using (true);

create table audit.import_horizon (
    pruned_before timestamptz not null
);

comment on table audit.import_horizon is 'One row, which each batch of an import locks: one batch is stored at a time';

comment on column audit.import_horizon.pruned_before is 'Lines written before are not imported any more: what was read of them is forgotten';

insert into audit.import_horizon (pruned_before) values ('-infinity');

grant select on audit.import_horizon to audit_reader;

alter table audit.import_horizon enable row level security;

create policy import_horizon_is_read_by_whoever_may on audit.import_horizon for select using (true);

create function audit.line_key(p_name text) returns uuid
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select left(encode(sha256(convert_to(p_name, 'UTF8')), 'hex'), 32)::uuid
$auditctl$;

revoke execute on function audit.line_key(text) from public;

comment on function audit.line_key(text) is 'The key of audit.read_line for what names a read';

create function audit.lock_import() returns timestamptz
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- An older snapshot would not show the event of a read that is committed, and the read would count twice.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'an import needs transactions that read what is committed'
            using errcode = 'feature_not_supported', hint = 'Run it with: set default_transaction_isolation = ''read committed''';
    end if;
    return (select h.pruned_before from audit.import_horizon as h for update);
end
$auditctl$;

revoke execute on function audit.lock_import() from public;

comment on function audit.lock_import() is 'Waits until no other batch is being stored; returns before when lines are too old';

create function audit.prune_read_lines(p_before timestamptz) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_pruned bigint;
begin
    perform audit.lock_import();
    -- Else a file that is read again would bring back reads that retention has removed, or double others.
    update audit.import_horizon set pruned_before = greatest(pruned_before, p_before);
    delete from audit.read_line where logged_at < p_before and waiting is null;
    get diagnostics v_pruned = row_count;
    delete from audit.log_file where read_at < p_before;
    return v_pruned;
end
$auditctl$;

revoke execute on function audit.prune_read_lines(timestamptz) from public;

comment on function audit.prune_read_lines(timestamptz) is
    'Forgets which lines before a time were imported, and imports none of that time from then on; returns how many; for retention, which removes the events of that time';

-- Reads from the server's log into events. What a line says is trusted as far as the login that imports it, which the
-- event names; lines of auditctl's own carry a keyed hash and are trusted for themselves.

create function audit.imported_context(p_context jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Some keys mean something to whoever reads the log, and no line of the server's tells them.
    -- Whatever is given, the login is named.
    select jsonb_strip_nulls(
        case when jsonb_typeof(p_context) = 'object' then p_context else '{}' end
        - '{summary,previous_target_id,claimed_actor,claimed_ip,role,partition}'::text[]
        || jsonb_build_object('imported_by', session_user)
    )
$auditctl$;

revoke execute on function audit.imported_context(jsonb) from public;

comment on function audit.imported_context(jsonb) is 'What the event of an imported read says beside the read, with the login that imports it';

create function audit.insert_imported_read(p_read jsonb, p_context jsonb) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    insert into audit.event (occurred_at, actor, actor_kind, ip, db_user, target, action, context)
    select
        (p_read ->> 'at')::timestamptz, p_read ->> 'actor', p_read ->> 'actor_kind', audit.parse_ip(p_read ->> 'ip'),
        p_read ->> 'db_user', p_read ->> 'target', 'READ',
        audit.imported_context(p_context)
$auditctl$;

revoke execute on function audit.insert_imported_read(jsonb, jsonb) from public;

comment on function audit.insert_imported_read(jsonb, jsonb) is 'Adds the event of one read that a line of the server''s log tells of; the owner''s alone';

create function audit.importable_reads(p_lines jsonb, p_horizon timestamptz)
returns table (number bigint, line_key uuid, logged_at timestamptz, is_told boolean, line jsonb)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select l.number, audit.line_key(l.line ->> 'key'), (l.line ->> 'at')::timestamptz, (l.line ->> 'is_told')::boolean, l.line
    from jsonb_array_elements(p_lines) with ordinality as l (line, number)
    where (l.line ->> 'at')::timestamptz between greatest(p_horizon, '2000-01-01') and now() + interval '1 day'
        -- auditctl alone records under these names.
        and l.line ->> 'target' !~* '^"?audit(_triggers)?"?([.]|$)'
        -- A read that auditctl's own line tells of is known by that line's hash, which audit.import_own_reads takes.
        and l.line ->> 'key' !~ '^auditctl '
$auditctl$;

revoke execute on function audit.importable_reads(jsonb, timestamptz) from public;

comment on function audit.importable_reads(jsonb, timestamptz) is
    'The lines of a batch that may become events: of a plausible time that retention has not removed, and of no target of auditctl''s own';

create function audit.import_reads(p_lines jsonb) returns table (outcome text, lines bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $auditctl$
declare
    v_horizon constant timestamptz := audit.lock_import();
begin
    -- The planner knows nothing of a batch's size, and must not compare each line with each.
    return query
    with line as materialized (
        select * from audit.importable_reads(p_lines, v_horizon)
    ),
    claimed as (
        insert into audit.read_line (line_key, logged_at)
        select l.line_key, min(l.logged_at) from line as l group by l.line_key
        on conflict do nothing
        returning read_line.line_key
    ),
    first as (
        select distinct on (l.line_key) l.number, l.line
        from line as l
        join claimed on claimed.line_key = l.line_key
        where not l.is_told
        order by l.line_key, l.number
    ),
    made as (
        insert into audit.event (occurred_at, actor, actor_kind, ip, db_user, target, action, context)
        select
            (f.line ->> 'at')::timestamptz, f.line ->> 'login', 'database', (f.line ->> 'host')::inet, f.line ->> 'login',
            f.line ->> 'target', 'READ', audit.imported_context(f.line -> 'context')
        from first as f
        order by f.number
        returning 1
    )
    select 'made', (select count(*) from made)
    union all
    select 'recorded', (select count(*) from line as l where l.is_told)
    union all
    select 'expired', jsonb_array_length(p_lines) - (select count(*) from line);
end
$auditctl$;

revoke execute on function audit.import_reads(jsonb) from public;

grant execute on function audit.import_reads(jsonb) to audit_admin;

comment on function audit.import_reads(jsonb) is
    'Makes events of reads that the server''s log tells of, each once, under the name of who imports them; returns how many lines became what';

create function audit.is_own_read(p_json text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select case when audit.verify_read_line(p_json) then p_json::jsonb ->> 'v' = '1' else false end
$auditctl$;

revoke execute on function audit.is_own_read(text) from public;

comment on function audit.is_own_read(text) is 'Whether auditctl itself wrote the line, with this database''s key and in a form that is known';

create function audit.is_in_progress(p_xact_id xid8) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- One of the future is from before the database was restored, or from another server.
    select case
        when p_xact_id < pg_snapshot_xmax(pg_current_snapshot()) then coalesce(pg_xact_status(p_xact_id) = 'in progress', false)
        else false
    end
$auditctl$;

revoke execute on function audit.is_in_progress(xid8) from public;

comment on function audit.is_in_progress(xid8) is 'Whether a transaction has not ended; prepared ones have not';

create function audit.settle_read(p_read jsonb, p_context jsonb) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_at constant timestamptz := p_read ->> 'at';
    v_event_id constant bigint := p_read ->> 'event_id';
    v_xact_id constant xid8 := p_read ->> 'xact_id';
    v_is_recorded constant boolean := coalesce((p_read ->> 'recorded')::boolean, false);
begin
    if v_is_recorded then
        if audit.is_in_progress(v_xact_id) then
            return 'waiting';
        end if;
        if exists (select from audit.event as e where e.occurred_at = v_at and e.event_id = v_event_id)
            or exists (select from audit.event as e where e.event_id = v_event_id and e.xact_id = v_xact_id and e.action = 'READ')
        then
            return 'recorded';
        end if;
    end if;
    perform audit.insert_imported_read(
        p_read, case when jsonb_typeof(p_context) = 'object' then p_context else '{}' end || jsonb_build_object(
            'leaf', p_read -> 'leaf', 'query', p_read -> 'query', 'rolled_back', case when v_is_recorded then true end,
            'transaction', v_xact_id::text
        )
    );
    return 'made';
end
$auditctl$;

revoke execute on function audit.settle_read(jsonb, jsonb) from public;

comment on function audit.settle_read(jsonb, jsonb) is
    'Makes the event of a read that auditctl wrote into the server''s log, unless the log has it: made, recorded, or waiting while its transaction runs';

create function audit.import_own_reads(p_lines jsonb) returns table (number integer, outcome text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_horizon constant timestamptz := audit.lock_import();
    v_line jsonb;
    v_read jsonb;
    v_key uuid;
begin
    for number, v_line in
        select l.number, l.line from jsonb_array_elements(p_lines) with ordinality as l (line, number) order by l.number
    loop
        outcome := 'known';
        if not audit.is_own_read(v_line ->> 'json') then
            outcome := 'forged';
        else
            v_read := (v_line ->> 'json')::jsonb;
            if (v_read ->> 'at')::timestamptz < v_horizon then
                outcome := 'expired';
            else
                -- The hash covers all that the line says: whoever writes the same line again adds no read.
                v_key := audit.line_key('auditctl ' || (v_read ->> 'mac'));
                insert into audit.read_line (line_key, logged_at) values (v_key, (v_read ->> 'at')::timestamptz)
                on conflict do nothing;
                if found then
                    outcome := audit.settle_read(v_read, v_line -> 'context');
                    if outcome = 'waiting' then
                        update audit.read_line
                        set waiting = jsonb_build_object('read', v_read, 'context', v_line -> 'context')
                        where line_key = v_key;
                    end if;
                end if;
            end if;
        end if;
        return next;
    end loop;
end
$auditctl$;

revoke execute on function audit.import_own_reads(jsonb) from public;

grant execute on function audit.import_own_reads(jsonb) to audit_admin;

comment on function audit.import_own_reads(jsonb) is
    'Makes events of reads that auditctl wrote into the server''s log and that the log lacks, such as those of transactions that were rolled back; returns what became of each line';

create function audit.settle_reads() returns table (outcome text, lines bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform audit.lock_import();
    return query
    with settled as (
        select r.line_key, audit.settle_read(r.waiting -> 'read', r.waiting -> 'context') as outcome
        from audit.read_line as r
        where r.waiting is not null
    ),
    done as (
        update audit.read_line as r
        set waiting = null
        from settled
        where settled.line_key = r.line_key and settled.outcome <> 'waiting'
    )
    select s.outcome, count(*) from settled as s group by s.outcome;
end
$auditctl$;

revoke execute on function audit.settle_reads() from public;

grant execute on function audit.settle_reads() to audit_admin;

comment on function audit.settle_reads() is 'Makes up for reads whose transaction ran when their line was imported; returns how many became what';

create function audit.note_log_file(
    p_fingerprint text, p_name text, p_format text, p_position bigint, p_line bigint, p_tail text, p_size bigint
) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    insert into audit.log_file as f (fingerprint, name, format, position, line, tail, size)
    values (p_fingerprint, p_name, p_format, p_position, p_line, p_tail, p_size)
    on conflict (fingerprint) do update
    set name = excluded.name, position = excluded.position, line = excluded.line, tail = excluded.tail, size = excluded.size,
        read_by = session_user, read_at = now()
$auditctl$;

revoke execute on function audit.note_log_file(text, text, text, bigint, bigint, text, bigint) from public;

grant execute on function audit.note_log_file(text, text, text, bigint, bigint, text, bigint) to audit_admin;

comment on function audit.note_log_file(text, text, text, bigint, bigint, text, bigint) is
    'Keeps how far a file of the server''s log was read, in the transaction that stores what was read';

create function audit.record_import(p_data jsonb, p_summary text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if octet_length(p_data::text) > 65536 or octet_length(p_summary) > 1000 then
        raise exception 'an import''s description is limited to 64 kB' using errcode = 'invalid_parameter_value';
    end if;
    return audit.insert_event('audit.import', null, 'EVENT', null, p_data, p_summary);
end
$auditctl$;

revoke execute on function audit.record_import(jsonb, text) from public;

grant execute on function audit.record_import(jsonb, text) to audit_admin;

comment on function audit.record_import(jsonb, text) is 'Records that the caller imports the server''s log; returns the event_id';

-- How long events are kept. What was stated before still counts for a while, so that others notice a shorter time.

create table audit.retention (
    retention_id bigint generated always as identity,
    target text not null,
    keep text,
    set_by text not null default session_user,
    since timestamptz not null default pg_catalog.now(),
    until timestamptz,
    constraint retention_pkey primary key (retention_id),
    constraint retention_target_is_not_empty check (target <> ''),
    constraint retention_keep_is_a_time check (keep ~ '^[1-9][0-9]{0,5} (day|week|month|year)s?$'),
    constraint retention_ends_after_its_start check (until >= since)
);

comment on table audit.retention is 'How long events are kept, as it was ever stated; the longest time that names a target is in force';

comment on column audit.retention.retention_id is 'Identity';

comment on column audit.retention.target is 'A target or a glob over targets; * for every event';

comment on column audit.retention.keep is 'Such as 400 days; null for ever';

comment on column audit.retention.set_by is 'The login that stated it';

comment on column audit.retention.since is 'When it was stated';

comment on column audit.retention.until is 'When something else was stated instead; null while it holds';

create unique index retention_target_idx on audit.retention (target) where until is null;

grant select on audit.retention to audit_reader;

alter table audit.retention enable row level security;

create policy retention_is_read_by_whoever_may on audit.retention for select using (true);

-- Until somebody says otherwise.
insert into audit.retention (target) values ('*');

create function audit.guard_retention() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if tg_op = 'INSERT' then
        new.set_by := session_user;
        -- By the clock, and not when the transaction began: else one that waits for days would leave no time to notice.
        new.since := clock_timestamp();
        new.until := null;
        return new;
    end if;
    if tg_op = 'UPDATE' and old.until is null and new.until is not null
        and to_jsonb(new) - 'until' = to_jsonb(old) - 'until'
    then
        new.until := clock_timestamp();
        return new;
    end if;
    raise exception '% on %.% refused: what was stated stays on record', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'State another time with: select audit.set_retention(target, keep)';
end
$auditctl$;

revoke execute on function audit.guard_retention() from public;

comment on function audit.guard_retention() is 'Lets a statement about keeping be made and ended, now and by whoever does it, and nothing else';

create function audit.record_statement() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- For audit.retention and audit.hold: the column that names the object is the trigger's argument.
begin
    perform audit.insert_event(
        format('%s.%s', tg_table_schema, tg_table_name),
        to_jsonb(new) ->> tg_argv[0],
        case tg_op when 'INSERT' then 'CREATE' else 'UPDATE' end::audit.action,
        case when tg_op = 'UPDATE' then to_jsonb(old) end,
        to_jsonb(new),
        null
    );
    return null;
end
$auditctl$;

revoke execute on function audit.record_statement() from public;

comment on function audit.record_statement() is 'Records what is stated about keeping events, whoever states it and however';

create trigger retention_guarded before insert or update or delete on audit.retention
for each row execute function audit.guard_retention();

create trigger retention_guarded_statement before truncate on audit.retention
for each statement execute function audit.guard_retention();

create trigger retention_recorded after insert or update on audit.retention
for each row execute function audit.record_statement('target');

alter table audit.retention enable always trigger retention_guarded;

alter table audit.retention enable always trigger retention_guarded_statement;

alter table audit.retention enable always trigger retention_recorded;

create function audit.retention_grace() returns interval
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select interval '7 days'
$auditctl$;

revoke execute on function audit.retention_grace() from public;

grant execute on function audit.retention_grace() to audit_reader;

comment on function audit.retention_grace() is 'How long a longer time still counts after a shorter one was stated';

create function audit.target_pattern(p_glob text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What is special in a regular expression, but not in a glob; brackets too, unless they enclose a choice.
    select
        '^' || replace(replace(replace(
            regexp_replace(
                p_glob,
                case when p_glob ~ '^([^][]|\[[^][]+\])*$' then '([\\.+(){}^$|])' else '([][\\.+(){}^$|])' end,
                '\\\1', 'g'
            ), '[!', '[^'
        ), '*', '.*'), '?', '.') || '$'
$auditctl$;

revoke execute on function audit.target_pattern(text) from public;

grant execute on function audit.target_pattern(text) to audit_reader;

comment on function audit.target_pattern(text) is 'The regular expression of a glob over targets: *, ?, [abc] and [!abc]';

create function audit.kindred_targets(p_target text) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive kin as (
        select p_target as target
        union
        select case when r.old_target = k.target then r.new_target else r.old_target end
        from kin as k
        join audit.rename as r on k.target in (r.old_target, r.new_target)
    )

    select k.target from kin as k
$auditctl$;

revoke execute on function audit.kindred_targets(text) from public;

grant execute on function audit.kindred_targets(text) to audit_reader;

comment on function audit.kindred_targets(text) is 'A target with every name that its table had before or since, whenever that was';

create function audit.is_meant(p_glob text, p_target text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select exists (
        select from audit.kindred_targets(p_target) as k (target) where k.target = p_glob or k.target ~ audit.target_pattern(p_glob)
    )
$auditctl$;

revoke execute on function audit.is_meant(text, text) from public;

grant execute on function audit.is_meant(text, text) to audit_reader;

comment on function audit.is_meant(text, text) is 'Whether a target, under any name its table ever had, is what a name or glob means';

create function audit.kept_since(p_target text) returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- The longest time counts: of those that mean the target, for auditctl's own events of all.
    select
        coalesce(
            min(
                case
                    when r.keep is null then '-infinity'::timestamptz
                    else (now() at time zone 'UTC' - r.keep::interval) at time zone 'UTC'
                end
            ) filter (where r.target = '*' or p_target like 'audit.%' or audit.is_meant(r.target, p_target)), '-infinity'
        )
    from audit.retention as r
    where (r.until is null or r.until > now() - audit.retention_grace())
        and exists (select from audit.retention as whole where whole.target = '*' and whole.until is null)
$auditctl$;

revoke execute on function audit.kept_since(text) from public;

grant execute on function audit.kept_since(text) to audit_reader;

comment on function audit.kept_since(text) is 'From when on a target''s events must be kept now; -infinity for all of them';

create function audit.set_retention(p_target text, p_keep text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_keep text := nullif(lower(btrim(p_keep)), 'forever');
    v_now audit.retention;
begin
    if coalesce(p_target, '') = '' or octet_length(p_target) > 500 then
        raise exception 'a target has 1 to 500 bytes'
            using errcode = 'invalid_parameter_value', hint = 'Name a target or a glob over targets, or * for every event.';
    end if;
    if v_keep !~ '^[1-9][0-9]{0,5} (day|week|month|year)s?$' then
        raise exception 'no time to keep events: %', to_json(p_keep)
            using errcode = 'invalid_parameter_value', hint = 'Write days, weeks, months or years, such as 400 days, or forever.';
    end if;
    -- No time goes back further than 4713 BC.
    if v_keep::interval > interval '5000 years' then
        raise exception 'too long a time to keep events: %', to_json(p_keep)
            using errcode = 'invalid_parameter_value', hint = 'To keep everything, write forever.';
    end if;
    perform '' ~ audit.target_pattern(p_target);
    if p_keep is null and p_target = '*' then
        v_keep := null;
    end if;
    lock table audit.retention in share row exclusive mode;
    select r.* into v_now from audit.retention as r where r.target = p_target and r.until is null;
    if found and v_now.keep is not distinct from v_keep and (p_keep is not null or p_target = '*')
        or v_now.retention_id is null and p_keep is null and p_target <> '*'
    then
        return false;
    end if;
    update audit.retention set until = now() where retention_id = v_now.retention_id;
    if p_keep is not null or p_target = '*' then
        insert into audit.retention (target, keep) values (p_target, v_keep);
    end if;
    return true;
end
$auditctl$;

revoke execute on function audit.set_retention(text, text) from public;

grant execute on function audit.set_retention(text, text) to audit_admin;

comment on function audit.set_retention(text, text) is
    'States how long a target''s events are kept, such as 400 days or forever; null takes its own time away. Returns whether anything changed';

-- Legal holds: events that no retention run may delete, until the hold is released.

create table audit.hold (
    hold_id bigint generated always as identity,
    target text not null,
    target_id text,
    reason text not null,
    placed_by text not null default session_user,
    placed_at timestamptz not null default pg_catalog.now(),
    released_by text,
    released_at timestamptz,
    release_reason text,
    constraint hold_pkey primary key (hold_id),
    constraint hold_target_is_not_empty check (target <> ''),
    constraint hold_has_a_reason check (reason ~ '\S'),
    constraint hold_is_released_whole check (
        (released_at is null) = (released_by is null) and (released_at is null) = (release_reason is null)
    ),
    constraint hold_is_released_for_a_reason check (release_reason ~ '\S')
);

comment on table audit.hold is 'Legal holds: what is held, by whom, why, and since when no more';

comment on column audit.hold.hold_id is 'Identity';

comment on column audit.hold.target is 'A target, or a glob over targets; every name its table ever had is held with it';

comment on column audit.hold.target_id is 'The object, whose whole history is held; null for all of the target';

comment on column audit.hold.reason is 'Why, such as the case it is for';

comment on column audit.hold.placed_by is 'The login that placed it';

comment on column audit.hold.placed_at is 'When';

comment on column audit.hold.released_by is 'The login that released it; null while it holds';

comment on column audit.hold.released_at is 'When it was released';

comment on column audit.hold.release_reason is 'Why it was released';

grant select on audit.hold to audit_reader;

alter table audit.hold enable row level security;

create policy hold_is_read_by_whoever_may on audit.hold for select using (true);

create function audit.guard_hold() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_release constant text[] := array['released_by', 'released_at', 'release_reason'];
begin
    if tg_op = 'INSERT' then
        new.placed_by := session_user;
        -- By the clock, and not when the transaction began: else one that waits for days would leave no time to notice.
        new.placed_at := clock_timestamp();
        new.released_by := null;
        new.released_at := null;
        new.release_reason := null;
        return new;
    end if;
    if tg_op = 'UPDATE' and old.released_at is null and new.release_reason is not null
        and to_jsonb(new) - v_release = to_jsonb(old) - v_release
    then
        new.released_by := session_user;
        new.released_at := clock_timestamp();
        return new;
    end if;
    raise exception '% on %.% refused: a hold can only be placed and released', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Release it with: auditctl hold release HOLD_ID --reason TEXT';
end
$auditctl$;

revoke execute on function audit.guard_hold() from public;

comment on function audit.guard_hold() is 'Lets a hold be placed and released, now and by whoever does it, and nothing else';

create trigger hold_guarded before insert or update or delete on audit.hold
for each row execute function audit.guard_hold();

create trigger hold_guarded_statement before truncate on audit.hold
for each statement execute function audit.guard_hold();

create trigger hold_recorded after insert or update on audit.hold
for each row execute function audit.record_statement('hold_id');

alter table audit.hold enable always trigger hold_guarded;

alter table audit.hold enable always trigger hold_guarded_statement;

alter table audit.hold enable always trigger hold_recorded;

create function audit.place_hold(p_target text, p_target_id text, p_reason text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_hold_id bigint;
begin
    if coalesce(p_target, '') = '' or octet_length(p_target) > 500 or octet_length(p_target_id) > 10240 then
        raise exception 'a hold needs a target of 1 to 500 bytes, and an id of at most 10 kB'
            using errcode = 'invalid_parameter_value', hint = 'Name a target such as billing.invoice, or a glob over targets.';
    end if;
    if coalesce(p_reason, '') !~ '\S' or octet_length(p_reason) > 4096 then
        raise exception 'a hold needs a reason of at most 4 kB'
            using errcode = 'invalid_parameter_value', hint = 'Say what it is for, such as the number of the case.';
    end if;
    perform '' ~ audit.target_pattern(p_target);
    insert into audit.hold (target, target_id, reason)
    values (p_target, audit.fit_key(p_target_id), p_reason)
    returning hold_id into v_hold_id;
    return v_hold_id;
end
$auditctl$;

revoke execute on function audit.place_hold(text, text, text) from public;

grant execute on function audit.place_hold(text, text, text) to audit_admin;

comment on function audit.place_hold(text, text, text) is
    'Holds the events of a target, or of one object of it, until audit.release_hold; returns the hold_id';

create function audit.release_hold(p_hold_id bigint, p_reason text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if coalesce(p_reason, '') !~ '\S' or octet_length(p_reason) > 4096 then
        raise exception 'the release of a hold needs a reason of at most 4 kB'
            using errcode = 'invalid_parameter_value', hint = 'Say why the events need not be held any more.';
    end if;
    update audit.hold set release_reason = p_reason where hold_id = p_hold_id and released_at is null;
    if not found then
        raise exception 'there is no hold % in force', coalesce(p_hold_id::text, 'null')
            using errcode = 'no_data_found', hint = 'List the holds with: auditctl hold list';
    end if;
end
$auditctl$;

revoke execute on function audit.release_hold(bigint, text) from public;

grant execute on function audit.release_hold(bigint, text) to audit_admin;

comment on function audit.release_hold(bigint, text) is 'Releases a hold; its events are deleted once their time is over';

create function audit.holds_in_force() returns setof audit.hold
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A release, like a shorter time, can be noticed before it has an effect.
    select h.* from audit.hold as h where h.released_at is null or h.released_at > now() - audit.retention_grace()
$auditctl$;

revoke execute on function audit.holds_in_force() from public;

comment on function audit.holds_in_force() is 'The holds that keep events now: those not released, and those released a few days ago';

create function audit.held_events(p_from timestamptz, p_to timestamptz)
returns table (event_id bigint, occurred_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Tables as they are registered, and what events are about that is no table.
    with recursive seen as (
        (select e.target from audit.event as e where e.occurred_at >= p_from and e.occurred_at < p_to order by e.target limit 1)
        union all
        select (
            select e.target
            from audit.event as e
            where e.occurred_at >= p_from and e.occurred_at < p_to and e.target > s.target
            order by e.target
            limit 1
        )
        from seen as s
        where s.target is not null
    ),

    held as (
        select distinct known.target, h.target_id
        from audit.holds_in_force() as h
        join (select s.target from seen as s where s.target is not null union select t.target from audit.target as t) as known
            on audit.is_meant(h.target, known.target)
        where h.target_id is not null
    )

    select l.event_id, l.occurred_at
    from held as h
    cross join lateral audit.history(h.target, h.target_id) as l
    where l.occurred_at >= p_from and l.occurred_at < p_to
    union
    -- Whatever bore the key, also where a former table of that name had it.
    select e.event_id, e.occurred_at
    from held as h
    join audit.event as e on e.target = h.target and e.target_id = h.target_id
    where e.occurred_at >= p_from and e.occurred_at < p_to
    union
    select e.event_id, e.occurred_at
    from held as h
    join audit.event as e
        on e.target = h.target and e.context ->> 'previous_target_id' = h.target_id and e.context ? 'previous_target_id'
    where e.occurred_at >= p_from and e.occurred_at < p_to
$auditctl$;

revoke execute on function audit.held_events(timestamptz, timestamptz) from public;

comment on function audit.held_events(timestamptz, timestamptz) is
    'The events of a time that a hold on one object keeps: its whole history, through changes of key and name';

-- Upkeep of the log's partitions, step by step, each one transaction. Nothing here waits for a lock that writers would
-- wait for behind it, but for a tenth of a second.

create table audit.maintenance (
    is_the_only_one boolean not null default true,
    ran_at timestamptz,
    moving_since timestamptz,
    moved_at timestamptz,
    moved_id bigint,
    moved bigint not null default 0,
    constraint maintenance_pkey primary key (is_the_only_one),
    constraint maintenance_has_one_row check (is_the_only_one)
);

comment on table audit.maintenance is 'How far upkeep has come; whoever locks its row does the next step';

comment on column audit.maintenance.is_the_only_one is 'True: there is one row';

comment on column audit.maintenance.ran_at is 'When maintain last found nothing more to do';

comment on column audit.maintenance.moving_since is 'Since when events are moved out of the DEFAULT partition; null while none are';

comment on column audit.maintenance.moved_at is 'occurred_at of the last event that was copied';

comment on column audit.maintenance.moved_id is 'event_id of the last event that was copied';

comment on column audit.maintenance.moved is 'How many events were copied';

insert into audit.maintenance default values;

grant select on audit.maintenance to audit_reader;

alter table audit.maintenance enable row level security;

create policy maintenance_is_read_by_whoever_may on audit.maintenance for select using (true);

create function audit.month_table(p_month timestamp) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select to_char(p_month, '"event_"YYYY_MM')
$auditctl$;

revoke execute on function audit.month_table(timestamp) from public;

comment on function audit.month_table(timestamp) is 'The name of a month''s partition';

create function audit.month_of(p_name text) returns timestamp
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select make_date(split_part(p_name, '_', 2)::integer, split_part(p_name, '_', 3)::integer, 1)::timestamp
$auditctl$;

revoke execute on function audit.month_of(text) from public;

comment on function audit.month_of(text) is 'The month of a partition''s name';

create function audit.utc(p_time timestamp) returns timestamptz
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select p_time at time zone 'UTC'
$auditctl$;

revoke execute on function audit.utc(timestamp) from public;

comment on function audit.utc(timestamp) is 'The point in time that a clock in UTC shows';

create function audit.stray_months() returns setof timestamp
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- From month to month by the index. Years that have no four digits stay where they are.
    with recursive stray as (
        (
            select date_trunc('month', e.occurred_at at time zone 'UTC') as month
            from only audit.event_default as e
            where e.occurred_at >= timestamptz '0001-01-01 00:00+00' and e.occurred_at < timestamptz '9999-12-01 00:00+00'
            order by e.occurred_at
            limit 1
        )
        union all
        select (
            select date_trunc('month', e.occurred_at at time zone 'UTC')
            from only audit.event_default as e
            where e.occurred_at >= audit.utc(s.month + interval '1 month') and e.occurred_at < timestamptz '9999-12-01 00:00+00'
            order by e.occurred_at
            limit 1
        )
        from stray as s
        where s.month is not null
    )

    select s.month
    from stray as s
    where s.month is not null and (
        to_regclass('audit.' || audit.month_table(s.month)) is null or to_regclass('audit.event_moving') is not null
    )
$auditctl$;

revoke execute on function audit.stray_months() from public;

comment on function audit.stray_months() is 'The months of events in the DEFAULT partition that can have a partition of their own';

create function audit.missing_months() returns setof timestamp
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select month.first
    from (
        select date_trunc('month', now() at time zone 'UTC') + ahead * interval '1 month' as first
        from generate_series(0, 3) as ahead
    ) as month
    where to_regclass('audit.' || audit.month_table(month.first)) is null
$auditctl$;

revoke execute on function audit.missing_months() from public;

comment on function audit.missing_months() is 'The months from this one to three ahead that have no partition';

create function audit.lock_holders(p_relations oid[]) returns text[]
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array_agg(distinct format('process %s, transaction %s', l.pid, l.virtualtransaction))
    from pg_locks as l
    where l.locktype = 'relation' and l.relation = any (p_relations) and l.granted and l.pid <> pg_backend_pid()
        and l.database = (select d.oid from pg_database as d where d.datname = current_database())
$auditctl$;

revoke execute on function audit.lock_holders(oid[]) from public;

comment on function audit.lock_holders(oid[]) is 'The other transactions that hold a lock on one of these tables';

create function audit.give_up(p_table text, p_holder text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception '% is in use by a transaction that does not end%', p_table, coalesce(' (' || p_holder || ')', '')
        using errcode = 'lock_not_available',
            hint = 'Nothing was lost, and nobody waits. Run auditctl maintain again when it has ended.';
end
$auditctl$;

revoke execute on function audit.give_up(text, text) from public;

comment on function audit.give_up(text, text) is 'Raises: upkeep leaves the rest to the next run, rather than let writers wait';

create function audit.seize(p_parts regclass[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_relations constant oid[] := p_parts::oid[] || 'audit.event'::regclass::oid;
    v_start constant timestamptz := clock_timestamp();
    v_early constant text[] := audit.lock_holders(v_relations);
    v_holder text;
    v_part regclass;
begin
    for v_attempt in 1..20 loop
        select h.holder into v_holder from unnest(audit.lock_holders(v_relations)) as h (holder) where h.holder = any (v_early) limit 1;
        -- For one that has lasted so long nobody is made to wait.
        if not found or clock_timestamp() < v_start + interval '0.5 seconds' then
            begin
                -- Whoever writes or reads next waits behind this one.
                lock table only audit.event in access exclusive mode;
                foreach v_part in array p_parts loop
                    execute format('lock table only %s in access exclusive mode nowait', v_part);
                end loop;
                return;
            exception when lock_not_available or deadlock_detected then
                null;
            end;
        end if;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    perform audit.give_up('the log', v_holder);
end
$auditctl$;

revoke execute on function audit.seize(regclass[]) from public;

comment on function audit.seize(regclass[]) is
    'Locks the log and some of its partitions for a moment; gives up rather than let writers wait';

create function audit.make_month(p_name text, p_month timestamp, p_whole regclass) returns regclass
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation regclass;
    v_lower constant text := to_char(p_month, 'YYYY-MM-DD"T00:00:00+00"');
    v_upper constant text := to_char(p_month + interval '1 month', 'YYYY-MM-DD"T00:00:00+00"');
begin
    execute format(
        'create table audit.%I (like audit.event including defaults including constraints including comments including indexes)', p_name
    );
    v_relation := format('audit.%I', p_name)::regclass;
    execute format('comment on table %s is %L', v_relation, format('Events of %s (UTC)', to_char(p_month, 'YYYY-MM')));
    -- Lets it be attached without being read.
    execute format(
        'alter table %s add constraint event_month check (occurred_at >= %L and occurred_at < %L)', v_relation, v_lower, v_upper
    );
    if p_whole is null then
        perform audit.guard_partition(v_relation);
    else
        perform audit.attach_month(v_relation, p_month, p_whole);
    end if;
    return v_relation;
end
$auditctl$;

revoke execute on function audit.make_month(text, timestamp, regclass) from public;

comment on function audit.make_month(text, timestamp, regclass) is 'Makes the guarded table of a month, with its indexes, on its own or as a part of a table';

create function audit.attach_month(p_relation regclass, p_month timestamp, p_whole regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- The whole brings its own guard for each row.
    execute format('drop trigger if exists event_write_once_row on %s', p_relation);
    execute format(
        'alter table %s attach partition %s for values from (%L) to (%L)', p_whole, p_relation,
        to_char(p_month, 'YYYY-MM-DD"T00:00:00+00"'), to_char(p_month + interval '1 month', 'YYYY-MM-DD"T00:00:00+00"')
    );
    perform audit.guard_partition(p_relation);
    if p_whole = 'audit.event'::regclass then
        execute format('alter table %s drop constraint event_month', p_relation);
    end if;
end
$auditctl$;

revoke execute on function audit.attach_month(regclass, timestamp, regclass) from public;

comment on function audit.attach_month(regclass, timestamp, regclass) is 'Makes a month''s table a partition, guarded before and after';

create function audit.rename_table(p_relation regclass, p_name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_former constant text := (select c.relname from pg_class as c where c.oid = p_relation);
    v_index text;
begin
    for v_index in
        select i.relname
        from pg_index as x
        join pg_class as i on i.oid = x.indexrelid
        where x.indrelid = p_relation and i.relname ^@ v_former
        order by i.relname
    loop
        execute format('alter index audit.%I rename to %I', v_index, p_name || substr(v_index, length(v_former) + 1));
    end loop;
    execute format('alter table %s rename to %I', p_relation, p_name);
end
$auditctl$;

revoke execute on function audit.rename_table(regclass, text) from public;

comment on function audit.rename_table(regclass, text) is 'Gives a table another name, and its indexes with it';

-- Events out of the DEFAULT partition, into months of their own, while others write and read. From the first step on every
-- new event of the DEFAULT partition is also written to its copy; older ones are copied in portions; when the copy is
-- complete it takes the place of the original in one transaction. Each event is in the log once at every moment.

create function audit.mirror_event() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- A write never fails for want of the copy; without it, moving starts anew.
    if to_regclass('audit.event_moving') is not null then
        insert into audit.event_moving select (new).*;
    end if;
    return null;
end
$auditctl$;

revoke execute on function audit.mirror_event() from public;

comment on function audit.mirror_event() is 'Writes an event of the DEFAULT partition also to the copy that will take its place';

create function audit.is_mirrored() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select to_regclass('audit.event_moving') is not null and exists (
        select
        from pg_trigger as t
        where t.tgrelid = to_regclass('audit.event_default') and t.tgname = 'event_mirrored' and t.tgenabled = 'A'
            -- Anything made since the copy was begun may have missed an event.
            and (select m.moving_since is not null from audit.maintenance as m)
    )
$auditctl$;

revoke execute on function audit.is_mirrored() from public;

comment on function audit.is_mirrored() is 'Whether events of the DEFAULT partition are being moved';

create function audit.begin_move() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_months timestamp[];
    v_month timestamp;
begin
    drop table if exists audit.event_moving;
    v_months := array(select s.m from audit.stray_months() as s (m) union select n.m from audit.missing_months() as n (m) order by 1);
    create table audit.event_moving (
        like audit.event including defaults including constraints including comments including indexes
    ) partition by range (occurred_at);
    comment on table audit.event_moving is 'The events of the DEFAULT partition, on their way to months of their own';
    perform audit.guard_partition('audit.event_moving');
    create table audit.event_next partition of audit.event_moving default;
    perform audit.guard_partition('audit.event_next');
    foreach v_month in array v_months loop
        perform audit.make_month(audit.month_table(v_month), v_month, 'audit.event_moving');
    end loop;
    -- When this is granted, whoever wrote there before is done; whoever writes later fires the trigger.
    perform audit.lock_default();
    drop trigger if exists event_mirrored on audit.event_default;
    create trigger event_mirrored after insert on audit.event_default for each row execute function audit.mirror_event();
    alter table audit.event_default enable always trigger event_mirrored;
    update audit.maintenance
    set (moving_since, moved_at, moved_id, moved) = (now(), '-infinity', -9223372036854775808, 0);
    return jsonb_build_object(
        'step', 'move', 'partition', 'audit.event_default', 'state', 'begun',
        'months', array(select to_char(m, 'YYYY-MM') from unnest(v_months) as m)
    );
end
$auditctl$;

revoke execute on function audit.begin_move() from public;

comment on function audit.begin_move() is 'Makes the copy of the DEFAULT partition, empty, and the trigger that writes new events to it too';

create function audit.lock_default() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
begin
    for v_attempt in 1..20 loop
        begin
            lock table only audit.event_default in share row exclusive mode;
            return;
        exception when lock_not_available or deadlock_detected then
            null;
        end;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    perform audit.give_up('the DEFAULT partition', (audit.lock_holders(array['audit.event_default'::regclass::oid]))[1]);
end
$auditctl$;

revoke execute on function audit.lock_default() from public;

comment on function audit.lock_default() is 'Keeps writers out of the DEFAULT partition until the transaction ends; gives up rather than let them wait';

create function audit.copy_events() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_state audit.maintenance;
    v_last record;
    v_copied bigint;
begin
    select m.* into v_state from audit.maintenance as m;
    select e.occurred_at, e.event_id
    into v_last
    from (
        select d.occurred_at, d.event_id
        from only audit.event_default as d
        where (d.occurred_at, d.event_id) > (v_state.moved_at, v_state.moved_id)
        order by d.occurred_at, d.event_id
        limit 50000
    ) as e
    order by e.occurred_at desc, e.event_id desc
    limit 1;
    if not found then
        return null;
    end if;
    -- What was written since moving began is there already.
    insert into audit.event_moving
    select d.*
    from only audit.event_default as d
    where (d.occurred_at, d.event_id) > (v_state.moved_at, v_state.moved_id)
        and (d.occurred_at, d.event_id) <= (v_last.occurred_at, v_last.event_id)
    on conflict (occurred_at, event_id) do nothing;
    get diagnostics v_copied = row_count;
    update audit.maintenance
    set (moved_at, moved_id, moved) = (v_last.occurred_at, v_last.event_id, v_state.moved + v_copied);
    return jsonb_build_object(
        'step', 'move', 'partition', 'audit.event_default', 'state', 'copied', 'events', v_state.moved + v_copied
    );
end
$auditctl$;

revoke execute on function audit.copy_events() from public;

comment on function audit.copy_events() is 'Copies the next portion of the DEFAULT partition; null when none is left';

create function audit.require_whole_copy() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_counted record;
begin
    -- Seen at one moment: what others write meanwhile is in both or in neither.
    select
        (select count(*) from only audit.event_default) as original,
        (select count(*) from audit.event_moving) as copy
    into v_counted;
    if v_counted.original <> v_counted.copy then
        raise exception 'the DEFAULT partition holds % events and its copy %', v_counted.original, v_counted.copy
            using errcode = 'data_corrupted',
                hint = 'Nothing was changed. To have them copied anew: set role audit_owner; drop table audit.event_moving';
    end if;
end
$auditctl$;

revoke execute on function audit.require_whole_copy() from public;

comment on function audit.require_whole_copy() is 'Raises unless the copy of the DEFAULT partition has as many events as the original';

create function audit.end_move() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month record;
    v_months jsonb;
    v_comment constant text := obj_description('audit.event_default'::regclass, 'pg_class');
begin
    perform audit.require_whole_copy();
    select coalesce(jsonb_object_agg(c.partition, c.events), '{}')
    into v_months
    from (select e.tableoid::regclass::text as partition, count(*) as events from audit.event_moving as e group by 1) as c;
    perform audit.seize(array['audit.event_default'::regclass]);
    drop table audit.event_default;
    for v_month in
        select i.inhrelid::regclass as relation, audit.month_of(c.relname) as first
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'audit.event_moving'::regclass and c.relname <> 'event_next'
        order by c.relname
    loop
        execute format('alter table audit.event_moving detach partition %s', v_month.relation);
        perform audit.attach_month(v_month.relation, v_month.first, 'audit.event');
    end loop;
    alter table audit.event_moving detach partition audit.event_next;
    drop table audit.event_moving;
    drop trigger if exists event_write_once_row on audit.event_next;
    perform audit.rename_table('audit.event_next', 'event_default');
    alter table audit.event attach partition audit.event_default default;
    perform audit.guard_partition('audit.event_default');
    execute format('comment on table audit.event_default is %L', v_comment);
    update audit.maintenance set (moving_since, moved_at, moved_id) = (null, null, null);
    return audit.record_upkeep(
        'audit.event_default', 'events moved out of the DEFAULT partition',
        jsonb_build_object('step', 'move', 'partition', 'audit.event_default', 'state', 'done', 'events', v_months)
    );
end
$auditctl$;

revoke execute on function audit.end_move() from public;

comment on function audit.end_move() is 'Puts the copy in the place of the DEFAULT partition, in one transaction';

create function audit.record_upkeep(p_partition text, p_summary text, p_data jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform audit.insert_event('audit.partition', p_partition, 'EVENT', null, p_data, p_summary);
    return p_data;
end
$auditctl$;

revoke execute on function audit.record_upkeep(text, text, jsonb) from public;

comment on function audit.record_upkeep(text, text, jsonb) is 'Records what was done to a partition, and returns it';

-- The end of events whose time is over: a partition goes whole, or is replaced by one with what must stay.

create function audit.month_partitions() returns table (partition regclass, first timestamp)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select c.oid::regclass, audit.month_of(c.relname)
    from pg_inherits as i
    join pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'audit.event'::regclass and not i.inhdetachpending and c.relname ~ '^event_[0-9]{4}_(0[1-9]|1[0-2])$'
    order by c.relname
$auditctl$;

revoke execute on function audit.month_partitions() from public;

comment on function audit.month_partitions() is 'The months of the log, oldest first';

create function audit.partition_targets(p_month timestamp) returns setof text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if p_month is null then
        return;
    end if;
    -- From target to target by the index.
    return query execute format(
        'with recursive found as ('
        '(select e.target from only audit.%1$I as e order by e.target limit 1) union all '
        'select (select e.target from only audit.%1$I as e where e.target > f.target order by e.target limit 1) '
        'from found as f where f.target is not null) '
        'select f.target from found as f where f.target is not null', audit.month_table(p_month)
    );
end
$auditctl$;

revoke execute on function audit.partition_targets(timestamp) from public;

comment on function audit.partition_targets(timestamp) is 'The targets of a month''s events; none for null';

create function audit.expired_targets(p_month timestamp) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What no time of its own keeps is kept shortest: where that is not over, nothing is looked at.
    select t.target
    from (select audit.kept_since('') as since) as shortest
    cross join lateral audit.partition_targets(
        case when shortest.since >= audit.utc(p_month + interval '1 month') then p_month end
    ) as t (target)
    where audit.kept_since(t.target) >= audit.utc(p_month + interval '1 month')
        and not exists (
            select from audit.holds_in_force() as h where h.target_id is null and audit.is_meant(h.target, t.target)
        )
$auditctl$;

revoke execute on function audit.expired_targets(timestamp) from public;

comment on function audit.expired_targets(timestamp) is 'The targets whose events of a month need not be kept, unless one object is held';

create function audit.expired_condition(p_month timestamp) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- Times as text that mean the same in every session: else a session's zone could move a month away from what is held.
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
as $auditctl$
declare
    v_targets constant text[] := array(select t.target from audit.expired_targets(p_month) as t (target));
    v_condition text;
begin
    if v_targets = '{}' then
        return null;
    end if;
    v_condition := format('e.target = any (%L)', v_targets);
    if exists (select from audit.holds_in_force() as h where h.target_id is not null) then
        v_condition := v_condition || format(
            ' and (e.event_id, e.occurred_at) not in (select h.event_id, h.occurred_at from audit.held_events(%L, %L) as h)',
            audit.utc(p_month), audit.utc(p_month + interval '1 month')
        );
    end if;
    return v_condition;
end
$auditctl$;

revoke execute on function audit.expired_condition(timestamp) from public;

comment on function audit.expired_condition(timestamp) is 'Which events e of a month have expired, as SQL; null for none';

create function audit.has_expired(p_month timestamp) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_condition constant text := audit.expired_condition(p_month);
    v_found boolean := false;
begin
    if v_condition is not null then
        execute format('select exists (select from only audit.%I as e where %s)', audit.month_table(p_month), v_condition) into v_found;
    elsif audit.kept_since('audit.') >= audit.utc(p_month + interval '1 month') then
        -- An empty month whose time is over.
        execute format('select not exists (select from only audit.%I)', audit.month_table(p_month)) into v_found;
    end if;
    return v_found;
end
$auditctl$;

revoke execute on function audit.has_expired(timestamp) from public;

comment on function audit.has_expired(timestamp) is 'Whether a month holds events whose time is over';

create function audit.retention_state() returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What decides what must stay, as text to be compared.
    select concat_ws(
        ' ',
        (select string_agg(format('%s:%s', r.retention_id, r.until), ',' order by r.retention_id) from audit.retention as r),
        (select string_agg(format('%s:%s', h.hold_id, h.released_at), ',' order by h.hold_id) from audit.hold as h),
        (select count(*) from audit.rename)
    )
$auditctl$;

revoke execute on function audit.retention_state() from public;

comment on function audit.retention_state() is 'Changes whenever a hold, a time to keep events, or a table''s name does';

create function audit.count_events(p_month timestamp, p_condition text) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_counted jsonb;
begin
    execute format(
        'select jsonb_build_object('
        '''before'', coalesce(jsonb_object_agg(a.action, a.events), ''{}''), '
        '''after'', coalesce(jsonb_object_agg(a.action, a.events - a.expired) filter (where a.events > a.expired), ''{}''), '
        '''dropped'', coalesce(sum(a.expired), 0), ''kept'', coalesce(sum(a.events - a.expired), 0), '
        '''first_event_id'', min(a.first), ''last_event_id'', max(a.last), ''bytes'', pg_total_relation_size(%L)) '
        'from (select e.action, count(*) as events, count(*) filter (where %2$s) as expired, '
        'min(e.event_id) filter (where %2$s) as first, max(e.event_id) filter (where %2$s) as last '
        'from only audit.%3$I as e group by e.action) as a',
        'audit.' || audit.month_table(p_month), coalesce(p_condition, 'false'), audit.month_table(p_month)
    ) into v_counted;
    return v_counted;
end
$auditctl$;

revoke execute on function audit.count_events(timestamp, text) from public;

comment on function audit.count_events(timestamp, text) is
    'The events of a month by action, before and after its expired ones go, and between which numbers and how large they are';

create function audit.close_month(p_relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '3s'
as $auditctl$
begin
    -- Its time is over: nobody writes there any more, and what was written before is committed when this is granted.
    execute format('lock table only %s in share mode', p_relation);
exception when lock_not_available then
    perform audit.give_up(p_relation::text, (audit.lock_holders(array[p_relation::oid]))[1]);
end
$auditctl$;

revoke execute on function audit.close_month(regclass) from public;

comment on function audit.close_month(regclass) is 'Keeps writers out of a month whose time is over until the transaction ends; readers stay';

create function audit.expire_month(p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name constant text := audit.month_table(p_month);
    v_state constant text := audit.retention_state();
    v_condition text;
    v_done jsonb;
    v_kept regclass;
begin
    perform audit.close_month(format('audit.%I', v_name)::regclass);
    v_condition := audit.expired_condition(p_month);
    v_done := audit.count_events(p_month, v_condition);
    if (v_done ->> 'kept')::bigint > 0 then
        v_kept := audit.make_month('event_kept', p_month, null);
        execute format(
            'insert into %s select e.* from only audit.%I as e where (%s) is not true', v_kept, v_name, coalesce(v_condition, 'false')
        );
        execute format('analyze %s', v_kept);
    end if;
    perform audit.seize(array[format('audit.%I', v_name)::regclass, 'audit.event_default']);
    perform audit.require_retention_state(v_state);
    execute format('drop table audit.%I', v_name);
    if v_kept is not null then
        perform audit.rename_table(v_kept, v_name);
        perform audit.attach_month(v_kept, p_month, 'audit.event');
    end if;
    return audit.record_upkeep(
        'audit.' || v_name, 'expired events deleted',
        jsonb_build_object('step', 'expire', 'partition', 'audit.' || v_name, 'month', to_char(p_month, 'YYYY-MM')) || v_done
    );
end
$auditctl$;

revoke execute on function audit.expire_month(timestamp) from public;

comment on function audit.expire_month(timestamp) is 'Drops a month whose time is over, or replaces it by what must stay';

create function audit.require_retention_state(p_state text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- A hold that is being placed either is seen from here on, or waits until the events are gone.
    lock table audit.hold, audit.retention, audit.rename in share mode nowait;
    if audit.retention_state() <> p_state then
        raise exception 'a hold, a time to keep events or a table''s name was changed meanwhile'
            using errcode = 'serialization_failure', hint = 'Nothing was deleted. Run auditctl maintain again.';
    end if;
exception when lock_not_available then
    raise exception 'a hold, a time to keep events or a table''s name is being changed'
        using errcode = 'lock_not_available', hint = 'Nothing was deleted. Run auditctl maintain again when that transaction has ended.';
end
$auditctl$;

revoke execute on function audit.require_retention_state(text) from public;

comment on function audit.require_retention_state(text) is
    'Keeps holds and times to keep events as they are until the transaction ends; raises if they changed since they were looked at';

-- What upkeep has to do, and the next step of it. Takes no argument: what is done follows from what was stated alone.

create function audit.prune_bookkeeping() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before constant timestamptz := audit.kept_since('*');
begin
    return case when v_before > '-infinity' then audit.prune_read_lines(v_before) else 0 end;
end
$auditctl$;

revoke execute on function audit.prune_bookkeeping() from public;

comment on function audit.prune_bookkeeping() is 'Deletes which lines of the server''s log were imported, where their events'' time is over; returns how many rows';

create function audit.maintenance_due()
returns table (step text, partition text, dropped bigint, kept bigint, reason text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
declare
    v_month record;
    v_months text;
    v_counted jsonb;
begin
    select string_agg(to_char(s.m, 'YYYY-MM'), ', ' order by s.m) into v_months from audit.stray_months() as s (m);
    if v_months is not null or audit.is_mirrored() then
        return query select
            'move', 'audit.event_default', 0::bigint, (select count(*) from only audit.event_default),
            case when audit.is_mirrored() then 'Moving was begun and is not done.' else 'It holds events of ' || v_months || '.' end;
    end if;
    return query select 'create', 'audit.' || audit.month_table(m), 0::bigint, 0::bigint, 'The month has no partition.'
        from audit.missing_months() as n (m) where m not in (select s.m from audit.stray_months() as s (m));
    for v_month in select p.partition, p.first from audit.month_partitions() as p loop
        if audit.has_expired(v_month.first) then
            v_counted := audit.count_events(v_month.first, audit.expired_condition(v_month.first));
            return query select
                'expire', v_month.partition::text, (v_counted ->> 'dropped')::bigint, (v_counted ->> 'kept')::bigint,
                case when (v_counted ->> 'kept')::bigint = 0 then 'The time of all its events is over.'
                    else 'The time of some of its events is over; the others stay.' end;
        end if;
    end loop;
end
$auditctl$;

revoke execute on function audit.maintenance_due() from public;

grant execute on function audit.maintenance_due() to audit_reader;

comment on function audit.maintenance_due() is
    'What maintain would do now, in its order: with how many events are deleted, and how many stay or are moved';

create function audit.overdue_months() returns setof regclass
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select m.partition from audit.month_partitions() as m where audit.has_expired(m.first)
$auditctl$;

revoke execute on function audit.overdue_months() from public;

grant execute on function audit.overdue_months() to audit_reader;

comment on function audit.overdue_months() is 'The months with events whose time is over, which maintain would delete now';

create function audit.next_step() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month timestamp;
begin
    if audit.is_mirrored() then
        return coalesce(audit.copy_events(), audit.end_move());
    end if;
    if exists (select from audit.stray_months()) then
        return audit.begin_move();
    end if;
    select min(m) into v_month from audit.missing_months() as n (m);
    if v_month is not null then
        return audit.add_month(v_month);
    end if;
    for v_month in select p.first from audit.month_partitions() as p loop
        if audit.has_expired(v_month) then
            return audit.expire_month(v_month);
        end if;
    end loop;
    perform audit.prune_bookkeeping();
    update audit.maintenance set ran_at = now();
    return null;
end
$auditctl$;

revoke execute on function audit.next_step() from public;

comment on function audit.next_step() is 'Does what has to be done next; null when there is nothing';

create function audit.add_month(p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_made regclass;
begin
    for v_attempt in 1..20 loop
        begin
            v_made := audit.create_partition(p_month::date);
            exit;
        exception when lock_not_available or deadlock_detected then
            null;
        end;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    if v_made is null then
        perform audit.give_up('the log', (audit.lock_holders(array['audit.event_default'::regclass::oid]))[1]);
    end if;
    return audit.record_upkeep(
        v_made::text, 'partition created', jsonb_build_object('step', 'create', 'partition', v_made::text, 'month', to_char(p_month, 'YYYY-MM'))
    );
end
$auditctl$;

revoke execute on function audit.add_month(timestamp) from public;

comment on function audit.add_month(timestamp) is 'Makes the partition of a month; gives up rather than let writers wait';

create function audit.maintain_step() returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'maintain needs transactions that read what is committed'
            using errcode = 'feature_not_supported', hint = 'Run it with: set default_transaction_isolation = ''read committed''';
    end if;
    -- Whoever calls this in a transaction of their own and forgets to end it holds a lock that all writers wait for.
    perform set_config('idle_in_transaction_session_timeout', '10s', true);
    begin
        perform from audit.maintenance for update nowait;
    exception when lock_not_available then
        return jsonb_build_object('step', 'busy');
    end;
    return audit.next_step();
end
$auditctl$;

revoke execute on function audit.maintain_step() from public;

grant execute on function audit.maintain_step() to audit_admin;

comment on function audit.maintain_step() is
    'Does the next step of upkeep and says what it was; null when nothing is left, step busy where another session is at it';

create procedure audit.maintain()
language plpgsql
as $auditctl$
-- Has the rights and the search_path of whoever calls it: only so may it commit after each step.
declare
    v_done pg_catalog.jsonb;
begin
    loop
        v_done := audit.maintain_step();
        commit;
        exit when v_done is null;
        if pg_catalog.jsonb_extract_path_text(v_done, 'step') operator(pg_catalog.=) 'busy' then
            raise notice 'another session is at it';
            exit;
        end if;
    end loop;
end
$auditctl$;

revoke execute on procedure audit.maintain() from public;

grant execute on procedure audit.maintain() to audit_admin;

comment on procedure audit.maintain() is 'Does all upkeep, and commits after each step: for a scheduler inside the database';
