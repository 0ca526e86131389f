-- The coverage guard, capture functions assembled in the database, and a faster identity.

-- Each check costs every event a seventh of its price; that only the system has no actor follows from how actors are found.
alter table audit.event drop constraint event_only_system_has_no_actor;
alter table audit.event drop constraint event_actor_kind_is_known;
alter table audit.event add constraint event_actor_kind_is_known check (actor_kind ~ '^(application|database|system)$');

create or replace function audit.parse_ip(p_text text) returns inet
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_address inet;
begin
    v_address := btrim(p_text)::inet;
    -- A network is nobody's address.
    return case when masklen(v_address) = case family(v_address) when 4 then 32 else 128 end then v_address end;
exception when others then
    return null;
end
$auditctl$;

comment on function audit.parse_ip(text) is 'The address, or null where the text is none, or a network; never raises';

create or replace function audit.parse_context(p_text text) returns jsonb
language plpgsql immutable
as $auditctl$
-- Called by capture only, whose search_path is pinned; pinning it here again would cost more than the rest.
declare
    v_context jsonb;
    v_own constant text[] := '{application_name,role,partition,previous_target_id,summary,claimed_actor,claimed_ip,context_rejected,context_bytes}';
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

create function audit.session_context() returns jsonb
language plpgsql stable
as $auditctl$
-- Called by capture only, whose search_path is pinned.
declare
    v_context jsonb;
    v_setting text := nullif(current_setting('auditctl.context', true), '');
begin
    if v_setting is not null then
        v_context := audit.parse_context(v_setting);
    end if;
    v_setting := current_setting('application_name');
    if v_setting <> '' then
        v_context := coalesce(v_context, '{}') || jsonb_build_object('application_name', v_setting);
    end if;
    v_setting := current_setting('role');
    if v_setting <> 'none' then
        v_context := coalesce(v_context, '{}') || jsonb_build_object('role', v_setting);
    end if;
    return v_context;
end
$auditctl$;

revoke execute on function audit.session_context() from public;

comment on function audit.session_context() is 'What an event says of the session beside who and from where; never raises';

create or replace function audit.identify() returns audit.identity
language plpgsql volatile
as $auditctl$
-- Called by capture and audit.insert_event only, whose search_path is pinned.
declare
    v_who audit.identity;
    v_actor text := nullif(current_setting('auditctl.actor', true), '');
    v_ip text := nullif(current_setting('auditctl.ip', true), '');
    v_address inet;
begin
    v_who.context := audit.session_context();
    if v_actor is not null then
        v_actor := audit.readable(v_actor);
    end if;
    if v_ip is not null then
        v_ip := audit.readable(v_ip);
    end if;

    v_who.ip := inet_client_addr();
    -- By object id: a role that was renamed away is nobody's, and no reason to fail an application's write.
    if pg_has_role(session_user, to_regrole('audit_app'), 'MEMBER')
        and (
            pg_has_role(session_user, to_regrole('audit_app'), 'USAGE')
            and not pg_has_role(session_user, to_regrole('audit_owner'), 'MEMBER')
            or audit.holds_app_role()
        )
    then
        v_who.actor_kind := case when v_actor is null then 'system' else 'application' end;
        v_who.actor := v_actor;
        if octet_length(v_actor) > 1000 then
            -- A longer one does not fit the index, and must not make the application's write fail.
            v_who.actor := left(v_actor, 200) || chr(8230);
        else
            v_actor := null;
        end if;
        if v_ip is not null then
            v_address := audit.parse_ip(v_ip);
            if v_address is not null then
                v_who.ip := v_address;
                v_ip := null;
            end if;
        end if;
    else
        v_who.actor_kind := 'database';
        v_who.actor := session_user;
        -- For audit.is_database: what was found holds until the transaction ends.
        perform set_config('auditctl.database_login', session_user, true);
    end if;

    -- What was claimed and not taken is kept, so that the claim itself can be found.
    if v_actor is not null then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('claimed_actor', left(v_actor, 4000));
    end if;
    if v_ip is not null then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('claimed_ip', left(v_ip, 200));
    end if;
    return v_who;
end
$auditctl$;

-- The short ways, for the sessions that nearly all events come from. Capture functions ask them in this order and
-- take audit.identify() where neither applies. PostgreSQL puts SQL functions of one expression in line, so that they
-- cost no call; they raise where a role is gone, and capture takes audit.identify() then, too.

create function audit.is_application() returns boolean
language sql stable
as $auditctl$
    select
        pg_has_role(session_user, 'audit_app'::regrole, 'USAGE')
        -- Superusers have every role; audit.identify() looks whether this one was granted.
        and not pg_has_role(session_user, 'audit_owner'::regrole, 'MEMBER')
        and coalesce(octet_length(convert_to(current_setting('auditctl.actor', true), 'UTF8')) <= 1000, true)
        -- A list of addresses, a zone, a netmask or blanks: audit.identify() sees to it.
        and coalesce(current_setting('auditctl.ip', true) !~ '[, %/]', true)
$auditctl$;

revoke execute on function audit.is_application() from public;

comment on function audit.is_application() is
    'Whether the login is a member of audit_app and no superuser, and what it claims looks as it should';

create function audit.is_database() returns boolean
language sql stable
as $auditctl$
    select
        coalesce(current_setting('auditctl.actor', true), '') = ''
        and coalesce(current_setting('auditctl.ip', true), '') = ''
        and case
            -- Only superusers and members of audit_owner come here, who need not forge a setting to write an event.
            when pg_has_role(session_user, 'audit_owner'::regrole, 'MEMBER')
                then coalesce(current_setting('auditctl.database_login', true), '') = session_user
            else not pg_has_role(session_user, 'audit_app'::regrole, 'MEMBER')
        end
$auditctl$;

revoke execute on function audit.is_database() from public;

comment on function audit.is_database() is 'Whether the login is no application and claims nothing';

create function audit.claimed_actor() returns text
language sql stable
as $auditctl$
    select nullif(current_setting('auditctl.actor', true), '')
$auditctl$;

revoke execute on function audit.claimed_actor() from public;

comment on function audit.claimed_actor() is 'The user that the session names; null for nobody';

create function audit.claimed_ip() returns inet
language sql stable
as $auditctl$
    select coalesce(nullif(current_setting('auditctl.ip', true), '')::inet, inet_client_addr())
$auditctl$;

revoke execute on function audit.claimed_ip() from public;

comment on function audit.claimed_ip() is 'The address that the session names, else the peer of the connection; raises where the text is none';

create function audit.context(p_setting text) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when current_setting('role') <> 'none' or current_setting('application_name') = '' then audit.session_context()
            when coalesce(p_setting, '') = '' then jsonb_build_object('application_name', current_setting('application_name'))
            -- As audit.parse_context() asks: short, no key that only auditctl writes, also not by its escapes, no number
            -- of thousands of digits. What is no JSON all the same raises.
            when octet_length(p_setting) <= 500 and p_setting ^@ '{' and strpos(p_setting, chr(92)) = 0
                and p_setting !~ '[0-9.][eE][+-]?[0-9]{3}'
                and strpos(p_setting, '"application_name"') = 0 and strpos(p_setting, '"role"') = 0
                and strpos(p_setting, '"partition"') = 0 and strpos(p_setting, '"previous_target_id"') = 0
                and strpos(p_setting, '"summary"') = 0 and strpos(p_setting, '"claimed_') = 0
                and strpos(p_setting, '"context_') = 0
                and convert_to(p_setting, 'UTF8') is not null
                then p_setting::jsonb || jsonb_build_object('application_name', current_setting('application_name'))
            else audit.session_context()
        end
$auditctl$;

revoke execute on function audit.context(text) from public;

comment on function audit.context(text) is
    'audit.session_context() without its cost for nearly all sessions, from the session''s auditctl.context';

-- The careful way to record a row, for when generated code meets what it was not made for: a value too large for
-- JSONB, text that JSONB refuses, a column added, dropped or retyped since. Slow, and never fails.

create or replace function audit.value_image(p_value anyelement) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return to_jsonb(p_value);
exception when others then
    if pg_typeof(p_value) = 'bytea'::regtype then
        return jsonb_build_object('$sha256', encode(sha256(p_value), 'hex'), '$bytes', octet_length(p_value));
    end if;
    return jsonb_build_object(
        '$sha256', encode(sha256(convert_to(format('%s', p_value), 'UTF8')), 'hex'),
        '$bytes', octet_length(format('%s', p_value))
    );
end
$auditctl$;

comment on function audit.value_image(anyelement) is
    'A value as JSONB; where JSONB cannot hold it, its length and hash: of the bytes of bytea, of the text in UTF-8 of all else';

