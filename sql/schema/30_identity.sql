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
