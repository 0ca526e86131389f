-- READ, business events and retention, and events that cost less.

-- They are given now what they looked for themselves. Functions made before take the careful way until `apply`.
drop function audit.is_application();
drop function audit.is_database();
drop function audit.claimed_actor();
drop function audit.claimed_ip();

-- The check on the kind of actor was a fifth of an event's price; this one is a fiftieth.
alter table audit.event drop constraint event_actor_kind_is_known;
create type audit.actor_kind as enum ('application', 'database', 'system');
alter table audit.event add constraint event_actor_kind_is_known check (actor_kind::audit.actor_kind is not null);

-- What follows stands in sql/schema, as it is now.

comment on type audit.actor_kind is 'How an actor is known: named by an application, the login itself, or nobody';

-- The short ways, for the sessions that nearly all events come from. Capture functions ask them in this order and
-- take audit.identify() where neither applies. PostgreSQL puts SQL functions of one expression in line, so that they
-- cost no call; they raise where a role is gone, and capture takes audit.identify() then, too.

create or replace function audit.is_application(p_actor text, p_ip text) returns boolean
language sql stable
as $auditctl$
    select
        pg_has_role(session_user, 'audit_app'::regrole, 'USAGE')
        -- Superusers have every role; audit.identify() looks whether this one was granted.
        and not pg_has_role(session_user, 'audit_owner'::regrole, 'MEMBER')
        and coalesce(octet_length(convert_to(p_actor, 'UTF8')) <= 1000, true)
        -- A list of addresses, a netmask or blanks: audit.identify() sees to it, as to what is no address at all.
        and coalesce(strpos(translate(p_ip, ', ', '//'), '/') = 0, true)
$auditctl$;

revoke execute on function audit.is_application(text, text) from public;

comment on function audit.is_application(text, text) is
    'Whether the login is a member of audit_app and no superuser, and the user and the address that it names look as they should';

create or replace function audit.is_database(p_actor text, p_ip text) returns boolean
language sql stable
as $auditctl$
    select
        coalesce(p_actor, '') = '' and coalesce(p_ip, '') = ''
        and case
            -- Only superusers and members of audit_owner come here, who need not forge a setting to write an event.
            when pg_has_role(session_user, 'audit_owner'::regrole, 'MEMBER')
                then coalesce(current_setting('auditctl.database_login', true), '') = session_user
            else not pg_has_role(session_user, 'audit_app'::regrole, 'MEMBER')
        end
$auditctl$;

revoke execute on function audit.is_database(text, text) from public;

comment on function audit.is_database(text, text) is 'Whether the login is no application and names nobody';

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
                then p_setting::jsonb
                    - '{application_name,role,partition,previous_target_id,summary,claimed_actor,claimed_ip,context_rejected,context_bytes}'::text[]
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
