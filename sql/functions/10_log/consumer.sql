-- Consumers of the log: each has a place in it, which the login that follows moves, and nobody else.

create or replace function auditctl_internal.own_consumer(p_name text) returns auditctl.consumer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_consumer auditctl.consumer;
begin
    select * into v_consumer from auditctl.consumer as c where c.name = p_name for update;
    if v_consumer.owner <> session_user then
        raise exception 'the consumer % belongs to the login %', to_json(p_name), v_consumer.owner
            using errcode = 'insufficient_privilege', hint = 'Follow under another name. List the consumers with: auditctl follow --list';
    end if;
    return v_consumer;
end
$auditctl$;
comment on function auditctl_internal.own_consumer is 'A consumer of the session''s login, locked; null if there is none; raises for one of another login';

create or replace function auditctl_internal.refuse_second_follower(p_consumer auditctl.consumer, p_former integer) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_program text;
begin
    -- Not an advisory lock, which any login could take and keep.
    select a.application_name into v_program
    from pg_stat_activity as a
    where a.pid = p_consumer.process and a.pid not in (pg_backend_pid(), coalesce(p_former, 0)) and a.usename = p_consumer.owner
        and a.datname = current_database() and p_consumer.server_started_at = pg_postmaster_start_time();
    if found then
        raise exception 'another session follows as consumer %: process % (%) of %',
            to_json(p_consumer.name), p_consumer.process, v_program, p_consumer.owner
            using errcode = 'object_in_use', hint = format('Follow under another name, or end it: select pg_terminate_backend(%s);', p_consumer.process);
    end if;
end
$auditctl$;
comment on function auditctl_internal.refuse_second_follower is 'Raises if another session follows as a consumer, and says which';

create or replace function auditctl.open_consumer(
    p_name text, p_filters jsonb, p_format text, p_snapshot text, p_taken_at timestamptz, p_former integer
) returns auditctl.consumer
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_consumer auditctl.consumer;
begin
    if octet_length(p_name) > 200 or not auditctl_internal.has_visible(p_name) or p_name ~ '[[:cntrl:]]' then
        raise exception 'the name of a consumer has 1 to 200 bytes, and no control characters'
            using errcode = 'invalid_parameter_value', hint = 'Name it after what reads, such as siem.';
    end if;
    if octet_length(p_filters::text) > 65536 or octet_length(p_snapshot) > 1000000 or octet_length(p_format) > 100 then
        raise exception 'the filters of a consumer are limited to 64 kB' using errcode = 'invalid_parameter_value';
    end if;
    insert into auditctl.consumer (name, filters, format, snapshot, taken_at)
    values (p_name, p_filters, p_format, p_snapshot, p_taken_at)
    on conflict do nothing;
    if found then
        perform auditctl_internal.insert_event(
            'auditctl.consumer', p_name, 'CREATE', null,
            jsonb_build_object('owner', session_user, 'format', p_format, 'filters', p_filters, 'snapshot', p_snapshot), 'consumer begins'
        );
    end if;
    v_consumer := auditctl_internal.own_consumer(p_name);
    perform auditctl_internal.refuse_second_follower(v_consumer, p_former);
    update auditctl.consumer as c set process = pg_backend_pid(), server_started_at = pg_postmaster_start_time()
    where c.name = p_name
    returning c.* into v_consumer;
    return v_consumer;
end
$auditctl$;
revoke execute on function auditctl.open_consumer from public;
grant execute on function auditctl.open_consumer to auditctl_reader;
comment on function auditctl.open_consumer is
    'Begins to follow as a consumer, a new one from a snapshot; returns it as it is stored; p_former is the process of a session of the same follower that was lost';

create or replace function auditctl.move_consumer(
    p_name text, p_snapshot text, p_goal text, p_after text, p_taken_at timestamptz, p_events bigint
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_consumer constant auditctl.consumer := auditctl_internal.own_consumer(p_name);
begin
    if v_consumer is null then
        raise exception 'there is no consumer % any more', to_json(p_name)
            using errcode = 'undefined_object', hint = 'It was dropped. Following again begins a new one.';
    end if;
    if v_consumer.process is distinct from pg_backend_pid() then
        raise exception 'another session follows as consumer %: process %', to_json(p_name), v_consumer.process
            using errcode = 'object_in_use', hint = 'It took this one for lost. Follow under another name.';
    end if;
    if octet_length(concat(p_snapshot, p_goal, p_after)) > 2000000 or p_events < 0 then
        raise exception 'not a place in the log' using errcode = 'invalid_parameter_value';
    end if;
    update auditctl.consumer as c
    set snapshot = p_snapshot, goal = p_goal, after = p_after, taken_at = p_taken_at, events = c.events + p_events,
        read_at = clock_timestamp()
    where c.name = p_name;
end
$auditctl$;
revoke execute on function auditctl.move_consumer from public;
grant execute on function auditctl.move_consumer to auditctl_reader;
comment on function auditctl.move_consumer is 'Stores how far the session has come as a consumer, and how many events it wrote since';

create or replace function auditctl.drop_consumer(p_name text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_consumer auditctl.consumer;
begin
    select * into v_consumer from auditctl.consumer as c where c.name = p_name for update;
    if v_consumer is null then
        raise exception 'there is no consumer %', to_json(p_name)
            using errcode = 'undefined_object', hint = 'List them with: auditctl follow --list';
    end if;
    if v_consumer.owner <> session_user and not pg_has_role(session_user, 'auditctl_admin'::regrole, 'USAGE') then
        raise exception 'the consumer % belongs to the login %', to_json(p_name), v_consumer.owner
            using errcode = 'insufficient_privilege', hint = 'That login can drop it, or an administrator.';
    end if;
    perform auditctl_internal.refuse_second_follower(v_consumer, null);
    delete from auditctl.consumer as c where c.name = p_name;
    perform auditctl_internal.insert_event(
        'auditctl.consumer', p_name, 'DELETE',
        jsonb_build_object(
            'owner', v_consumer.owner, 'format', v_consumer.format, 'filters', v_consumer.filters, 'events', v_consumer.events,
            'snapshot', v_consumer.snapshot
        ), null, 'consumer dropped'
    );
end
$auditctl$;
revoke execute on function auditctl.drop_consumer from public;
grant execute on function auditctl.drop_consumer to auditctl_reader;
comment on function auditctl.drop_consumer is 'Drops a consumer of the session''s login, or as an administrator any; it begins anew when somebody follows under its name';
