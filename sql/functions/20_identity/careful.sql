-- Who did it, resolved from the session at the moment of capture.

create or replace function auditctl_internal.holds_app_role() returns boolean
language plpgsql stable
as $auditctl$
-- pg_has_role is true for every superuser, and for a role's creator from PostgreSQL 16 on. Here only memberships that
-- were granted for use count. Capture, whose search_path is pinned, calls this for each event of such logins.
begin
    if not exists (
        select
        from pg_catalog.pg_auth_members as m
        where m.member operator(pg_catalog.=) pg_catalog.to_regrole(pg_catalog.quote_ident(session_user))
    ) then
        return false;
    end if;
    return exists (
        with recursive membership as (
            select pg_catalog.to_regrole(pg_catalog.quote_ident(session_user))::pg_catalog.oid as role
            union
            select m.roleid
            from pg_catalog.pg_auth_members as m
            join membership as e on e.role operator(pg_catalog.=) m.member
            where coalesce((pg_catalog.to_jsonb(m) operator(pg_catalog.->>) 'inherit_option')::boolean, true)
                or coalesce((pg_catalog.to_jsonb(m) operator(pg_catalog.->>) 'set_option')::boolean, true)
        )

        select from membership as e where e.role operator(pg_catalog.=) pg_catalog.to_regrole('auditctl_app')
    );
end
$auditctl$;
comment on function auditctl_internal.holds_app_role is
    'Whether the login was granted auditctl_app, directly or through roles; a superuser is not a member unless granted';

create or replace function auditctl_internal.readable(p_text text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- PostgreSQL does not check the encoding of settings passed at connection start, and the log must stay readable.
    perform convert_to(p_text, 'UTF8');
    return p_text;
exception when others then
    return 'invalid text ' || md5(p_text);
end
$auditctl$;
comment on function auditctl_internal.readable is 'The text, or a placeholder with its MD5 if it is not valid UTF-8; never raises';

create or replace function auditctl_internal.own_keys() returns text[]
language sql immutable
as $auditctl$
    select
        '{application_name,role,partition,previous_target_id,summary,claimed_actor,claimed_ip,context_rejected,context_bytes,'
        'leaf,indirect,imported_by,imported_from,rolled_back,baseline}'::text[]
$auditctl$;
comment on function auditctl_internal.own_keys is 'The context keys that only auditctl writes; inlined, so it costs nothing';

create or replace function auditctl_internal.parse_context(p_text text) returns jsonb
language plpgsql immutable
as $auditctl$
-- Called by capture only, whose search_path is pinned; pinning it again here would cost more than everything else.
declare
    v_context jsonb;
    v_own constant text[] := auditctl_internal.own_keys();
begin
    -- Deep nesting would make readers of the log fail, so brackets are counted before parsing. A number such as
    -- 1e130000 takes a few bytes here but 130,001 digits in every reader.
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
    return jsonb_build_object('context_rejected', left(auditctl_internal.readable(p_text), 500), 'context_bytes', octet_length(p_text));
exception when others then
    return jsonb_build_object('context_rejected', left(auditctl_internal.readable(p_text), 500), 'context_bytes', octet_length(p_text));
end
$auditctl$;
comment on function auditctl_internal.parse_context is
    'The JSON object of the session''s context without the keys auditctl writes itself; if that is not an object, is over 16 kB or is nested too deep, the start of its text; never raises';

create or replace function auditctl_internal.session_context() returns jsonb
language plpgsql stable
as $auditctl$
-- Called by capture only, whose search_path is pinned.
declare
    v_context jsonb;
    v_setting text := nullif(current_setting('auditctl.context', true), '');
begin
    if v_setting is not null then
        v_context := auditctl_internal.parse_context(v_setting);
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
comment on function auditctl_internal.session_context is 'The context of the session''s events; never raises';

create or replace function auditctl_internal.identify() returns auditctl.identity
language plpgsql volatile
as $auditctl$
-- Called by capture and auditctl_internal.insert_event only, whose search_path is pinned.
declare
    v_who auditctl.identity;
    v_actor text := auditctl_internal.claimed_actor();
    v_ip text := nullif(current_setting('auditctl.ip', true), '');
    v_address inet;
begin
    v_who.context := auditctl_internal.session_context();
    if v_actor is not null then
        v_actor := auditctl_internal.readable(v_actor);
        v_actor := case when auditctl_internal.has_visible(v_actor) then v_actor end;
    end if;
    if v_ip is not null then
        v_ip := auditctl_internal.readable(v_ip);
    end if;

    v_who.ip := auditctl_internal.unmapped(inet_client_addr());
    -- By object id: if the role was renamed, nobody is a member of it, and an application's write must not fail.
    if pg_has_role(session_user, to_regrole('auditctl_app'), 'MEMBER')
        and (
            pg_has_role(session_user, to_regrole('auditctl_app'), 'USAGE')
            and not pg_has_role(session_user, to_regrole('auditctl_owner'), 'MEMBER')
            or auditctl_internal.holds_app_role()
        )
    then
        v_who.actor_kind := case when v_actor is null then 'system'::auditctl.actor_kind else 'application' end;
        v_who.actor := v_actor;
        if octet_length(v_actor) > 1000 then
            -- A longer actor does not fit into the index, and must not make the application's write fail.
            v_who.actor := left(v_actor, 200) || chr(8230);
        else
            v_actor := null;
        end if;
        if v_ip is not null then
            v_address := auditctl_internal.parse_ip(v_ip);
            if v_address is not null then
                v_who.ip := v_address;
                v_ip := null;
            end if;
        end if;
    else
        v_who.actor_kind := 'database'::auditctl.actor_kind;
        v_who.actor := session_user;
        -- Lets auditctl_internal.is_database reuse this result until the transaction ends.
        perform set_config('auditctl.database_login', session_user, true);
    end if;

    -- A claim that is not believed stays in the context, so that it can be found.
    if v_actor is not null then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('claimed_actor', left(v_actor, 4000));
    end if;
    if v_ip is not null then
        v_who.context := coalesce(v_who.context, '{}') || jsonb_build_object('claimed_ip', left(v_ip, 200));
    end if;
    return v_who;
end
$auditctl$;
comment on function auditctl_internal.identify is 'Who acts in this session; never raises';