create function audit.base_type(p_type oid) returns oid
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive base as (
        select t.oid, t.typtype, t.typbasetype from pg_type as t where t.oid = p_type
        union all
        select t.oid, t.typtype, t.typbasetype
        from pg_type as t
        join base on base.typtype = 'd' and t.oid = base.typbasetype
    )

    select base.oid from base where base.typtype <> 'd'
$auditctl$;

revoke execute on function audit.base_type(oid) from public;

comment on function audit.base_type(oid) is 'A type with domains removed';

create or replace function audit.is_plain_type(p_type oid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL's own types have object ids below 16384. to_jsonb() on any other type runs a cast its owner may
    -- have written, with the rights of audit_owner: those are recorded by their output function, as text.
    select coalesce(base.oid < 16384 and base.oid not in ('json'::regtype, 'json[]'::regtype, 'jsonb[]'::regtype), false)
    from (select audit.base_type(p_type) as oid) as base
$auditctl$;

create or replace function audit.column_image(p_row anyelement, p_column name, p_type oid) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_value jsonb;
    v_field constant text := format('($1).%I', p_column);
    v_base constant oid := audit.base_type(p_type);
    v_code text := audit.text_code(v_field);
begin
    if audit.is_plain_type(p_type)
        and (p_type = v_base or v_base not in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'xml'::regtype))
    then
        -- By its name: what SQL calls bit is bit(1).
        select audit.image_code(
            case when p_type = v_base then v_field else format('(%s)::pg_catalog.%I', v_code, t.typname) end,
            format('format(''%%s'', %s)', v_field), v_base, t.typcategory = 'A'
        )
        into v_code
        from pg_type as t
        where t.oid = v_base;
    end if;
    execute format('select audit.value_image(%s)', v_code) into v_value using p_row;
    return coalesce(v_value, 'null');
exception when others then
    -- Not even its text fits into memory.
    execute format('select jsonb_build_object(''$sha256'', null, ''$bytes'', pg_column_size(%s))', v_field) into v_value using p_row;
    return v_value;
end
$auditctl$;

create or replace function audit.row_image(p_row anyelement, p_relation oid, p_exclude text[], p_mask text[], p_known text[]) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
set "IntervalStyle" = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
set lc_monetary = 'C'
set array_nulls = on
set quote_all_identifiers = off
as $auditctl$
declare
    v_image jsonb := '{}';
    v_value jsonb;
    v_column record;
    v_mask constant text[] := p_mask || audit.unknown_columns(p_relation, p_known, p_exclude || p_mask);
