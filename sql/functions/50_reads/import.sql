-- Makes events of reads, logins and statements in the server's log. A line is trusted as far as the login that imports it, which the event
-- names; lines that auditctl wrote carry a keyed hash and are trusted by themselves.

create or replace function auditctl_internal.imported_context(p_context jsonb) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Removes keys that have a meaning in the log and are never in the server's log; always names the importing login.
    select auditctl_internal.fit_values(jsonb_strip_nulls(
        case when jsonb_typeof(p_context) = 'object' then p_context else '{}' end
        - '{summary,previous_target_id,claimed_actor,claimed_ip,role,partition}'::text[]
        || jsonb_build_object('imported_by', session_user)
    ))
$auditctl$;
comment on function auditctl_internal.imported_context is 'The context of the event of an imported read, including the login that imports it';

create or replace function auditctl_internal.insert_imported_read(p_read jsonb, p_context jsonb) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    insert into auditctl.event (occurred_at, actor, actor_kind, ip, db_user, target, action, context)
    select
        (p_read ->> 'at')::timestamptz, p_read ->> 'actor', (p_read ->> 'actor_kind')::auditctl.actor_kind, auditctl_internal.parse_ip(p_read ->> 'ip'),
        p_read ->> 'db_user', p_read ->> 'target', 'READ',
        auditctl_internal.imported_context(p_context)
$auditctl$;
comment on function auditctl_internal.insert_imported_read is 'Inserts the event of one read from a line of the server''s log';

create or replace function auditctl_internal.importable_reads(p_lines jsonb, p_horizon timestamptz)
returns table (number bigint, line_key uuid, logged_at timestamptz, already_recorded boolean, line jsonb)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select l.number, auditctl_internal.line_key(l.line ->> 'key'), (l.line ->> 'at')::timestamptz, (l.line ->> 'already_recorded')::boolean, l.line
    from jsonb_array_elements(p_lines) with ordinality as l (line, number)
    where (l.line ->> 'at')::timestamptz between greatest(p_horizon, '2000-01-01') and now() + interval '1 day'
        -- auditctl alone records under these names.
        and l.line ->> 'target' !~* '^"?auditctl(_internal|_triggers)?"?([.]|$)'
        -- Reads in lines that auditctl wrote are identified by the line's hash and imported by auditctl.import_own_reads.
        and l.line ->> 'key' !~ '^auditctl '
$auditctl$;
comment on function auditctl_internal.importable_reads is
    'The lines of a batch that may become events: with a plausible time that retention has not removed, and not of a target of auditctl''s own';

