-- Events that are not row changes: an application's business events, and changes to auditctl itself.

create or replace function auditctl_internal.insert_event(
    p_target text, p_target_id text, p_action auditctl.action, p_old jsonb, p_new jsonb, p_summary text,
    p_reason text default null, p_event_id bigint default null
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_who auditctl.identity := auditctl_internal.identify();
    v_event_id bigint;
begin
    if p_summary is not null then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('summary', p_summary);
    end if;
    if p_reason is not null then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('reason', p_reason);
    end if;
    insert into auditctl.event (event_id, actor, actor_kind, ip, target, target_id, action, old_values, new_values, context)
    overriding system value
    values (
        coalesce(p_event_id, nextval('auditctl.event_event_id_seq')), v_who.actor, v_who.actor_kind, v_who.ip, p_target,
        auditctl_internal.fit_key(p_target_id), p_action,
        auditctl_internal.fit_values(p_old), auditctl_internal.fit_values(p_new), auditctl_internal.fit_values(v_who.context)
    )
    returning event_id into v_event_id;
    return v_event_id;
end
$auditctl$;
comment on function auditctl_internal.insert_event is 'Inserts one event with the session''s identity, with a summary and a reason if it has them, and with a number that the sequence gave before';

create or replace function auditctl.record_event(
    p_target text,
    p_target_id text default null,
    p_summary text default null,
    p_data jsonb default null,
    p_action auditctl.action default 'EVENT'
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_target text;
begin
    if p_action is null or p_action not in ('EVENT', 'READ') then
        raise exception 'record_event cannot record %: only capture records row changes', coalesce(p_action::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Use action EVENT or READ.';
    end if;
    v_target := auditctl_internal.event_name(p_target);
    if octet_length(p_target_id) > 10240 then
        raise exception 'record_event takes a target_id of at most 10 kB'
            using errcode = 'invalid_parameter_value', hint = 'Pass the key that identifies the object.';
    end if;
    if octet_length(p_summary) > 65536 then
        raise exception 'record_event takes a summary of at most 64 kB'
            using errcode = 'invalid_parameter_value', hint = 'Write one sentence; pass the rest as data.';
    end if;
    if octet_length(p_data::text) > 1048576 then
        raise exception 'record_event takes data of at most 1 MB'
            using errcode = 'invalid_parameter_value', hint = 'Record where the data can be found, or a digest of it.';
    end if;
    if not coalesce((auditctl.deciding_type(v_target)).enabled, true) then
        return null;
    end if;
    return auditctl_internal.insert_event(
        v_target, auditctl_internal.normal_key(v_target, p_target_id), p_action, null, p_data, p_summary
    );
end
$auditctl$;
revoke execute on function auditctl.record_event from public;
grant execute on function auditctl.record_event to auditctl_app, auditctl_admin;
comment on function auditctl.record_event is
    'Records a business event or a read, with the same identity rules as any other event; returns its event_id, or null if its type is disabled';

create or replace function auditctl.record_export(p_data jsonb) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if octet_length(p_data::text) > 65536 then
        raise exception 'an export''s description is limited to 64 kB' using errcode = 'invalid_parameter_value';
    end if;
    if jsonb_typeof(p_data) is distinct from 'object' then
        raise exception 'an export''s description is a JSON object' using errcode = 'invalid_parameter_value';
    end if;
    return auditctl_internal.insert_event('auditctl.export', null, 'EVENT', null, p_data, 'log exported');
end
$auditctl$;
revoke execute on function auditctl.record_export from public;
grant execute on function auditctl.record_export to auditctl_reader;
comment on function auditctl.record_export is 'Records that the caller exports the log, with format and filters; returns the event_id';

create or replace function auditctl.record_export_end(p_export bigint, p_data jsonb) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if octet_length(p_data::text) > 65536 or jsonb_typeof(p_data) <> 'object' then
        raise exception 'an export''s description is limited to 64 kB' using errcode = 'invalid_parameter_value';
    end if;
    if coalesce(p_data ->> 'rows', '') !~ '^[0-9]{1,18}$' or coalesce(p_data ->> 'bytes', '') !~ '^[0-9]{1,18}$'
        or coalesce(p_data ->> 'sha256', '') !~ '^[0-9a-f]{64}$' or jsonb_typeof(p_data -> 'selection') is distinct from 'string'
        or jsonb_typeof(p_data -> 'rows') <> 'number' or jsonb_typeof(p_data -> 'bytes') <> 'number' then
        raise exception 'the end of an export has its rows, bytes, sha256 and selection' using errcode = 'invalid_parameter_value';
    end if;
    if not exists (
        select from auditctl.event as e
        where e.action = 'EVENT' and e.target = 'auditctl.export' and e.occurred_at > now() - interval '30 days'
            and e.event_id = p_export and e.target_id is null and e.db_user = session_user
    ) then
        raise exception 'the export % was not begun by this login within 30 days', p_export
            using errcode = 'invalid_parameter_value', hint = 'Its beginning is recorded by auditctl.record_export.';
    end if;
    if exists (
        select from auditctl.event as e
        where e.action = 'EVENT' and e.target = 'auditctl.export' and e.occurred_at > now() - interval '30 days'
            and e.target_id = p_export::text
    ) then
        raise exception 'the end of the export % is recorded already', p_export using errcode = 'invalid_parameter_value';
    end if;
    return auditctl_internal.insert_event('auditctl.export', p_export::text, 'EVENT', null, p_data, 'export complete');
end
$auditctl$;
revoke execute on function auditctl.record_export_end from public;
grant execute on function auditctl.record_export_end to auditctl_reader;
comment on function auditctl.record_export_end is
    'Records what an export that the caller began has written, once it is complete: rows, bytes, SHA-256, snapshot; returns the event_id';

create or replace function auditctl.record_membership(p_role text, p_login text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_member boolean;
begin
    if p_role is null or p_role not in ('auditctl_admin', 'auditctl_reader', 'auditctl_app', 'auditctl_backup') then
        raise exception 'not a role of auditctl: %', coalesce(p_role, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Name auditctl_admin, auditctl_reader, auditctl_app or auditctl_backup.';
    end if;
    if not exists (select from pg_roles as r where r.rolname = p_login) then
        raise exception 'no such login: %', coalesce(p_login, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Name a login that exists.';
    end if;
    -- The event records what is true, not what the caller claims.
    v_member := exists (
        select
        from pg_auth_members as m
        where m.roleid = p_role::regrole and m.member = (select r.oid from pg_roles as r where r.rolname = p_login)
            -- From PostgreSQL 16 on a role's creator may grant it without being able to use it.
            and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
    );
    if v_member then
        insert into auditctl.member (role, login) values (p_role, p_login) on conflict do nothing;
    else
        delete from auditctl.member where role = p_role and login = p_login;
    end if;
    return auditctl_internal.insert_event(
        'auditctl.role', p_role, 'EVENT', null, jsonb_build_object('role', p_role, 'login', p_login, 'member', v_member),
        format(case when v_member then '%s granted to %s' else '%s revoked from %s' end, p_role, p_login)
    );
end
$auditctl$;
revoke execute on function auditctl.record_membership from public;
grant execute on function auditctl.record_membership to auditctl_admin;
comment on function auditctl.record_membership is 'Records whether a login is now a member of one of auditctl''s roles; returns the event_id';

create or replace function auditctl_internal.record_rule() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- A row that a dump holds was recorded when it was written.
    if tg_op = 'INSERT' and new.set_at < now() and auditctl_internal.displacement() is not null then
        return null;
    end if;
    perform auditctl_internal.insert_event(
        format('%s.%s', tg_table_schema, tg_table_name),
        case tg_op when 'DELETE' then old.name else new.name end,
        case tg_op when 'INSERT' then 'CREATE' else tg_op end::auditctl.action,
        case when tg_op <> 'INSERT' then to_jsonb(old) end,
        case when tg_op <> 'DELETE' then to_jsonb(new) end,
        null
    );
    return null;
end
$auditctl$;
comment on function auditctl_internal.record_rule is 'Records every change to a rule, an event type, a source of actors, an accepted finding or where months are archived, whichever login or statement makes it';