begin
    for v_column in
        select a.attname, a.atttypid
        from pg_attribute as a
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped and a.attname <> all (p_exclude)
            and a.attgenerated <> 'v'
        order by a.attnum
    loop
        if v_column.attname = any (v_mask) then
            v_value := '{"$masked": true}';
        else
            v_value := audit.column_image(p_row, v_column.attname, v_column.atttypid);
        end if;
        begin
            v_image := v_image || jsonb_build_object(v_column.attname, v_value);
        exception when others then
            -- Each value fits, all together do not.
            v_image := v_image || jsonb_build_object(v_column.attname, jsonb_build_object(
                '$sha256', encode(sha256(convert_to(v_value #>> '{}', 'UTF8')), 'hex'),
                '$bytes', octet_length(v_value #>> '{}')
            ));
        end;
    end loop;
    return v_image;
end
$auditctl$;

create or replace function audit.fit_key(p_key text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if octet_length(p_key) <= 1000 then
        return p_key;
    end if;
    return left(p_key, 100) || chr(8230) || ' sha256:' || encode(sha256(convert_to(p_key, 'UTF8')), 'hex');
exception when others then
    -- Text that is no valid UTF-8 can be neither cut nor converted.
    return audit.readable(p_key);
end
$auditctl$;

create or replace function audit.row_key(p_row anyelement, p_relation oid, p_key text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
set "IntervalStyle" = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
set lc_monetary = 'C'
set array_nulls = on
set quote_all_identifiers = off
as $auditctl$
declare
    v_parts jsonb := '[]';
    v_text text;
    v_column record;
begin
    for v_column in
        select a.attname, a.atttypid
        from unnest(p_key) with ordinality as k (name, position)
        join pg_attribute as a on a.attrelid = p_relation and a.attname = k.name and a.attnum > 0 and not a.attisdropped
        order by k.position
    loop
        if cardinality(p_key) = 1 then
            execute format('select %s', audit.text_code(format('($1).%I', v_column.attname)))
            into v_text using p_row;
        else
            v_parts := v_parts || jsonb_build_array(audit.column_image(p_row, v_column.attname, v_column.atttypid));
            v_text := v_parts::text;
        end if;
    end loop;
    return audit.fit_key(v_text);
end
$auditctl$;

create or replace function audit.compare_rows(
    p_old anyelement, p_new anyelement, p_relation oid, p_exclude text[], p_mask text[], p_known text[], p_key text[]
) returns audit.change
language plpgsql stable
set search_path = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
set "IntervalStyle" = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
set lc_monetary = 'C'
set array_nulls = on
set quote_all_identifiers = off
as $auditctl$
declare
    v_change audit.change;
    v_column record;
    v_differs boolean;
    v_mask constant text[] := p_mask || audit.unknown_columns(p_relation, p_known, p_exclude || p_mask);
    v_same text[] := p_exclude;
begin
    for v_column in
        select a.attname
        from pg_attribute as a
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
            and a.attname <> all (p_exclude)
    loop
        execute format('select record_image_ne(row(($1).%1$I), row(($2).%1$I))', v_column.attname) into v_differs using p_old, p_new;
        if not v_differs then
            v_same := v_same || v_column.attname::text;
        end if;
    end loop;
    -- What is the same on both sides is left out like an excluded column; the whole old row is kept where only it may
    -- tell which row it was.
    v_change.new_values := audit.row_image(p_new, p_relation, v_same, v_mask, '{}');
    v_change.old_values := audit.row_image(
        p_old, p_relation, case when p_key = '{}' then p_exclude else v_same end, v_mask, '{}'
    );
    v_change.target_id := audit.row_key(p_new, p_relation, p_key);
    v_change.previous_target_id := nullif(audit.row_key(p_old, p_relation, p_key), v_change.target_id);
    return v_change;
end
$auditctl$;

-- The columns of an audited table, and the expressions by which capture reads them.
--
-- A capture function runs with the rights of audit_owner, so nothing in it may run code that a table's owner can
-- write: no cast and no operator on a type that is not PostgreSQL's own. Such values are recorded by their output
-- function, as text: format('%s', x) calls output functions only, whatever casts exist.

create function audit.qualified(p_schema text, p_name text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select string_agg(
        case when part.name ~ '[].*?"[]' then '"' || replace(part.name, '"', '""') || '"' else part.name end, '.'
        order by part.position
    )
    from unnest(array[p_schema, p_name]) with ordinality as part (name, position)
$auditctl$;

revoke execute on function audit.qualified(text, text) from public;

grant execute on function audit.qualified(text, text) to audit_reader;

comment on function audit.qualified(text, text) is
    'The name under which a table is registered: each part in double quotes only where it would be ambiguous';

create function audit.typed(p_value anyelement, p_type anyelement) returns anyelement
language sql immutable
as $auditctl$
    select p_value
$auditctl$;

revoke execute on function audit.typed(anyelement, anyelement) from public;

comment on function audit.typed(anyelement, anyelement) is
    'The value, if both arguments have one type: else an error when the expression is prepared. In line it costs nothing';

create type audit.captured_column as (
    name text,
    number smallint,
    own_type text,
    base_type text,
    base_oid oid,
    is_array boolean,
    is_plain boolean,
    constituents text[]
);

comment on type audit.captured_column is 'A column as capture sees it';

comment on column audit.captured_column.own_type is 'Its type, quoted, if that is PostgreSQL''s own and goes to JSONB unchanged; else null';

comment on column audit.captured_column.base_type is 'Its type with domains removed, quoted';

comment on column audit.captured_column.is_plain is 'Whether all that a value consists of is PostgreSQL''s own and goes to JSONB unchanged (json and jsonb[] do not)';

comment on column audit.captured_column.constituents is 'The types a value may consist of; ? for one that is not PostgreSQL''s own';

create function audit.captured_columns(p_relation oid) returns setof audit.captured_column
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive wanted as (
        select a.attnum, a.attname, a.atttypid
        from pg_attribute as a
        -- A virtual generated column has no value in a trigger.
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'
    ),

    -- A domain is its base type.
    base as (
        select distinct w.atttypid as root, w.atttypid as oid
        from wanted as w
        union all
        select b.root, t.typbasetype
        from base as b
        join pg_type as t on t.oid = b.oid
        where t.typtype = 'd'
    ),

    part as (
        select b.root, b.oid
        from base as b
        join pg_type as t on t.oid = b.oid
        where t.typtype <> 'd'
        union
        select p.root, inner_type.oid
        from part as p
        join pg_type as t on t.oid = p.oid
        cross join lateral (
            select t.typbasetype as oid where t.typtype = 'd'
            union all
            select t.typelem where t.typcategory = 'A' and t.typelem <> 0
            union all
            select r.rngsubtype from pg_range as r where t.oid in (r.rngtypid, r.rngmultitypid)
            union all
            select a.atttypid from pg_attribute as a
            where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        ) as inner_type
    ),

    summary as (
        select
            p.root,
            -- Object ids below 16384 belong to PostgreSQL itself.
            bool_and(p.oid < 16384 and t.typname not in ('json', '_json', '_jsonb')) as is_plain,
            -- An enum is written the same under any setting; of a foreign type nothing is known, and a composite may change.
            array_agg(distinct case when p.oid < 16384 then t.typname::text else '?' end)
                filter (where t.typtype <> 'e' and t.typcategory <> 'A') as constituents
        from part as p
        join pg_type as t on t.oid = p.oid
        group by p.root
    )

    select
        w.attname::text,
        w.attnum,
        case when s.is_plain and w.atttypid < 16384 then format('%I.%I', n.nspname, t.typname) end,
        format('%I.%I', n.nspname, t.typname),
        b.oid,
        t.typcategory = 'A',
        s.is_plain,
        coalesce(s.constituents, '{}')
    from wanted as w
    join base as b on b.root = w.atttypid
    join pg_type as t on t.oid = b.oid and t.typtype <> 'd'
    join pg_namespace as n on n.oid = t.typnamespace
    join summary as s on s.root = w.atttypid
    order by w.attnum
$auditctl$;

revoke execute on function audit.captured_columns(oid) from public;

comment on function audit.captured_columns(oid) is 'The columns of a table that capture can see, in order';

create function audit.key_columns(p_relation oid) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(a.attname::text order by k.position), '{}')
    from pg_index as i
    cross join lateral unnest(i.indkey) with ordinality as k (number, position)
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
    where i.indrelid = p_relation and i.indisprimary and k.position <= i.indnkeyatts
$auditctl$;

revoke execute on function audit.key_columns(oid) from public;

comment on function audit.key_columns(oid) is 'The columns of the primary key, in order; empty without one';

create function audit.text_code(p_field text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select format('case when num_nulls(%1$s) = 0 then format(''%%s'', %1$s) end', p_field)
$auditctl$;

revoke execute on function audit.text_code(text) from public;

comment on function audit.text_code(text) is 'The expression for a value''s text by its output function; null for null';

create function audit.image_code(p_value text, p_text text, p_base oid, p_is_array boolean) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        case
            -- JSON numbers have no negative zero in JSONB, JSON arrays no bounds: such values are recorded as their text.
            when p_base in ('float4'::regtype, 'float8'::regtype)
                then format('case when %2$s = 0 and %1$s = ''-0'' then to_jsonb(%1$s) else to_jsonb(%2$s) end', p_text, p_value)
            when p_base in ('float4[]'::regtype, 'float8[]'::regtype)
                then format('case when %1$s ~ ''^[[]|[{,]-0[},]'' then to_jsonb(%1$s) else to_jsonb(%2$s) end', p_text, p_value)
            when p_is_array
                then format(
                    'case when strpos(replace(array_dims(%2$s), ''[1:'', ''''), ''['') > 0 then to_jsonb(%1$s) else to_jsonb(%2$s) end',
                    p_text, p_value
                )
            -- A JSON null is no SQL null, and no application may make a value look like one of auditctl's own forms.
            when p_base = 'jsonb'::regtype
                then format(
                    'case when jsonb_typeof(%1$s) = ''null'' or %1$s ?| ''{$masked,$sha256,$json}'' '
                    'then jsonb_build_object(''$json'', %1$s) else %1$s end', p_value
                )
            -- The output function leaves out the encoding that the document declares.
            when p_base = 'xml'::regtype then format('%s::text', p_value)
            else p_value
        end
$auditctl$;

revoke execute on function audit.image_code(text, text, oid, boolean) from public;

comment on function audit.image_code(text, text, oid, boolean) is
    'The expression that records a value of one of PostgreSQL''s own types, from the expressions for it and for its text';

create function audit.value_code(p_row text, p_column audit.captured_column) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_field constant text := format('%s.%I', p_row, p_column.name);
    v_text constant text := audit.text_code(v_field);
    v_value text;
begin
    if p_column.own_type is not null then
        v_value := format('audit.typed(%s, null::%s)', v_field, p_column.own_type);
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

revoke execute on function audit.value_code(text, audit.captured_column) from public;

comment on function audit.value_code(text, audit.captured_column) is 'The expression whose value is recorded for a column of old or new';

create function audit.is_compared_by_image(p_column audit.captured_column) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        p_column.own_type is null
        -- Of these types the operator = holds identical images equal, and no others; of text it does so in collation C.
        or p_column.base_oid <> all (
            array[
                'int2', 'int4', 'int8', 'oid', 'bool', 'uuid', 'bytea', 'date', 'timestamp', 'timestamptz', 'text', 'varchar'
            ]::regtype[]::oid[]
        )
$auditctl$;

revoke execute on function audit.is_compared_by_image(audit.captured_column) from public;

comment on function audit.is_compared_by_image(audit.captured_column) is
    'Whether a change of a column cannot be seen by an operator and needs the comparison of its stored image';

create function audit.differs_code(p_column audit.captured_column) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        format(
            case
                when audit.is_compared_by_image(p_column) then 'record_image_ne(row(old.%1$I), row(new.%1$I))'
                -- Byte for byte, whatever collation the column has or gets.
                when p_column.base_oid in ('text'::regtype, 'varchar'::regtype)
                    then 'audit.typed(old.%1$I, null::%2$s) collate "C" is distinct from new.%1$I collate "C"'
                else 'audit.typed(old.%1$I, null::%2$s) is distinct from new.%1$I'
            end,
            p_column.name, p_column.own_type
        )
$auditctl$;

revoke execute on function audit.differs_code(audit.captured_column) from public;

comment on function audit.differs_code(audit.captured_column) is 'The condition that the stored image of a column changed';

create function audit.pinned_settings(p_stored audit.captured_column[], p_key audit.captured_column[]) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What changes the text of a value; ? stands for every type not known.
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

    found as (
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
        from found as f
        where f.name = any (s.types)
            or f.is_text and f.name = any (s.types_as_text)
            or f.name <> all (
                array[
                    '[]', 'bool', 'int2', 'int4', 'int8', 'oid', 'numeric', 'text', 'varchar', 'bpchar', 'name', 'char', 'uuid', 'json',
                    'jsonb', 'date', 'timestamp', 'time', 'timetz', 'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit', 'xml',
                    'tsvector', 'timestamptz', 'interval', 'float4', 'float8', 'bytea', 'money'
                ]
            )
    )
$auditctl$;

revoke execute on function audit.pinned_settings(audit.captured_column[], audit.captured_column[]) from public;

comment on function audit.pinned_settings(audit.captured_column[], audit.captured_column[]) is
    'The session settings that a function recording these columns must pin, as NAME=VALUE';

-- Capture functions, assembled from templates and a table's columns: by the same code for the tool, which plans with
-- them, and for the coverage guard, which makes them anew when a table changes.

create table audit.template (
    action audit.action not null,
    parts text[] not null,
    constraint template_pkey primary key (action)
);

comment on table audit.template is 'The bodies of capture functions, as install wrote them';

comment on column audit.template.action is 'The captured action';

comment on column audit.template.parts is 'In turn a piece of text, and the name of what is put between it and the next';

alter table audit.template enable row level security;

create policy template_is_read_by_whoever_may on audit.template for select using (true);

grant select on audit.template to audit_reader;

create function audit.function_name(p_schema text, p_table text, p_action audit.action) returns text
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
        -- Cut or ambiguous names get a hash of what they stand for.
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

revoke execute on function audit.function_name(text, text, audit.action) from public;

comment on function audit.function_name(text, text, audit.action) is
    'schema__table__action, with a hash where that would be ambiguous or longer than 63 bytes';

create function audit.function_parts(
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
        'require_actor', p_require_actor::text,
        'is_part', (v_kind = 'p' or p_relation <> p_root)::text,
        'schema', (select quote_literal(n.nspname) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace where c.oid = p_root),
        'table', (select quote_literal(c.relname) from pg_class as c where c.oid = p_root)
    );
    if p_action = 'TRUNCATE' then
        return v_parts;
    end if;
    return v_parts || jsonb_build_object(
        -- A partition numbers its columns as it likes: the whole is asked, by its object id. After a restore that is
        -- another, and after the whole became a partition itself its root is: both take the careful way until apply.
        'shape_changed', case
            when v_kind = 'p' then format(
                E'pg_partition_root(tg_relid) <> %L::oid\n            or has_column_privilege(%L::oid, %L::smallint, ''select'') is not null',
                pg_partition_root(p_relation)::oid, p_relation::oid, v_last + 1
            )
            else format('has_column_privilege(tg_relid, %L::smallint, ''select'') is not null', v_last + 1)
        end,
        'old_row', audit.row_code('old', v_captured, p_mask),
        'new_row', audit.row_code('new', v_captured, p_mask),
        'old_key', audit.key_code('old', v_key),
        'new_key', audit.key_code('new', v_key),
        'update_key', concat_ws(
            E'\n',
            case when cardinality(v_key) > 0 then format(
                E'        v_target_id := %s;\n        if %s then\n            v_previous_target_id := %s;\n        end if;',
                audit.key_code('new', v_key), (select string_agg(audit.differs_code(k), ' or ') from unnest(v_key) as k),
                audit.key_code('old', v_key)
            ) end,
            -- Nothing else may tell which row it was.
            case when cardinality(v_key) = 0 then format('        v_old := %s;', audit.row_code('old', v_captured, p_mask)) end
        ),
        'differences', case p_action when 'UPDATE' then audit.differences_code(v_captured, p_mask) else '' end
    );
end
$auditctl$;

revoke execute on function audit.function_parts(
    regclass, regclass, text, audit.action, text[], text[], text[], boolean, audit.captured_column[]
) from public;

comment on function audit.function_parts(regclass, regclass, text, audit.action, text[], text[], text[], boolean, audit.captured_column[]) is
    'What is put between the pieces of a template, by name, as SQL';

create function audit.assemble(p_parts text[], p_values jsonb) returns text
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
            raise exception 'a template asks for %, which is not known', p_parts[v_position]
                using errcode = 'invalid_parameter_value', hint = 'The templates belong to another version: run auditctl install.';
        else
            v_source := v_source || (p_values ->> p_parts[v_position]);
        end if;
    end loop;
    return v_source;
end
$auditctl$;

revoke execute on function audit.assemble(text[], jsonb) from public;

comment on function audit.assemble(text[], jsonb) is 'A template with its values put in';

create type audit.capture_function as (name text, source text, settings text[], statement text, comment text, grantee text);

comment on type audit.capture_function is 'A capture function as it must be, and the statement that makes it so';

comment on column audit.capture_function.grantee is
    'Who must be allowed to execute it: PostgreSQL asks that of the owner of a partitioned table for each new partition';

create function audit.capture_function(
    p_relation regclass, p_root regclass, p_target text, p_action audit.action,
    p_exclude text[], p_mask text[], p_key text[], p_require_actor boolean
) returns audit.capture_function
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_columns constant audit.captured_column[] := array(select c from audit.captured_columns(p_relation) as c);
    v_primary constant text[] := audit.key_columns(p_relation);
    v_key constant text[] := case
        when v_primary <> '{}' then v_primary
        when p_key <@ array(select c.name from unnest(v_columns) as c) then p_key
        else '{}'
    end;
    v_function audit.capture_function;
    v_tag text := format('$%s$', 'auditctl');
    v_number integer := 0;
begin
    select audit.function_name(n.nspname, c.relname, p_action)
    into v_function.name
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation;

    select E'\n' || audit.assemble(t.parts, audit.function_parts(
        p_relation, p_root, p_target, p_action, p_exclude, p_mask, v_key, p_require_actor, v_columns
    )) || E'\n'
    into v_function.source
    from audit.template as t
    where t.action = p_action;

    v_function.settings := array['search_path=pg_catalog, pg_temp'];
    if p_action <> 'TRUNCATE' then
        v_function.settings := v_function.settings || audit.pinned_settings(
            array(select c from unnest(v_columns) as c where c.name <> all (p_exclude || p_mask)),
            array(select c from unnest(v_columns) as c where c.name = any (v_key))
        );
    end if;

    while strpos(v_function.source, v_tag) > 0 loop
        v_number := v_number + 1;
        v_tag := format('$%s%s$', 'auditctl', v_number);
    end loop;
    v_function.statement := format(
        E'create or replace function audit_triggers.%I() returns trigger\nlanguage plpgsql\nsecurity definer\n%sas %s%s%s',
        v_function.name,
        (
            select string_agg(
                format(
                    E'set %I = %s\n', split_part(s.setting, '=', 1),
                    case when s.setting like 'search_path=%' then 'pg_catalog, pg_temp' else quote_literal(split_part(s.setting, '=', 2)) end
                ), '' order by s.position
            )
            from unnest(v_function.settings) with ordinality as s (setting, position)
        ),
        v_tag, v_function.source, v_tag
    );
    v_function.comment := format('auditctl: %s of %s', lower(p_action::text), p_target);
    -- Harmless: without USAGE on audit_triggers nobody can name the function, and so put it on a table of theirs.
    select pg_get_userbyid(c.relowner)
    into v_function.grantee
    from pg_class as c
    where c.oid = p_relation and c.relkind = 'p' and p_action <> 'TRUNCATE';
    return v_function;
end
$auditctl$;

revoke execute on function audit.capture_function(regclass, regclass, text, audit.action, text[], text[], text[], boolean) from public;

grant execute on function audit.capture_function(regclass, regclass, text, audit.action, text[], text[], text[], boolean) to audit_reader;

comment on function audit.capture_function(regclass, regclass, text, audit.action, text[], text[], text[], boolean) is
    'The function that captures an action on a table, or on a child of the table that p_root and p_target name';

-- The pieces of code that capture functions are assembled from: rows, keys and differences, by a table's columns.

create function audit.recorded_code(p_row text, p_column audit.captured_column, p_mask text[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        format(
            '%L, %s', p_column.name,
            case when p_column.name = any (p_mask) then '''{"$masked": true}''::jsonb' else audit.value_code(p_row, p_column) end
        )
$auditctl$;

revoke execute on function audit.recorded_code(text, audit.captured_column, text[]) from public;

comment on function audit.recorded_code(text, audit.captured_column, text[]) is 'A column''s name and value as arguments of jsonb_build_object';

create function audit.row_code(p_row text, p_columns audit.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column audit.captured_column;
    v_pairs text[] := '{}';
    v_code text := '';
begin
    foreach v_column in array p_columns loop
        v_pairs := v_pairs || (E'\n                ' || audit.recorded_code(p_row, v_column, p_mask));
    end loop;
    -- PostgreSQL's functions take at most 100 arguments: 50 columns.
    for v_first in 1..cardinality(v_pairs) by 50 loop
        v_code := v_code || case when v_first > 1 then E'\n            || ' else '' end
            || format(E'jsonb_build_object(%s\n            )', array_to_string(v_pairs[v_first:v_first + 49], ','));
    end loop;
    return coalesce(nullif(v_code, ''), '''{}''::jsonb');
end
$auditctl$;

revoke execute on function audit.row_code(text, audit.captured_column[], text[]) from public;

comment on function audit.row_code(text, audit.captured_column[], text[]) is 'The expression that records a whole row, old or new';

create function audit.key_code(p_row text, p_key audit.captured_column[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column audit.captured_column;
    v_parts text[] := '{}';
    v_code text;
    v_is_short boolean := true;
begin
    foreach v_column in array p_key loop
        v_parts := v_parts || audit.value_code(p_row, v_column);
        v_is_short := v_is_short
            and v_column.constituents <@ array['int2', 'int4', 'int8', 'oid', 'uuid', 'date', 'timestamp', 'timestamptz', 'bool'];
    end loop;
    if cardinality(p_key) = 0 then
        return 'null';
    elsif cardinality(p_key) > 1 then
        v_code := format('jsonb_build_array(%s)::text', array_to_string(v_parts, ', '));
    -- Types whose cast to text is their output function.
    elsif p_key[1].own_type is not null and p_key[1].base_oid = any (
        array['int2', 'int4', 'int8', 'oid', 'uuid', 'text', 'varchar', 'numeric']::regtype[]::oid[]
    ) then
        v_code := format('%s::text', v_parts[1]);
    else
        v_code := audit.text_code(format('%s.%I', p_row, p_key[1].name));
    end if;
    return case
        when v_is_short then v_code
        else format('case when octet_length(%1$s) > 1000 then audit.fit_key(%1$s) else %1$s end', v_code)
    end;
end
$auditctl$;

revoke execute on function audit.key_code(text, audit.captured_column[]) from public;

comment on function audit.key_code(text, audit.captured_column[]) is 'The expression for the key of a row; null without a key';

create function audit.difference_code(p_group audit.captured_column[], p_mask text[]) returns text
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
            '                if v_new is null then\n'
            '                    v_old := jsonb_build_object(%2$s);\n'
            '                    v_new := jsonb_build_object(%3$s);\n'
            '                else\n'
            '                    v_old := v_old || jsonb_build_object(%2$s);\n'
            '                    v_new := v_new || jsonb_build_object(%3$s);\n'
            '                end if;\n'
            '            end if;\n',
            audit.differs_code(v_column), audit.recorded_code('old', v_column, p_mask), audit.recorded_code('new', v_column, p_mask)
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

revoke execute on function audit.difference_code(audit.captured_column[], text[]) from public;

comment on function audit.difference_code(audit.captured_column[], text[]) is
    'The statements that put the changes of a few columns into v_old and v_new; all are compared in one way';

create function audit.differences_code(p_columns audit.captured_column[], p_mask text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_group_size constant integer := 8;
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

revoke execute on function audit.differences_code(audit.captured_column[], text[]) from public;

comment on function audit.differences_code(audit.captured_column[], text[]) is
    'The statements that put the changed columns of an update into v_old and v_new, which stay null where nothing changed';

create function audit.require_target(p_target text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    -- What is not seen, or not as what it is: control and format characters, fillers, variation selectors.
    v_unseen constant text :=
        e'[\u0001-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680'
        '\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb'
        '\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]';
    v_name text collate "C";
begin
    if coalesce(p_target, '') = '' or octet_length(p_target) > 500 then
        raise exception 'record_event needs a target of 1 to 500 bytes'
            using errcode = 'invalid_parameter_value', hint = 'Name what the event is about, for example billing.invoice.';
    end if;
    if audit.readable(p_target) <> p_target then
        raise exception 'record_event needs a target in valid UTF-8'
            using errcode = 'invalid_parameter_value', hint = 'Name what the event is about, for example billing.invoice.';
    end if;
    v_name := normalize(p_target, nfkc);
    -- However it is spaced, quoted or spelled, nobody may take it for one of auditctl's own.
    if lower(regexp_replace(translate(v_name, ' "''', ''), v_unseen, '', 'g')) ~ '^audit(_triggers)?([.]|$)' then
        raise exception 'record_event cannot record for target %: those events are auditctl''s own', p_target
            using errcode = 'insufficient_privilege', hint = 'Choose a target outside audit.';
    end if;
    if v_name ~ v_unseen or v_name <> btrim(v_name) then
        raise exception 'record_event needs a target that reads as what it is: %', to_json(p_target)
            using errcode = 'invalid_parameter_value',
                hint = 'Leave out control and format characters, and spaces at the start and end.';
    end if;
end
$auditctl$;

revoke execute on function audit.require_target(text) from public;

comment on function audit.require_target(text) is
    'Raises unless an application may record events of that target: a name that is seen as it is, and none of auditctl''s own';

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
    return audit.insert_event(p_target, p_target_id, p_action, null, p_data, p_summary);
end
$auditctl$;

create or replace function audit.record_membership(p_role text, p_login text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_member boolean;
begin
    if p_role is null or p_role not in ('audit_admin', 'audit_reader', 'audit_app') then
        raise exception 'no role of auditctl: %', coalesce(p_role, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Name audit_admin, audit_reader or audit_app.';
    end if;
    if not exists (select from pg_roles as r where r.rolname = p_login) then
        raise exception 'no login: %', coalesce(p_login, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Name a login that exists.';
    end if;
    -- What is true is recorded, not what the caller says.
    v_member := exists (
        select
        from pg_auth_members as m
        where m.roleid = p_role::regrole and m.member = (select r.oid from pg_roles as r where r.rolname = p_login)
            -- From PostgreSQL 16 on a role's creator may grant it without being able to use it.
            and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
    );
    return audit.insert_event(
        'audit.role', p_role, 'EVENT', null, jsonb_build_object('role', p_role, 'login', p_login, 'member', v_member),
        format(case when v_member then '%s granted to %s' else '%s revoked from %s' end, p_role, p_login)
    );
end
$auditctl$;

-- Where capture is installed: what the tool leaves for the coverage guard, which compares the catalog with it.

create table audit.capture (
    relation regclass not null,
    target text not null,
    actions audit.action[] not null,
    exclude text[] not null,
    mask text[] not null,
    key text[] not null,
    require_actor boolean not null,
    former_exclude text[] not null default '{}',
    former_mask text[] not null default '{}',
    members regclass[] not null default '{}',
    detached regclass[] not null default '{}',
    columns jsonb not null default '{}',
    rules text[] not null default '{}',
    being_changed_by xid8,
    constraint capture_pkey primary key (relation)
);

comment on table audit.capture is 'One row for each audited table: how its triggers were made, and what the table was like then';

comment on column audit.capture.relation is 'The table that the target names; its partitions and children are members';

comment on column audit.capture.target is 'schema.table, as its events carry it';

comment on column audit.capture.actions is 'The captured actions';

comment on column audit.capture.exclude is 'Columns that are never stored';

comment on column audit.capture.mask is 'Columns whose change is recorded without the value';

comment on column audit.capture.key is 'Columns that name a row of a table without a primary key';

comment on column audit.capture.require_actor is 'Whether a write without a known actor fails';

comment on column audit.capture.former_exclude is 'Excluded columns that the table no longer has: excluded again if one of that name comes';

comment on column audit.capture.former_mask is 'The same of masked columns';

comment on column audit.capture.members is 'Partitions and children that capture is known to be complete on';

comment on column audit.capture.detached is 'Former members, until apply is run';

comment on column audit.capture.columns is 'For the table and each child: the columns by number, each with name, type and default';

comment on column audit.capture.rules is 'INSTEAD rules that were there already: event (2 update, 3 insert, 4 delete) and name';

comment on column audit.capture.being_changed_by is 'The transaction that changes capture itself: inside it the guard leaves the table alone; else null';

alter table audit.capture enable row level security;

create policy capture_is_read_by_whoever_may on audit.capture for select using (true);

grant select on audit.capture to audit_reader;

create table audit.capture_change (
    changed_at timestamptz not null
);

comment on table audit.capture_change is 'One row that every change of capture updates: a transaction whose snapshot is older cannot lock it';

comment on column audit.capture_change.changed_at is 'When capture was changed last';

insert into audit.capture_change (changed_at) values (pg_catalog.now());

alter table audit.capture_change enable row level security;

create policy capture_change_is_read_by_whoever_may on audit.capture_change for select using (true);

grant select on audit.capture_change to audit_reader;

create function audit.registered_name(p_relation oid) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select audit.qualified(n.nspname, c.relname)
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation
$auditctl$;

revoke execute on function audit.registered_name(oid) from public;

comment on function audit.registered_name(oid) is 'The name a relation would be registered under now; null where it is gone';

create function audit.kin(p_relations oid[]) returns setof oid
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive downward as (
        select unnest(p_relations) as relation
        union
        select i.inhrelid from downward join pg_inherits as i on i.inhparent = downward.relation
    ),

    -- A child may have several parents: what is done to one reaches it, and so the table that another stands for.
    upward as (
        select downward.relation from downward
        union
        select i.inhparent from upward join pg_inherits as i on i.inhrelid = upward.relation
    )

    select upward.relation from upward
$auditctl$;

revoke execute on function audit.kin(oid[]) from public;

comment on function audit.kin(oid[]) is 'Relations with all that descends from them, and all that any of these descends from';

create function audit.audited_through(p_relation oid) returns regclass
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive ancestor as (
        select p_relation as relation, 0 as distance
        union all
        select i.inhparent, a.distance + 1 from ancestor as a join pg_inherits as i on i.inhrelid = a.relation
    )

    select k.relation
    from ancestor as a
    join audit.capture as k on k.relation = a.relation
    join pg_class as c on c.oid = a.relation
    join pg_namespace as n on n.oid = c.relnamespace
    order by a.distance, n.nspname, c.relname
    limit 1
$auditctl$;

revoke execute on function audit.audited_through(oid) from public;

comment on function audit.audited_through(oid) is 'The nearest audited table that a relation is or descends from; null where there is none';

create function audit.current_members(p_root oid) returns regclass[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive downward as (
        select i.inhrelid as relation
        from pg_inherits as i
        where i.inhparent = p_root and not exists (select from audit.capture as k where k.relation = i.inhrelid)
        union
        select i.inhrelid
        from downward
        join pg_inherits as i on i.inhparent = downward.relation
        where not exists (select from audit.capture as k where k.relation = i.inhrelid)
    )

    select coalesce(array_agg(downward.relation::regclass order by downward.relation), '{}')
    from downward
    join pg_class as c on c.oid = downward.relation
    -- A partition has one parent, a child may have several. No other session sees a temporary one.
    where c.relpersistence <> 't' and (c.relispartition or audit.audited_through(c.oid) = p_root)
$auditctl$;

revoke execute on function audit.current_members(oid) from public;

comment on function audit.current_members(oid) is 'The partitions and children that are audited through a table';

create function audit.has_own_function(p_relation oid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL clones a row trigger to partitions, function and all; a child shares nothing with its parent.
    select not c.relispartition from pg_class as c where c.oid = p_relation
$auditctl$;

revoke execute on function audit.has_own_function(oid) from public;

comment on function audit.has_own_function(oid) is 'Whether a member is a child, with functions for its own columns, and no partition';

create function audit.current_columns(p_root oid, p_members regclass[]) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        jsonb_object_agg(
            audit.registered_name(site.relation), (
                select
                    coalesce(
                        jsonb_object_agg(
                            a.attnum, jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid))
                        ), '{}'
                    )
                from pg_attribute as a
                left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
                where a.attrelid = site.relation and a.attnum > 0 and not a.attisdropped
            )
        )
    from unnest(p_root || p_members::oid[]) as site (relation)
    join pg_class as c on c.oid = site.relation
    where site.relation = p_root or not c.relispartition
$auditctl$;

revoke execute on function audit.current_columns(oid, regclass[]) from public;

comment on function audit.current_columns(oid, regclass[]) is
    'For the table and each child, by name: the columns by number, each with name, type and default';

create function audit.current_rules(p_root oid, p_members regclass[]) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(distinct format('%s %s', r.ev_type, r.rulename)), '{}')
    from pg_rewrite as r
    where r.ev_class = any (p_root || p_members::oid[]) and r.is_instead and r.ev_type in ('2', '3', '4') and r.ev_enabled <> 'D'
$auditctl$;

revoke execute on function audit.current_rules(oid, regclass[]) from public;

comment on function audit.current_rules(oid, regclass[]) is 'The INSTEAD rules that keep writes from the table, and so from its triggers: event (2 update, 3 insert, 4 delete) and name';

create function audit.begin_change(p_relations regclass[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    update audit.capture_change set changed_at = clock_timestamp();
    update audit.capture set being_changed_by = pg_current_xact_id()
    where relation::oid in (select audit.kin(p_relations::oid[]));
$auditctl$;

revoke execute on function audit.begin_change(regclass[]) from public;

comment on function audit.begin_change(regclass[]) is
    'Before capture is changed on these relations: the guard leaves them alone until audit.end_change in the same transaction';

create function audit.end_change() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
    with found as (
        select k.relation, audit.current_members(k.relation) as members
        from audit.capture as k
        where k.being_changed_by = pg_current_xact_id()
    )

    update audit.capture as k
    set
        members = found.members,
        columns = audit.current_columns(found.relation, found.members),
        rules = audit.current_rules(found.relation, found.members),
        detached = '{}',
        being_changed_by = null
    from found
    where found.relation = k.relation
$auditctl$;

revoke execute on function audit.end_change() from public;

comment on function audit.end_change() is 'After capture was changed: what the tables are like now is what the guard compares with';

-- The log as people read it.

create or replace function audit.shorten(p_value text) returns text
language sql immutable parallel safe
-- Text may end in half a character, on which PostgreSQL raises. Three bytes behind it make a whole one of any.
return case
    when p_value = '{"$masked": true}' then '***'
    when p_value like '{"$json": %}' then pg_catalog.substr(p_value, 11, least(pg_catalog.length(p_value) - 11, 100))
    when p_value like '{"$bytes": %, "$sha256": "%"}'
        then '(' || pg_catalog.split_part(pg_catalog.split_part(p_value, ': ', 2), ',', 1) || ' bytes)'
    when pg_catalog.length(p_value || '   ') > 103 then pg_catalog.left(p_value || '   ', 99) || pg_catalog.chr(8230)
    else p_value
end;

create or replace function audit.shown(p_value text) returns text
language sql immutable parallel safe
return coalesce(
    case when pg_catalog.octet_length(p_value) > 100 or p_value like '{"$%' then audit.shorten(p_value) else p_value end, 'null'
);

-- What the coverage guard refuses: DDL after which capture would no longer be complete.

create function audit.trigger_faults(p_capture audit.capture, p_members regclass[])
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
        where whole.oid = p_capture.relation and (s.relkind <> 'f' or action <> 'TRUNCATE')
        union all
        select s.oid, action, 'auditctl_' || lower(action::text), audit.function_name(s.nspname, s.relname, action)
        from site as s
        cross join unnest(p_capture.actions) as action
        where not s.is_part and s.oid <> p_capture.relation and (s.relkind <> 'f' or action <> 'TRUNCATE')
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

revoke execute on function audit.trigger_faults(audit.capture, regclass[]) from public;

comment on function audit.trigger_faults(audit.capture, regclass[]) is
    'What keeps capture on a table and its members from recording everything: a phrase for each trigger that is not in place';

create function audit.needs_trigger(p_relation oid, p_action audit.action) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL has no truncate triggers on foreign tables.
    select c.relkind <> 'f' or p_action <> 'TRUNCATE' from pg_class as c where c.oid = p_relation
$auditctl$;

revoke execute on function audit.needs_trigger(oid, audit.action) from public;

comment on function audit.needs_trigger(oid, audit.action) is 'Whether a table or member must have the trigger of an action';

create function audit.command_line(p_command text, p_target text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Quoted as a shell reads it.
    select
        'auditctl ' || p_command || ' ' || case
            when p_target ~ '^[A-Za-z0-9_.]+$' then p_target
            else '''' || replace(p_target, '''', '''' || chr(92) || '''''') || ''''
        end
$auditctl$;

revoke execute on function audit.command_line(text, text) from public;

comment on function audit.command_line(text, text) is 'A command of the tool about a table, to be pasted into a shell';

create function audit.how_to_stop(p_target text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select 'To stop auditing it, the login that installed auditctl, or a superuser, runs first: ' || audit.command_line('disable', p_target)
$auditctl$;

revoke execute on function audit.how_to_stop(text) from public;

comment on function audit.how_to_stop(text) is 'The hint of a refusal';

create function audit.require_triggers(p_capture audit.capture, p_members regclass[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_found record;
begin
    select f.relation, f.fault into v_found from audit.trigger_faults(p_capture, p_members) as f limit 1;
    if found then
        raise exception 'refused: % is audited, and this would mean that %', audit.registered_name(v_found.relation), v_found.fault
            using errcode = 'UA003', hint = audit.how_to_stop(p_capture.target) || '. If it was so before: auditctl apply';
    end if;
end
$auditctl$;

revoke execute on function audit.require_triggers(audit.capture, regclass[]) from public;

comment on function audit.require_triggers(audit.capture, regclass[]) is 'Raises UA003 unless every trigger of an audited table is in place';

create function audit.require_no_new_rule(p_capture audit.capture, p_rules text[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_rule text;
begin
    -- A rule may get a new name; there may not be more of them.
    select r.rule
    into v_rule
    from unnest(p_rules) as r (rule)
    where r.rule <> all (p_capture.rules)
        and (select count(*) from unnest(p_rules) as n (rule) where left(n.rule, 1) = left(r.rule, 1))
            > (select count(*) from unnest(p_capture.rules) as o (rule) where left(o.rule, 1) = left(r.rule, 1))
    limit 1;
    if found then
        raise exception 'refused: % is audited, and rule % would keep writes from its triggers', p_capture.target, substr(v_rule, 3)
            using errcode = 'UA003', hint = audit.how_to_stop(p_capture.target);
    end if;
end
$auditctl$;

revoke execute on function audit.require_no_new_rule(audit.capture, text[]) from public;

comment on function audit.require_no_new_rule(audit.capture, text[]) is 'Raises UA003 on an INSTEAD rule that was not there when capture was installed';

-- What the coverage guard follows: columns, names, new partitions and children of audited tables.

create function audit.write_function(p_relation regclass, p_capture audit.capture, p_action audit.action) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_wanted constant audit.capture_function := audit.capture_function(
        p_relation, p_capture.relation, p_capture.target, p_action,
        p_capture.exclude, p_capture.mask, p_capture.key, p_capture.require_actor
    );
    v_found record;
    v_grantee text;
begin
    select
        p.proname, p.prosrc, p.proconfig, obj_description(p.oid, 'pg_proc') as comment,
        array(
            select pg_get_userbyid(a.grantee)::text
            from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
            where a.grantee <> p.proowner and a.grantee <> 0
        ) as grantees
    into v_found
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid and p.pronamespace = 'audit_triggers'::regnamespace
    where t.tgrelid = p_relation and t.tgname = 'auditctl_' || lower(p_action::text);

    if v_found.proname is distinct from v_wanted.name then
        if exists (
            select
            from pg_proc as p
            join pg_trigger as t on t.tgfoid = p.oid
            where p.pronamespace = 'audit_triggers'::regnamespace and p.proname = v_wanted.name
        ) then
            raise exception 'refused: audit_triggers.% belongs to another table', v_wanted.name
                using errcode = 'UA003', hint = 'Run auditctl apply, which sorts the functions out, then try again.';
        end if;
        if v_found.proname is not null then
            -- That of a table that was dropped stays behind until apply.
            if exists (
                select from pg_proc as p where p.pronamespace = 'audit_triggers'::regnamespace and p.proname = v_wanted.name and p.pronargs = 0
            ) then
                execute format('drop routine audit_triggers.%I()', v_wanted.name);
            end if;
            execute format('alter function audit_triggers.%I() rename to %I', v_found.proname, v_wanted.name);
        end if;
    end if;
    if (v_found.prosrc, v_found.comment) is distinct from (v_wanted.source, v_wanted.comment)
        or not (v_found.proconfig @> v_wanted.settings and v_found.proconfig <@ v_wanted.settings)
    then
        execute v_wanted.statement;
        execute format('revoke execute on function audit_triggers.%I() from public', v_wanted.name);
        execute format('comment on function audit_triggers.%I() is %L', v_wanted.name, v_wanted.comment);
    end if;
    if v_found.grantees <> array_remove(array[v_wanted.grantee], null) then
        foreach v_grantee in array v_found.grantees loop
            execute format('revoke execute on function audit_triggers.%I() from %I', v_wanted.name, v_grantee);
        end loop;
        if v_wanted.grantee is not null then
            execute format('grant execute on function audit_triggers.%I() to %I', v_wanted.name, v_wanted.grantee);
        end if;
    end if;
end
$auditctl$;

revoke execute on function audit.write_function(regclass, audit.capture, audit.action) from public;

comment on function audit.write_function(regclass, audit.capture, audit.action) is
    'Makes the function of one trigger what the table''s columns and name ask for now';

create function audit.take_in(p_member regclass, p_capture audit.capture) returns boolean
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
    return true;
exception when insufficient_privilege then
    raise warning '% is not audited yet: %', audit.registered_name(p_member), sqlerrm
        using hint = 'Run: auditctl apply';
    return false;
end
$auditctl$;

revoke execute on function audit.take_in(regclass, audit.capture) from public;

comment on function audit.take_in(regclass, audit.capture) is
    'Installs capture on a new partition or child of an audited table; returns whether the installing login''s rights allowed it';

create function audit.follow_rename(p_old text, p_new text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    insert into audit.rename (renamed_at, old_target, new_target) values (clock_timestamp(), p_old, p_new);
    insert into audit.target (target, label, key_columns)
    select p_new, t.label, t.key_columns from audit.target as t where t.target = p_old
    on conflict (target) do update set label = excluded.label, key_columns = excluded.key_columns;
    -- A rule for a table that was gone gives way to the table that has the name now.
    delete from audit.rule where name = p_new;
    update audit.rule set name = p_new, set_by = session_user, set_at = now() where name = p_old;
end
$auditctl$;

revoke execute on function audit.follow_rename(text, text) from public;

comment on function audit.follow_rename(text, text) is 'Carries rule, label and history of an audited table over to its new name';

create function audit.is_glob(p_name text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select regexp_replace(p_name, '"[^"]*"', '', 'g') ~ '[*?[]'
$auditctl$;

revoke execute on function audit.is_glob(text) from public;

comment on function audit.is_glob(text) is 'Whether a rule''s name may mean several tables; in double quotes nothing is a wildcard';

create function audit.follow_schema(p_relation regclass, p_old_target text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_new text;
    v_old text;
begin
    select audit.qualified(n.nspname, ''), left(p_old_target, -length(audit.qualified('', c.relname)) + 1)
    into v_new, v_old
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = p_relation;
    update audit.rule as r
    set name = v_new || substr(r.name, length(v_old) + 1), set_by = session_user, set_at = now()
    where audit.is_glob(r.name) and r.name ^@ v_old
        and not exists (select from audit.rule as e where e.name = v_new || substr(r.name, length(v_old) + 1));
end
$auditctl$;

revoke execute on function audit.follow_schema(regclass, text) from public;

comment on function audit.follow_schema(regclass, text) is
    'Carries the globs over the schema that a table was in, such as billing.*, over to the schema''s new name';

create function audit.is_covered(p_capture audit.capture) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- By a rule of its own, or by the first glob that matches its name if that says the same. A glob with brackets or
    -- double quotes is taken for one that does not match: then the table gets a rule of its own.
    select exists (select from audit.rule as r where r.name = p_capture.target) or coalesce(
        (
            select (r.actions, r.exclude, r.mask, r.key, r.require_actor)
                = (p_capture.actions, p_capture.exclude, p_capture.mask, p_capture.key, p_capture.require_actor)
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

revoke execute on function audit.is_covered(audit.capture) from public;

comment on function audit.is_covered(audit.capture) is 'Whether the rules still say of a table what capture does';

create function audit.chosen(p_names text[], p_among text[], p_are_in boolean) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(given.name order by given.position), '{}')
    from (
        select u.name, min(u.position) as position
        from unnest(p_names) with ordinality as u (name, position)
        group by u.name
    ) as given
    where (given.name = any (p_among)) = p_are_in
$auditctl$;

revoke execute on function audit.chosen(text[], text[], boolean) from public;

comment on function audit.chosen(text[], text[], boolean) is 'The names that are, or are not, among others; each once, in their order';

create function audit.state_rule(p_capture audit.capture) returns audit.capture
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
        insert into audit.rule (name, position, actions, exclude, mask, key, require_actor)
        select v_stated.target, coalesce(max(r.position) + 1, 0), v_stated.actions,
            v_stated.exclude, v_stated.mask, v_stated.key, v_stated.require_actor
        from audit.rule as r;
    end if;
    return v_stated;
end
$auditctl$;

revoke execute on function audit.state_rule(audit.capture) from public;

comment on function audit.state_rule(audit.capture) is 'Brings the table''s own rule up to its name and columns, and makes one where only a glob covered it; returns what it states';

create function audit.column_changes(p_old jsonb, p_new jsonb, p_hidden text[]) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(jsonb_agg(change.change order by change.place, change.number), '[]')
    from (
        -- What reached a child through its parent is told once.
        select distinct on (change)
            site.name as place,
            number.number::integer as number,
            case
                when number.was is null then jsonb_build_object('column', number.now ->> 0, 'added', number.now ->> 1)
                    || case
                        when number.now ->> 2 is null or number.now ->> 0 = any (p_hidden) then '{}'
                        else jsonb_build_object('default', number.now ->> 2)
                    end
                when number.now is null then jsonb_build_object('column', number.was ->> 0, 'dropped', number.was ->> 1)
                when number.was ->> 0 <> number.now ->> 0 then jsonb_build_object('column', number.was ->> 0, 'renamed', number.now ->> 0)
                else jsonb_build_object('column', number.now ->> 0, 'retyped', number.now ->> 1, 'from', number.was ->> 1)
            end as change
        from jsonb_object_keys(p_old) as site (name)
        cross join lateral (
            select keys.number, p_old -> site.name -> keys.number as was, p_new -> site.name -> keys.number as now
            from (
                select jsonb_object_keys(p_old -> site.name) as number
                union
                select jsonb_object_keys(p_new -> site.name)
            ) as keys
        ) as number
        where p_new ? site.name
            and (number.was is null or number.now is null
                or number.was ->> 0 <> number.now ->> 0 or number.was ->> 1 <> number.now ->> 1)
        order by change, place, number
    ) as change
$auditctl$;

revoke execute on function audit.column_changes(jsonb, jsonb, text[]) from public;

comment on function audit.column_changes(jsonb, jsonb, text[]) is
    'What happened to columns, from audit.capture.columns before and after: added (with their default, unless hidden), dropped, renamed, retyped';

create function audit.followed_columns(p_names text[], p_old jsonb, p_new jsonb) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with known as (
        select
            number.described ->> 0 as name,
            case when p_new ? site.name then p_new -> site.name -> number.number ->> 0 else number.described ->> 0 end as name_now
        from jsonb_each(p_old) as site (name, columns)
        cross join lateral jsonb_each(site.columns) as number (number, described)
    )

    select coalesce(array_agg(followed.name order by followed.position, followed.name), '{}')
    from (
        -- A column that was dropped leaves its name: one of that name may come back.
        select given.position, coalesce(known.name_now, given.name) as name
        from unnest(p_names) with ordinality as given (name, position)
        join known on known.name = given.name
        union
        -- What the table never had is left as it is: the rule may be a glob's.
        select given.position, given.name
        from unnest(p_names) with ordinality as given (name, position)
        where given.name not in (select known.name from known)
    ) as followed
$auditctl$;

revoke execute on function audit.followed_columns(text[], jsonb, jsonb) from public;

comment on function audit.followed_columns(text[], jsonb, jsonb) is
    'Column names of a rule after columns were renamed, from audit.capture.columns before and after';

-- The coverage guard: inside the transaction of any DDL it looks again at the audited tables concerned, refuses what
-- would silence capture, makes functions anew, takes in new partitions and children, follows renames, and records it.

create function audit.record_ddl(p_target text, p_command text, p_changes jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_summary text;
begin
    select string_agg(
        case
            when c.change ? 'added' then format('column %s %s added', c.change ->> 'column', c.change ->> 'added')
            when c.change ? 'dropped' then format('column %s dropped', c.change ->> 'column')
            when c.change ? 'retyped' then format('column %s now %s, was %s', c.change ->> 'column', c.change ->> 'retyped', c.change ->> 'from')
            when c.change ? 'renamed' then format('column %s renamed to %s', c.change ->> 'column', c.change ->> 'renamed')
            when c.change ? 'renamed_from' then format('table renamed from %s', c.change ->> 'renamed_from')
            when c.change ? 'joined' then format('now audited: %s', c.change ->> 'joined')
            when c.change ? 'left' then format('no longer audited: %s', c.change ->> 'left')
            when c.change ? 'key' then format(
                'key now %s, was %s', coalesce(nullif(translate(c.change ->> 'key', '[]"', ''), ''), 'none'),
                coalesce(nullif(translate(c.change ->> 'was', '[]"', ''), ''), 'none')
            )
            when c.change ? 'gone' then format('gone: %s', c.change ->> 'gone')
        end, '; ' order by c.position
    )
    into v_summary
    from jsonb_array_elements(p_changes) with ordinality as c (change, position);
    perform audit.insert_event(
        'audit.ddl', p_target, 'EVENT', null, jsonb_build_object('command', p_command, 'changes', p_changes),
        concat_ws(': ', format('%s on %s', p_command, p_target), v_summary)
    );
end
$auditctl$;

revoke execute on function audit.record_ddl(text, text, jsonb) from public;

comment on function audit.record_ddl(text, text, jsonb) is 'Records DDL on an audited table, as an event of target audit.ddl';

create function audit.renew_members(p_before audit.capture, p_now audit.capture) returns jsonb
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

revoke execute on function audit.renew_members(audit.capture, audit.capture) from public;

comment on function audit.renew_members(audit.capture, audit.capture) is
    'Brings functions and triggers of an audited table and its members up to date; returns who joined and left';

create function audit.renew_capture(p_relation regclass, p_command text, p_changes jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before audit.capture;
    v_now audit.capture;
    v_changes jsonb := p_changes;
    v_columns text[];
    v_key text[];
    v_old_key text[];
begin
    -- What follows is DDL too, and fires the guard again.
    update audit.capture set being_changed_by = pg_current_xact_id()
    where relation = p_relation and being_changed_by is distinct from pg_current_xact_id()
    returning * into v_before;
    if not found then
        return;
    end if;
    v_now := v_before;
    v_now.target := audit.registered_name(p_relation);
    v_now.members := audit.current_members(p_relation);
    v_now.columns := audit.current_columns(p_relation, v_now.members);
    v_now.rules := audit.current_rules(p_relation, v_now.members);
    v_now.exclude := audit.followed_columns(v_before.exclude, v_before.columns, v_now.columns);
    v_now.mask := audit.followed_columns(v_before.mask, v_before.columns, v_now.columns);
    v_now.key := audit.followed_columns(v_before.key, v_before.columns, v_now.columns);
    v_columns := array(select c.name from audit.captured_columns(p_relation) as c);
    perform audit.require_no_new_rule(v_before, v_now.rules);

    if v_now.target <> v_before.target then
        perform audit.follow_rename(v_before.target, v_now.target);
        v_changes := v_changes || jsonb_build_object('renamed_from', v_before.target);
    end if;
    if (v_now.exclude, v_now.mask, v_now.key) is distinct from (v_before.exclude, v_before.mask, v_before.key)
        or (v_now.former_exclude || v_now.former_mask) && v_columns
        or exists (select from audit.rule as r where r.name = v_now.target)
            and not v_now.exclude || v_now.mask || v_now.key <@ v_columns
        or not audit.is_covered(v_now)
    then
        v_now := audit.state_rule(v_now);
    end if;
    v_key := case when audit.key_columns(p_relation) = '{}' then v_now.key else audit.key_columns(p_relation) end;
    v_old_key := (select t.key_columns from audit.target as t where t.target = v_now.target);
    if v_old_key <> v_key then
        v_changes := v_changes || jsonb_build_object('key', v_key, 'was', v_old_key);
    end if;
    v_changes := v_changes || audit.column_changes(v_before.columns, v_now.columns, v_now.exclude || v_now.mask)
        || audit.renew_members(v_before, v_now);

    update audit.capture
    set
        target = v_now.target, exclude = v_now.exclude, mask = v_now.mask, key = v_now.key,
        former_exclude = v_now.former_exclude, former_mask = v_now.former_mask,
        members = v_now.members, columns = v_now.columns, rules = v_now.rules,
        detached = array(
            select m from unnest(v_before.members || v_before.detached) as m
            where m <> all (v_now.members) and audit.registered_name(m) is not null
        ),
        being_changed_by = null
    where relation = p_relation;
    update audit.target
    set key_columns = v_key
    where target = v_now.target;
    perform audit.record_ddl(v_now.target, p_command, v_changes);
end
$auditctl$;

revoke execute on function audit.renew_capture(regclass, text, jsonb) from public;

comment on function audit.renew_capture(regclass, text, jsonb) is
    'After DDL on an audited table or a member of it: refuses what would silence capture, and brings capture up to date';

create function audit.require_fresh_snapshot() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- DDL works on the newest catalog, and this transaction may see an older audit.capture: then it fails with 40001.
    if current_setting('transaction_isolation') <> 'read committed' then
        perform from audit.capture_change for share;
    end if;
end
$auditctl$;

revoke execute on function audit.require_fresh_snapshot() from public;

comment on function audit.require_fresh_snapshot() is
    'Raises 40001 in a transaction whose snapshot is older than the last change of capture';

create function audit.changed_relations() returns oid[]
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array_agg(found.relation)
    from pg_event_trigger_ddl_commands() as command
    cross join lateral (
        select command.objid as relation where command.classid = 'pg_class'::regclass
        union all
        select t.tgrelid from pg_trigger as t where command.classid = 'pg_trigger'::regclass and t.oid = command.objid
        union all
        select r.ev_class from pg_rewrite as r where command.classid = 'pg_rewrite'::regclass and r.oid = command.objid
        union all
        select c.oid from pg_class as c where command.classid = 'pg_namespace'::regclass and c.relnamespace = command.objid
        union all
        -- The tables of a composite type.
        select typed.oid
        from pg_class as typed
        left join pg_class as composite on composite.reltype = typed.reloftype
        where typed.reloftype <> 0
            and (command.classid = 'pg_class'::regclass and composite.oid = command.objid
                or command.classid = 'pg_type'::regclass and typed.reloftype = command.objid)
    ) as found
$auditctl$;

revoke execute on function audit.changed_relations() from public;

comment on function audit.changed_relations() is 'The relations that a DDL command was about; null for none. Inside an event trigger only';

create function audit.strayed_captures() returns oid[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(k.relation::oid), '{}')
    from audit.capture as k
    where k.being_changed_by is distinct from pg_current_xact_id()
        and (
            audit.registered_name(k.relation) <> k.target
            or audit.current_rules(k.relation, k.members) <> k.rules
            or audit.current_members(k.relation) <> k.members
            or audit.current_columns(k.relation, k.members) <> k.columns
            or exists (select from audit.trigger_faults(k, k.members))
        )
$auditctl$;

revoke execute on function audit.strayed_captures() from public;

comment on function audit.strayed_captures() is 'The audited tables that are not what audit.capture says';

create function audit.watch_ddl(p_command text) returns void
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
    v_relations := audit.changed_relations();
    -- Inside REFRESH, PostgreSQL does not tell what commands were about.
    if v_relations is null and p_command in (
        'ALTER TABLE', 'ALTER TRIGGER', 'ALTER RULE', 'ALTER SCHEMA', 'ALTER INDEX', 'CREATE TRIGGER', 'CREATE RULE',
        'REFRESH MATERIALIZED VIEW'
    ) then
        v_relations := audit.strayed_captures();
    end if;
    if v_relations is null or v_relations = '{}' then
        return;
    end if;
    perform audit.require_fresh_snapshot();
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

revoke execute on function audit.watch_ddl(text) from public;

comment on function audit.watch_ddl(text) is 'The coverage guard, at the end of each DDL command; called by audit.guard_ddl';

create function audit.watch_drop(p_command text) returns void
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
        select from pg_event_trigger_dropped_objects() as d where d.object_type = 'trigger' or d.classid = 'pg_class'::regclass
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
    loop
        if v_dropped.object_type = 'trigger' then
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

revoke execute on function audit.watch_drop(text) from public;

comment on function audit.watch_drop(text) is 'The coverage guard, after each command that drops something; called by audit.guard_drop';
