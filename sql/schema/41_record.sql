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
