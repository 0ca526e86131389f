-- The log itself: one row per captured change, read or business event. Nothing ever updates it.

comment on schema audit is 'auditctl: the write-once activity log; changed by migrations only';
comment on schema audit_triggers is 'auditctl: generated capture functions; may be rebuilt at any time';

-- Names resolve for everyone, because any login may call audit.set_context; each object has its own privileges.
grant usage on schema audit to public;

create type audit.action as enum ('CREATE', 'READ', 'UPDATE', 'DELETE', 'TRUNCATE', 'EVENT');
comment on type audit.action is 'What happened: a row was created, read, updated or deleted, a table truncated, or a business event';

create table audit.event (
    -- Whoever may write to every sequence could use this one up; then numbers repeat, and no write fails.
    event_id bigint generated always as identity (cycle),
    occurred_at timestamptz not null default pg_catalog.clock_timestamp(),
    xact_id xid8 not null default pg_catalog.pg_current_xact_id(),
    actor text,
    actor_kind text not null,
    ip inet,
    db_user text not null default session_user,
    target text not null,
    target_id text,
    action audit.action not null,
    old_values jsonb,
    new_values jsonb,
    context jsonb,
    salt uuid not null default pg_catalog.gen_random_uuid(),
    constraint event_pkey primary key (occurred_at, event_id),
    constraint event_actor_kind_is_known check (actor_kind in ('application', 'database', 'system')),
    constraint event_only_system_has_no_actor check ((actor is null) = (actor_kind = 'system'))
) partition by range (occurred_at);

comment on table audit.event is 'The activity log: append-only, partitioned by month (UTC) of occurred_at';
comment on column audit.event.event_id is 'Identity; gaps are rolled-back transactions, not loss';
comment on column audit.event.occurred_at is 'clock_timestamp() at the capture of the row';
comment on column audit.event.xact_id is 'The transaction that made the change: pg_current_xact_id()';
comment on column audit.event.actor is 'Who: the user an application named, or the database login; null for the system';
comment on column audit.event.actor_kind is 'How the actor is known: application, database or system';
comment on column audit.event.ip is 'Claimed by a trusted application, else the peer address of the connection';
comment on column audit.event.db_user is 'session_user: the login of the connection, whatever was claimed';
comment on column audit.event.target is 'schema.table as registered, or what a business event names';
comment on column audit.event.target_id is 'The key: its text for one column, a JSON array for several, null without a key';
comment on column audit.event.action is 'What happened';
comment on column audit.event.old_values is 'UPDATE: the changed columns before. DELETE: the whole row';
comment on column audit.event.new_values is 'UPDATE: the changed columns after. CREATE: the whole row';
comment on column audit.event.context is 'What else is known: request id, reason, application_name, role, previous_target_id, claims not believed';
comment on column audit.event.salt is 'Random; lets a hash of the event survive the erasure of its values';

create index event_target_target_id_occurred_at_idx on audit.event (target, target_id, occurred_at);
create index event_actor_occurred_at_idx on audit.event (actor, occurred_at);
-- One entry per 32 pages, so nearly free to write; without them `show` and `log --user` of a rare login read it all.
create index event_event_id_idx on audit.event using brin (event_id) with (pages_per_range = 32);
create index event_db_user_idx on audit.event using brin (db_user text_bloom_ops) with (pages_per_range = 32);
-- Only updates that change a key are in it; without it a history cannot be followed forward.
create index event_previous_target_id_idx
    on audit.event (target, (context ->> 'previous_target_id'), occurred_at)
    where context ? 'previous_target_id';

create table audit.event_default partition of audit.event default;
comment on table audit.event_default is 'Catches events of months without a partition, so that no write fails for want of one';

grant select on audit.event to audit_reader;
-- Members of pg_write_all_data hold every table's privileges: without a policy for writing they write nothing here.
alter table audit.event enable row level security;
create policy event_is_read_by_whoever_may on audit.event for select using (true);
-- Write-once: whoever holds the privilege all the same, the owner included, is refused by a trigger.

create function audit.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception '% on %.% refused: the activity log is write-once', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Events are only ever added, by capture and by audit.record_event.';
end
$auditctl$;