create or replace function auditctl.import_reads(p_lines jsonb) returns table (outcome text, lines bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $auditctl$
declare
    v_horizon constant timestamptz := auditctl_internal.lock_import();
begin
    -- The planner does not know a batch's size; a nested loop would compare every line with every other.
    return query
    with line as materialized (
        select * from auditctl_internal.importable_reads(p_lines, v_horizon)
    ),
    claimed as (
        insert into auditctl.read_line (line_key, logged_at)
        select l.line_key, min(l.logged_at) from line as l group by l.line_key
        on conflict do nothing
        returning read_line.line_key
    ),
    first as (
        select distinct on (l.line_key) l.number, l.line
        from line as l
        join claimed on claimed.line_key = l.line_key
        where not l.already_recorded
        order by l.line_key, l.number
    ),
    inserted as (
        insert into auditctl.event (occurred_at, actor, actor_kind, ip, db_user, target, action, context)
        select
            (f.line ->> 'at')::timestamptz, f.line ->> 'login', 'database', auditctl_internal.unmapped((f.line ->> 'host')::inet), f.line ->> 'login',
            f.line ->> 'target', 'READ', auditctl_internal.imported_context(f.line -> 'context')
        from first as f
        order by f.number
        returning 1
    )
    select 'made', (select count(*) from inserted)
    union all
    select 'recorded', (select count(*) from line as l where l.already_recorded)
    union all
    select 'expired', jsonb_array_length(p_lines) - (select count(*) from line);
end
$auditctl$;
revoke execute on function auditctl.import_reads from public;
grant execute on function auditctl.import_reads to auditctl_admin;
comment on function auditctl.import_reads is
    'Makes events of reads in the server''s log, each once, under the name of the importing login; returns the number of lines by outcome';

create or replace function auditctl_internal.importable_activities(p_lines jsonb, p_horizon timestamptz)
returns table (number bigint, line_key uuid, logged_at timestamptz, line jsonb)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- The word before the key separates these lines from reads.
    select l.number, auditctl_internal.line_key('activity ' || (l.line ->> 'key')), (l.line ->> 'at')::timestamptz, l.line
    from jsonb_array_elements(p_lines) with ordinality as l (line, number)
    where (l.line ->> 'at')::timestamptz between greatest(p_horizon, '2000-01-01') and now() + interval '1 day'
        and l.line ->> 'target' in ('auditctl.sign_in', 'auditctl.refusal', 'auditctl.ddl_statement', 'auditctl.role_statement')
$auditctl$;
comment on function auditctl_internal.importable_activities is
    'The lines of a batch that may become events of logins and statements: with a plausible time that retention has not removed, and of a target for them';

create or replace function auditctl.import_activities(p_lines jsonb) returns table (outcome text, lines bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $auditctl$
declare
    v_horizon constant timestamptz := auditctl_internal.lock_import();
begin
    return query
    with line as materialized (
        select * from auditctl_internal.importable_activities(p_lines, v_horizon)
    ),
    claimed as (
        insert into auditctl.read_line (line_key, logged_at)
        select l.line_key, min(l.logged_at) from line as l group by l.line_key
        on conflict do nothing
        returning read_line.line_key
    ),
    first as (
        select distinct on (l.line_key) l.number, l.line
        from line as l
        join claimed on claimed.line_key = l.line_key
        order by l.line_key, l.number
    ),
    inserted as (
        insert into auditctl.event as e (occurred_at, actor, actor_kind, ip, db_user, target, target_id, action, context)
        select
            (f.line ->> 'at')::timestamptz, left(f.line ->> 'login', 200), 'database',
            auditctl_internal.unmapped((f.line ->> 'host')::inet), left(f.line ->> 'login', 200),
            f.line ->> 'target', auditctl_internal.fit_key(f.line ->> 'target_id'), 'EVENT',
            auditctl_internal.imported_context(f.line -> 'context') || jsonb_strip_nulls(jsonb_build_object('summary', f.line -> 'summary'))
        from first as f
        order by f.number
        returning e.target
    )
    select i.target, count(*) from inserted as i group by i.target
    union all
    select 'expired', jsonb_array_length(p_lines) - (select count(*) from line);
end
$auditctl$;
revoke execute on function auditctl.import_activities from public;
grant execute on function auditctl.import_activities to auditctl_admin;
comment on function auditctl.import_activities is
    'Makes events of failed logins, refused statements, DDL and statements about roles in the server''s log, each once, under the name of the importing login; returns the number of lines by target or outcome';

create or replace function auditctl_internal.is_own_read(p_json text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select case when auditctl.verify_read_line(p_json) then p_json::jsonb ->> 'v' = '1' else false end
$auditctl$;
comment on function auditctl_internal.is_own_read is 'Whether auditctl itself wrote the line, with this database''s key and in a known format version';

create or replace function auditctl_internal.is_in_progress(p_xact_id xid8) returns boolean
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A future transaction id comes from before a restore of the database, or from another server.
    select case
        when p_xact_id < pg_snapshot_xmax(pg_current_snapshot()) then coalesce(pg_xact_status(p_xact_id) = 'in progress', false)
        else false
    end
$auditctl$;
comment on function auditctl_internal.is_in_progress is 'Whether a transaction has not ended; a prepared one has not';

create or replace function auditctl_internal.settle_read(p_read jsonb, p_context jsonb) returns text
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
        if auditctl_internal.is_in_progress(v_xact_id) then
            return 'waiting';
        end if;
        if exists (select from auditctl.event as e where e.occurred_at = v_at and e.event_id = v_event_id)
            or exists (select from auditctl.event as e where e.event_id = v_event_id and e.xact_id = v_xact_id and e.action = 'READ')
        then
            return 'recorded';
        end if;
    end if;
    perform auditctl_internal.insert_imported_read(
        p_read, case when jsonb_typeof(p_context) = 'object' then p_context else '{}' end || jsonb_build_object(
            'leaf', p_read -> 'leaf', 'query', p_read -> 'query', 'rolled_back', case when v_is_recorded then true end,
            'transaction', v_xact_id::text
        )
    );
    return 'made';
end
$auditctl$;
comment on function auditctl_internal.settle_read is
    'Makes the event of a read that auditctl wrote to the server''s log, unless the event exists; returns made, recorded, or waiting while its transaction runs';

create or replace function auditctl.import_own_reads(p_lines jsonb) returns table (number integer, outcome text)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_horizon constant timestamptz := auditctl_internal.lock_import();
    v_line jsonb;
    v_read jsonb;
    v_key uuid;
begin
    for number, v_line in
        select l.number, l.line from jsonb_array_elements(p_lines) with ordinality as l (line, number) order by l.number
    loop
        outcome := 'known';
        if not auditctl_internal.is_own_read(v_line ->> 'json') then
            outcome := 'forged';
        else
            v_read := (v_line ->> 'json')::jsonb;
            if (v_read ->> 'at')::timestamptz < v_horizon then
                outcome := 'expired';
            else
                -- The hash covers the whole line: writing the same line again adds no read.
                v_key := auditctl_internal.line_key('auditctl ' || (v_read ->> 'mac'));
                insert into auditctl.read_line (line_key, logged_at) values (v_key, (v_read ->> 'at')::timestamptz)
                on conflict do nothing;
                if found then
                    outcome := auditctl_internal.settle_read(v_read, v_line -> 'context');
                    if outcome = 'waiting' then
                        update auditctl.read_line
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
revoke execute on function auditctl.import_own_reads from public;
grant execute on function auditctl.import_own_reads to auditctl_admin;
comment on function auditctl.import_own_reads is
    'Makes events of reads that auditctl wrote to the server''s log and that have no event, such as those of rolled-back transactions; returns the outcome of each line';

create or replace function auditctl.settle_reads() returns table (outcome text, lines bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform auditctl_internal.lock_import();
    return query
    with result as (
        select r.line_key, auditctl_internal.settle_read(r.waiting -> 'read', r.waiting -> 'context') as outcome
        from auditctl.read_line as r
        where r.waiting is not null
    ),
    done as (
        update auditctl.read_line as r
        set waiting = null
        from result
        where result.line_key = r.line_key and result.outcome <> 'waiting'
    )
    select s.outcome, count(*) from result as s group by s.outcome;
end
$auditctl$;
revoke execute on function auditctl.settle_reads from public;
grant execute on function auditctl.settle_reads to auditctl_admin;
comment on function auditctl.settle_reads is 'Settles reads whose transaction was still running when their line was imported; returns the number of reads by outcome';

create or replace function auditctl.note_log_file(
    p_fingerprint text, p_name text, p_format text, p_position bigint, p_line bigint, p_tail text, p_size bigint
) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    insert into auditctl.log_file as f (fingerprint, name, format, position, line, tail, size)
    values (p_fingerprint, p_name, p_format, p_position, p_line, p_tail, p_size)
    on conflict (fingerprint) do update
    set name = excluded.name, position = excluded.position, line = excluded.line, tail = excluded.tail, size = excluded.size,
        read_by = session_user, read_at = now()
$auditctl$;
revoke execute on function auditctl.note_log_file from public;
grant execute on function auditctl.note_log_file to auditctl_admin;
comment on function auditctl.note_log_file is 'Stores how far a file of the server''s log was read, in the transaction that stores the reads';

create or replace function auditctl.record_import(p_data jsonb, p_summary text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if octet_length(p_data::text) > 65536 or octet_length(p_summary) > 1000 then
        raise exception 'an import''s description is limited to 64 kB' using errcode = 'invalid_parameter_value';
    end if;
    return auditctl_internal.insert_event('auditctl.import', null, 'EVENT', null, p_data, p_summary);
end
$auditctl$;
revoke execute on function auditctl.record_import from public;
grant execute on function auditctl.record_import to auditctl_admin;
comment on function auditctl.record_import is 'Records that the caller imports the server''s log; returns the event_id';