revoke execute on function audit.refuse_change() from public;
comment on function audit.refuse_change() is 'Raises UA001 on every update, delete and truncate of the log';

create function audit.guard_partition(p_relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- Row triggers are cloned from audit.event; statement triggers are not.
    if not exists (select from pg_trigger where tgrelid = p_relation and tgname = 'event_write_once_row') then
        execute format(
            'create trigger event_write_once_row before update or delete on %s '
            'for each row execute function audit.refuse_change()', p_relation
        );
    end if;
    if not exists (select from pg_trigger where tgrelid = p_relation and tgname = 'event_write_once_statement') then
        execute format(
            'create trigger event_write_once_statement before update or delete or truncate on %s '
            'for each statement execute function audit.refuse_change()', p_relation
        );
    end if;
    execute format('alter table %s enable row level security', p_relation);
    execute format('alter table only %s enable always trigger event_write_once_row', p_relation);
    execute format('alter table only %s enable always trigger event_write_once_statement', p_relation);
end
$auditctl$;

revoke execute on function audit.guard_partition(regclass) from public;
comment on function audit.guard_partition(regclass) is
    'Puts the write-once guards on the log or one of its partitions, also for replica mode and pg_write_all_data';

select audit.guard_partition('audit.event');
select audit.guard_partition('audit.event_default');
-- Monthly partitions, bounded in UTC whatever the session's time zone.

create function audit.create_partition(p_month date) returns regclass
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month constant date := date_trunc('month', p_month::timestamp)::date;
    v_name constant text := to_char(v_month, '"event_"YYYY_MM');
begin
    if to_regclass(format('audit.%I', v_name)) is not null then
        return null;
    end if;
    -- Attaching blocks no writer of the other partitions; CREATE TABLE ... PARTITION OF would.
    execute format('create table audit.%I (like audit.event including defaults including constraints including comments)', v_name);
    execute format('alter table audit.%I owner to audit_owner', v_name);
    execute format('comment on table audit.%I is %L', v_name, format('Events of %s (UTC)', to_char(v_month, 'YYYY-MM')));
    begin
        execute format(
            'alter table audit.event attach partition audit.%I for values from (%L) to (%L)', v_name,
            to_char(v_month, 'YYYY-MM-DD"T00:00:00+00"'), to_char(v_month + interval '1 month', 'YYYY-MM-DD"T00:00:00+00"')
        );
    exception when check_violation then
        execute format('drop table audit.%I', v_name);
        raise warning 'no partition for %: the DEFAULT partition already holds events of that month', to_char(v_month, 'YYYY-MM');
        return null;
    end;
    perform audit.guard_partition(format('audit.%I', v_name)::regclass);
    return format('audit.%I', v_name)::regclass;
end
$auditctl$;

revoke execute on function audit.create_partition(date) from public;
comment on function audit.create_partition(date) is 'Creates and guards the partition of one month; null when it exists or cannot be made';

create function audit.create_partitions(p_ahead integer default 3) returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_this_month constant timestamp := date_trunc('month', now() at time zone 'UTC');
    v_created integer := 0;
begin
    for i in 0..p_ahead loop
        if audit.create_partition((v_this_month + i * interval '1 month')::date) is not null then
            v_created := v_created + 1;
        end if;
    end loop;
    return v_created;
end
$auditctl$;

revoke execute on function audit.create_partitions(integer) from public;
comment on function audit.create_partitions(integer) is 'Creates the partitions of this month and of so many ahead; returns how many it made';
-- Who did it, resolved from the session at the moment of capture.

create function audit.set_context(
    p_actor text,
    p_ip text default null,
    p_context jsonb default null,
    p_local boolean default true
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        set_config('auditctl.actor', coalesce(p_actor, ''), p_local),
        set_config('auditctl.ip', coalesce(p_ip, ''), p_local),
        set_config('auditctl.context', coalesce(p_context::text, ''), p_local)
$auditctl$;

grant execute on function audit.set_context(text, text, jsonb, boolean) to public;
comment on function audit.set_context(text, text, jsonb, boolean) is
    'Names the user, address and context of what follows, until the end of the transaction (or of the session with p_local false); believed only from members of audit_app';

create type audit.identity as (actor text, actor_kind text, ip inet, context jsonb);
comment on type audit.identity is 'Who is behind the session, as an event records it';

create function audit.holds_app_role() returns boolean
language plpgsql stable
as $auditctl$
-- pg_has_role says yes for every superuser, and for a role's creator from PostgreSQL 16 on. Here only memberships
-- count that somebody granted for use. Called for each event of such logins by capture, whose search_path is pinned.
begin
    if not exists (
        select
        from pg_catalog.pg_auth_members as m
        where m.member operator(pg_catalog.=) pg_catalog.to_regrole(pg_catalog.quote_ident(session_user))
    ) then
        return false;
    end if;
    return exists (
        with recursive held as (
            select pg_catalog.to_regrole(pg_catalog.quote_ident(session_user))::pg_catalog.oid as role
            union
            select m.roleid
            from pg_catalog.pg_auth_members as m
            join held on held.role operator(pg_catalog.=) m.member
            where coalesce((pg_catalog.to_jsonb(m) operator(pg_catalog.->>) 'inherit_option')::boolean, true)
                or coalesce((pg_catalog.to_jsonb(m) operator(pg_catalog.->>) 'set_option')::boolean, true)
        )

        select from held where held.role operator(pg_catalog.=) pg_catalog.to_regrole('audit_app')
    );
end
$auditctl$;

revoke execute on function audit.holds_app_role() from public;
comment on function audit.holds_app_role() is 'Whether the login was granted audit_app, directly or through roles; a superuser is no member unless granted';

create function audit.parse_ip(p_text text) returns inet
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return btrim(p_text)::inet;
exception when others then
    return null;
end
$auditctl$;

revoke execute on function audit.parse_ip(text) from public;
comment on function audit.parse_ip(text) is 'The address, or null where the text is none; never raises';

create function audit.readable(p_text text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- Settings given when a connection starts are not checked for their encoding, and the log must stay readable.
    perform convert_to(p_text, 'UTF8');
    return p_text;
exception when others then
    return 'invalid text ' || md5(p_text);
end
$auditctl$;

revoke execute on function audit.readable(text) from public;
comment on function audit.readable(text) is 'The text, or a stand-in with its MD5 where it is no valid UTF-8; never raises';

create function audit.parse_context(p_text text) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_context jsonb;
begin
    -- Deep nesting would make readers of the log fail, so brackets are counted before anything is parsed.
    if octet_length(p_text) <= 16384
        and octet_length(p_text) - octet_length(translate(p_text, '[{', '')) <= 500
        -- 1e130000 is nine bytes here and 130,001 digits for each reader.
        and p_text !~ '[0-9.][eE][+-]?[0-9]{3}'
    then
        v_context := p_text::jsonb;
        if jsonb_typeof(v_context) = 'object' then
            return v_context - array[
                'application_name', 'role', 'partition', 'previous_target_id', 'summary',
                'claimed_actor', 'claimed_ip', 'context_rejected', 'context_bytes'
            ];
        end if;
    end if;
    return jsonb_build_object('context_rejected', left(p_text, 500), 'context_bytes', octet_length(p_text));
exception when others then
    return jsonb_build_object('context_rejected', left(p_text, 500), 'context_bytes', octet_length(p_text));
end
$auditctl$;

revoke execute on function audit.parse_context(text) from public;
comment on function audit.parse_context(text) is
    'The JSON object of the session''s context without the keys auditctl writes itself; what is no object, over 16 kB or too deep is kept as the start of its text; never raises';

create function audit.identify() returns audit.identity
language plpgsql stable
as $auditctl$
-- Called by capture only, whose search_path is pinned; pinning it here again would cost more than the rest.
declare
    v_who audit.identity;
    v_actor text := nullif(pg_catalog.current_setting('auditctl.actor', true), '');
    v_ip text := nullif(pg_catalog.current_setting('auditctl.ip', true), '');
    v_address inet;
    v_setting text := nullif(pg_catalog.current_setting('auditctl.context', true), '');
begin
    if v_setting is not null then
        v_who.context := audit.parse_context(audit.readable(v_setting));
    end if;
    if v_actor is not null then
        v_actor := audit.readable(v_actor);
    end if;
    if v_ip is not null then
        v_ip := audit.readable(v_ip);
    end if;

    v_who.ip := pg_catalog.inet_client_addr();
    -- By object id: a role that was renamed away is nobody's, and no reason to fail an application's write.
    if pg_catalog.pg_has_role(session_user, pg_catalog.to_regrole('audit_app'), 'MEMBER')
        and (
            pg_catalog.pg_has_role(session_user, pg_catalog.to_regrole('audit_app'), 'USAGE')
            and not pg_catalog.pg_has_role(session_user, pg_catalog.to_regrole('audit_owner'), 'MEMBER')
            or audit.holds_app_role()
        )
    then
        v_who.actor_kind := case when v_actor is null then 'system' else 'application' end;
        v_who.actor := v_actor;
        if pg_catalog.octet_length(v_actor) > 1000 then
            -- A longer one does not fit the index, and must not make the application's write fail.
            v_who.actor := pg_catalog.left(v_actor, 200) || pg_catalog.chr(8230);
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
    end if;

    -- What was claimed and not taken is kept, so that the claim itself can be found.
    if v_actor is not null then
        v_who.context := coalesce(v_who.context, '{}') || pg_catalog.jsonb_build_object('claimed_actor', pg_catalog.left(v_actor, 4000));
    end if;
    if v_ip is not null then
        v_who.context := coalesce(v_who.context, '{}') || pg_catalog.jsonb_build_object('claimed_ip', pg_catalog.left(v_ip, 200));
    end if;
    v_setting := pg_catalog.current_setting('application_name');
    if v_setting <> '' then
        v_who.context := coalesce(v_who.context, '{}') || pg_catalog.jsonb_build_object('application_name', v_setting);
    end if;
    v_setting := pg_catalog.current_setting('role');
    if v_setting <> 'none' then
        v_who.context := coalesce(v_who.context, '{}') || pg_catalog.jsonb_build_object('role', v_setting);
    end if;
    return v_who;
end
$auditctl$;

revoke execute on function audit.identify() from public;
comment on function audit.identify() is 'Who is behind this session; never raises';
-- The careful way to record a row, for when generated code meets what it was not made for: a value too large for
-- JSONB, text that JSONB refuses, a column added, dropped or retyped since. Slow, and never fails.

create function audit.value_image(p_value anyelement) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- real, double precision and their arrays: JSONB has no negative zero.
    if pg_typeof(p_value)::oid in (700, 701, 1021, 1022) and format('%s', p_value) ~ '(^|[{,])-0($|[,}])' then
        return to_jsonb(format('%s', p_value));
    end if;
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

revoke execute on function audit.value_image(anyelement) from public;
comment on function audit.value_image(anyelement) is 'A value as JSONB, or its hash and length in bytes where JSONB cannot hold it';

create function audit.is_plain_type(p_type oid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL's own types have object ids below 16384. to_jsonb() on any other type runs a cast its owner may
    -- have written, with the rights of audit_owner: those are recorded by their output function, as text.
    with recursive base as (
        select t.oid, t.typtype, t.typbasetype, t.typelem from pg_type as t where t.oid = p_type
        union all
        select t.oid, t.typtype, t.typbasetype, t.typelem
        from pg_type as t
        join base on t.oid = case base.typtype when 'd' then base.typbasetype end
    )
    select base.oid < 16384 and base.oid not in ('json'::regtype, 'json[]'::regtype)
    from base
    where base.typtype <> 'd'
$auditctl$;

revoke execute on function audit.is_plain_type(oid) from public;
comment on function audit.is_plain_type(oid) is 'Whether values of the type go to JSONB as they are; others are recorded as their text';

create function audit.column_image(p_row anyelement, p_column name, p_type oid) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_value jsonb;
begin
    execute format(
        case
            when audit.is_plain_type(p_type) then 'select audit.value_image(($1).%1$I)'
            else 'select audit.value_image(case when num_nulls(($1).%1$I) = 0 then format(''%%s'', ($1).%1$I) end)'
        end, p_column
    ) into v_value using p_row;
    return coalesce(v_value, 'null');
end
$auditctl$;

revoke execute on function audit.column_image(anyelement, name, oid) from public;
comment on function audit.column_image(anyelement, name, oid) is 'One column of a row as JSONB';

create function audit.unknown_columns(p_relation oid, p_known text[], p_hidden text[]) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A column whose name is new may be a renamed one that must not be shown, unless none is gone.
    with now as (
        select a.attname::text as name
        from pg_attribute as a
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped
    )

    select coalesce(array_agg(now.name), '{}')
    from now
    where now.name <> all (p_known)
        and cardinality(p_hidden) > 0
        and exists (select from unnest(p_known) as k (name) where k.name not in (select n.name from now as n))
$auditctl$;

revoke execute on function audit.unknown_columns(oid, text[], text[]) from public;
comment on function audit.unknown_columns(oid, text[], text[]) is
    'The columns that may be excluded or masked ones under a new name: to be masked until the rule is applied again';

create function audit.row_image(p_row anyelement, p_relation oid, p_exclude text[], p_mask text[], p_known text[]) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
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

revoke execute on function audit.row_image(anyelement, oid, text[], text[], text[]) from public;
comment on function audit.row_image(anyelement, oid, text[], text[], text[]) is
    'A row as JSONB by the columns the table has now, without the excluded, with the masked hidden';

create function audit.fit_key(p_key text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        case
            when octet_length(p_key) > 1000
                then left(p_key, 100) || chr(8230) || ' sha256:' || encode(sha256(convert_to(p_key, 'UTF8')), 'hex')
            else p_key
        end
$auditctl$;

revoke execute on function audit.fit_key(text) from public;
comment on function audit.fit_key(text) is 'The key, or its start and hash where it is too long to be indexed (over 1,000 bytes)';

create function audit.row_key(p_row anyelement, p_relation oid, p_key text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
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
            execute format('select case when num_nulls(($1).%1$I) = 0 then format(''%%s'', ($1).%1$I) end', v_column.attname)
            into v_text using p_row;
        else
            v_parts := v_parts || jsonb_build_array(audit.column_image(p_row, v_column.attname, v_column.atttypid));
            v_text := v_parts::text;
        end if;
    end loop;
    return audit.fit_key(v_text);
end
$auditctl$;

revoke execute on function audit.row_key(anyelement, oid, text[]) from public;
comment on function audit.row_key(anyelement, oid, text[]) is 'The key of a row by the columns the table has now';

create type audit.change as (old_values jsonb, new_values jsonb, target_id text, previous_target_id text);
comment on type audit.change is 'What an update did to a row, as an event records it';

create function audit.compare_rows(
    p_old anyelement, p_new anyelement, p_relation oid, p_exclude text[], p_mask text[], p_known text[], p_key text[]
) returns audit.change
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_change audit.change;
    v_old constant jsonb := audit.row_image(p_old, p_relation, p_exclude, '{}', '{}');
    v_new constant jsonb := audit.row_image(p_new, p_relation, p_exclude, '{}', '{}');
    v_mask constant text[] := p_mask || audit.unknown_columns(p_relation, p_known, p_exclude || p_mask);
    v_masked constant jsonb := '{"$masked": true}';
begin
    select
        coalesce(jsonb_object_agg(o.key, case when o.key = any (v_mask) then v_masked else o.value end), '{}'),
        coalesce(jsonb_object_agg(o.key, case when o.key = any (v_mask) then v_masked else v_new -> o.key end), '{}')
    into v_change.old_values, v_change.new_values
    from jsonb_each(v_old) as o
    -- As text: jsonb holds 1.0 equal to 1.00.
    where o.value::text is distinct from (v_new -> o.key)::text;

    v_change.target_id := audit.row_key(p_new, p_relation, p_key);
    v_change.previous_target_id := nullif(audit.row_key(p_old, p_relation, p_key), v_change.target_id);
    if p_key = '{}' then
        v_change.old_values := audit.row_image(p_old, p_relation, p_exclude, p_mask, p_known);
    end if;
    return v_change;
end
$auditctl$;

revoke execute on function audit.compare_rows(anyelement, anyelement, oid, text[], text[], text[], text[]) from public;
comment on function audit.compare_rows(anyelement, anyelement, oid, text[], text[], text[], text[]) is
    'The change from one row to the other by the columns the table has now; new_values is empty where nothing changed';
-- What is audited. Rules are stated by people; targets are the tables that capture was ever installed on.

create table audit.rule (
    name text not null,
    position integer not null,
    label text,
    actions audit.action[] not null,
    exclude text[] not null default '{}',
    mask text[] not null default '{}',
    key text[] not null default '{}',
    require_actor boolean not null default false,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    constraint rule_pkey primary key (name),
    constraint rule_label_is_not_empty check (label <> '')
);

comment on table audit.rule is 'What is to be audited: one row per table or glob, as enable and apply state it';
comment on column audit.rule.name is 'schema.table, or a glob such as billing.*';
comment on column audit.rule.position is 'Order in which globs are tried; an exact name comes before every glob';
comment on column audit.rule.label is 'What people see as the target; null for the name itself';
comment on column audit.rule.actions is 'The captured actions; empty for a table that a glob would cover but must not';
comment on column audit.rule.exclude is 'Columns that are never stored';
comment on column audit.rule.mask is 'Columns whose change is recorded without the value';
comment on column audit.rule.key is 'The columns that name a row of a table without a primary key';
comment on column audit.rule.require_actor is 'Whether a write without a known actor fails (SQLSTATE UA002)';
comment on column audit.rule.set_by is 'The login that stated the rule';
comment on column audit.rule.set_at is 'When the rule was stated';

grant select on audit.rule to audit_reader;
alter table audit.rule enable row level security;
create policy rule_is_read_by_whoever_may on audit.rule for select using (true);

create table audit.target (
    target text not null,
    label text,
    key_columns text[] not null default '{}',
    registered_at timestamptz not null default pg_catalog.now(),
    constraint target_pkey primary key (target)
);

comment on table audit.target is 'Every table that was ever audited, under each name it had';
comment on column audit.target.target is 'schema.table, as events carry it';
comment on column audit.target.label is 'What people see as the target';
comment on column audit.target.key_columns is 'The columns of the key, in order; empty without a key';
comment on column audit.target.registered_at is 'When capture was first installed under this name';

grant select on audit.target to audit_reader;
alter table audit.target enable row level security;
create policy target_is_read_by_whoever_may on audit.target for select using (true);

create table audit.rename (
    renamed_at timestamptz not null,
    old_target text not null,
    new_target text not null,
    constraint rename_pkey primary key (new_target, renamed_at),
    constraint rename_is_a_change check (old_target <> new_target)
);

comment on table audit.rename is 'Each time an audited table was found under a new name; lets its history stay one';
comment on column audit.rename.renamed_at is 'From when on events carry the new name';
comment on column audit.rename.old_target is 'The name before';
comment on column audit.rename.new_target is 'The name since';

grant select on audit.rename to audit_reader;
alter table audit.rename enable row level security;
create policy rename_is_read_by_whoever_may on audit.rename for select using (true);
-- Events that are no row change: an application's business events, and what is done to auditctl itself.

create function audit.insert_event(
    p_target text, p_target_id text, p_action audit.action, p_old jsonb, p_new jsonb, p_summary text
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_who audit.identity := audit.identify();
    v_event_id bigint;
begin
    if p_summary is not null then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('summary', p_summary);
    end if;
    insert into audit.event (actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
    values (v_who.actor, v_who.actor_kind, v_who.ip, p_target, audit.fit_key(p_target_id), p_action, p_old, p_new, v_who.context)
    returning event_id into v_event_id;
    return v_event_id;
end
$auditctl$;

revoke execute on function audit.insert_event(text, text, audit.action, jsonb, jsonb, text) from public;
comment on function audit.insert_event(text, text, audit.action, jsonb, jsonb, text) is 'Adds one event under the session''s identity; the owner''s alone';

create function audit.record_event(
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
    if coalesce(p_target, '') = '' or octet_length(p_target) > 500 then
        raise exception 'record_event needs a target of 1 to 500 bytes'
            using errcode = 'invalid_parameter_value', hint = 'Name what the event is about, for example billing.invoice.';
    end if;
    if lower(p_target) = 'audit' or lower(p_target) like 'audit.%' then
        raise exception 'record_event cannot record for target %: those events are auditctl''s own', p_target
            using errcode = 'insufficient_privilege', hint = 'Choose a target outside audit.';
    end if;
    return audit.insert_event(p_target, p_target_id, p_action, null, p_data, p_summary);
end
$auditctl$;

revoke execute on function audit.record_event(text, text, text, jsonb, audit.action) from public;
grant execute on function audit.record_event(text, text, text, jsonb, audit.action) to audit_app, audit_admin;
comment on function audit.record_event(text, text, text, jsonb, audit.action) is
    'Records a business event or a read, under the same rules of who as any other event; returns its event_id';

create function audit.record_export(p_data jsonb) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if octet_length(p_data::text) > 65536 then
        raise exception 'an export''s description is limited to 64 kB' using errcode = 'invalid_parameter_value';
    end if;
    return audit.insert_event('audit.export', null, 'EVENT', null, p_data, 'log exported');
end
$auditctl$;

revoke execute on function audit.record_export(jsonb) from public;
grant execute on function audit.record_export(jsonb) to audit_reader;
comment on function audit.record_export(jsonb) is 'Records that the caller exports the log, with format and filters; returns the event_id';

create function audit.record_membership(p_role text, p_login text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_member boolean;
begin
    if p_role not in ('audit_admin', 'audit_reader', 'audit_app') then
        raise exception 'no role of auditctl: %', p_role using errcode = 'invalid_parameter_value';
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

revoke execute on function audit.record_membership(text, text) from public;
grant execute on function audit.record_membership(text, text) to audit_admin;
comment on function audit.record_membership(text, text) is 'Records whether a login is now a member of one of auditctl''s roles; returns the event_id';

create function audit.record_rule() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform audit.insert_event(
        'audit.rule',
        case tg_op when 'DELETE' then old.name else new.name end,
        case tg_op when 'INSERT' then 'CREATE' else tg_op end::audit.action,
        case when tg_op <> 'INSERT' then to_jsonb(old) end,
        case when tg_op <> 'DELETE' then to_jsonb(new) end,
        null
    );
    return null;
end
$auditctl$;

revoke execute on function audit.record_rule() from public;
comment on function audit.record_rule() is 'Records every change of a rule, whoever makes it and however';

create trigger rule_recorded after insert or update or delete on audit.rule
for each row execute function audit.record_rule();
alter table audit.rule enable always trigger rule_recorded;
-- The log as people read it.

create function audit.shorten(p_value text) returns text
language sql immutable parallel safe
return case
    when p_value = '{"$masked": true}' then '***'
    when p_value like '{"$bytes": %, "$sha256": "%"}'
        then '(' || pg_catalog.split_part(pg_catalog.split_part(p_value, ': ', 2), ',', 1) || ' bytes)'
    when pg_catalog.length(p_value) > 100 then pg_catalog.left(p_value, 99) || pg_catalog.chr(8230)
    else p_value
end;

revoke execute on function audit.shorten(text) from public;
grant execute on function audit.shorten(text) to audit_reader;
comment on function audit.shorten(text) is 'A long, masked or oversize value as it stands in a sentence';

create function audit.shown(p_value text) returns text
language sql immutable parallel safe
return coalesce(
    case when pg_catalog.octet_length(p_value) > 100 or p_value ^@ '{"$' then audit.shorten(p_value) else p_value end, 'null'
);

revoke execute on function audit.shown(text) from public;
grant execute on function audit.shown(text) to audit_reader;
comment on function audit.shown(text) is 'A recorded value as it stands in a sentence: at most 100 characters, null as such';

create function audit.sentence(p_action audit.action, p_old jsonb, p_new jsonb, p_context jsonb)
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
    else p_context ->> 'summary'
end;
end;

revoke execute on function audit.sentence(audit.action, jsonb, jsonb, jsonb) from public;
grant execute on function audit.sentence(audit.action, jsonb, jsonb, jsonb) to audit_reader;
comment on function audit.sentence(audit.action, jsonb, jsonb, jsonb) is 'audit.details as a set of one row, for use in a FROM clause';

create function audit.details(p_action audit.action, p_old jsonb, p_new jsonb, p_context jsonb default null) returns text
language sql stable parallel safe
return (select sentence.details from audit.sentence(p_action, p_old, p_new, p_context) as sentence);

revoke execute on function audit.details(audit.action, jsonb, jsonb, jsonb) from public;
grant execute on function audit.details(audit.action, jsonb, jsonb, jsonb) to audit_reader;
comment on function audit.details(audit.action, jsonb, jsonb, jsonb) is
    'What happened, as one sentence, such as: balance: 10.00 -> 12.50; status: active -> closed (with a real arrow)';

create view audit.activity as
select
    event.event_id,
    event.occurred_at as created_on,
    event.ip as ip_address,
    coalesce(event.actor, 'System') as user_name,
    coalesce(target.label, event.target) as target,
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
left join audit.target as target on target.target = event.target;

comment on view audit.activity is 'The log as people read it: the label for the table, System for nobody, and a sentence of what happened';
comment on column audit.activity.created_on is 'When the change was captured';
comment on column audit.activity.ip_address is 'From where';
comment on column audit.activity.user_name is 'Who: the actor, or System; actor_kind tells a person of that name from the system';
comment on column audit.activity.target is 'The label of the table, or its name';
comment on column audit.activity.details is 'One sentence';
comment on column audit.activity.target_name is 'schema.table as events carry it, whatever the label';

grant select on audit.activity to audit_reader;
-- One object's life, through changes of its key and new names of its table.

create function audit.target_names(p_target text)
returns table (target text, since timestamptz, until timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- The table meant: the one that has the name now, or the last that had it.
    with recursive meant as (
        select
            p_target as target,
            coalesce(
                (
                    select max(away.renamed_at)
                    from audit.rename as away
                    where away.old_target = p_target
                        and not exists (
                            select
                            from audit.rename as arrival
                            where arrival.new_target = p_target and arrival.renamed_at >= away.renamed_at
                        )
                ), 'infinity'
            ) as until
    ),

    -- What it was called before, latest first: the earlier name ends when the later begins.
    backward as (
        select m.target, m.until from meant as m
        union all
        select r.old_target, r.renamed_at
        from backward as b
        cross join lateral (
            select e.old_target, e.renamed_at
            from audit.rename as e
            where e.new_target = b.target and e.renamed_at < b.until
            order by e.renamed_at desc
            limit 1
        ) as r
    ),

    -- What it was called afterwards, earliest first.
    forward as (
        select r.new_target as target, r.renamed_at as since
        from meant as m
        join audit.rename as r on r.old_target = m.target and r.renamed_at = m.until
        union all
        select r.new_target, r.renamed_at
        from forward as f
        cross join lateral (
            select e.new_target, e.renamed_at
            from audit.rename as e
            where e.old_target = f.target and e.renamed_at > f.since
            order by e.renamed_at
            limit 1
        ) as r
    )

    select
        b.target,
        coalesce(
            (select max(e.renamed_at) from audit.rename as e where e.new_target = b.target and e.renamed_at < b.until), '-infinity'
        ),
        b.until
    from backward as b
    union all
    select
        f.target,
        f.since,
        coalesce(
            (select min(e.renamed_at) from audit.rename as e where e.old_target = f.target and e.renamed_at > f.since), 'infinity'
        )
    from forward as f
$auditctl$;

revoke execute on function audit.target_names(text) from public;
grant execute on function audit.target_names(text) to audit_reader;
comment on function audit.target_names(text) is 'The names one table has had, each with the time it bore it; the name itself where nothing is known';

create function audit.history(p_target text, p_target_id text)
returns table (event_id bigint, occurred_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
-- One object has few events among very many: each step is a look-up in an index, never a pass over the log.
set enable_hashjoin = off
set enable_mergejoin = off
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

revoke execute on function audit.history(text, text) from public;
grant execute on function audit.history(text, text) to audit_reader;
comment on function audit.history(text, text) is
    'The events of one object: every row that bore the key, followed back and forward through changes of the key and of the table''s name';
