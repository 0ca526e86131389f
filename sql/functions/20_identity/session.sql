-- Who acts, for most sessions: what an application claims, and cheap functions that read it.

create or replace function auditctl.set_context(
    p_actor text,
    p_ip text default null,
    p_context jsonb default null,
    p_reason text default null,
    p_local boolean default true
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        set_config('auditctl.actor', coalesce(p_actor, ''), p_local),
        set_config('auditctl.ip', coalesce(p_ip, ''), p_local),
        -- The reason is part of the context, so that a write costs nothing more.
        set_config(
            'auditctl.context', coalesce(case
                when p_reason is null then p_context
                else coalesce(p_context, '{}') || jsonb_build_object('reason', p_reason)
            end::text, ''), p_local
        )
$auditctl$;
grant execute on function auditctl.set_context to public;
comment on function auditctl.set_context is
    'Names the user, address, context and reason of the following events, until the end of the transaction (or of the session with p_local false); believed only from members of auditctl_app';

-- The fast paths, for the sessions that nearly all events come from. PostgreSQL inlines SQL functions of one expression, so
-- they cost no call; but it prepares an expression again in each transaction, function by function, so what few sessions need
-- is a call of its own. All raise an error if a role is missing or a setting is not valid text: then, and in all other cases,
-- auditctl_internal.identify() determines the identity.

create or replace function auditctl_internal.is_application(p_actor text) returns boolean
language sql stable
as $auditctl$
    select
        (
            pg_has_role(session_user, 'auditctl_app'::regrole, 'USAGE')
            -- A login with NOINHERIT, such as that of PostgREST. From PostgreSQL 16 on, MEMBER is true for the role's creator.
            or pg_has_role(
                session_user, 'auditctl_app'::regrole,
                case when current_setting('server_version_num')::integer < 160000 then 'MEMBER' else 'SET' end
            )
        )
        -- Superusers have every role; auditctl_internal.identify() checks whether this one was granted.
        and not pg_has_role(session_user, 'auditctl_owner'::regrole, 'MEMBER')
        and coalesce(octet_length(convert_to(p_actor, 'UTF8')) <= 1000, true)
        -- auditctl_internal.identify() handles a list of addresses, a netmask, blanks, and text that is not an address.
        and coalesce(current_setting('auditctl.ip', true) !~ '[, /]', true)
$auditctl$;
comment on function auditctl_internal.is_application is
    'Whether the login is a member of auditctl_app and not a superuser, and the actor and its address look valid';

create or replace function auditctl_internal.is_database() returns boolean
language sql stable
as $auditctl$
    select
        coalesce(current_setting('auditctl.ip', true), '') = ''
        and case
            -- Only superusers and members of auditctl_owner get here; they can write events without forging a setting.
            when pg_has_role(session_user, 'auditctl_owner'::regrole, 'MEMBER')
                then coalesce(current_setting('auditctl.database_login', true), '') = session_user
            else not pg_has_role(session_user, 'auditctl_app'::regrole, 'MEMBER')
        end
$auditctl$;
comment on function auditctl_internal.is_database is 'Whether the login is not an application and names no address';

create or replace function auditctl_internal.context(p_setting text) returns jsonb
language sql stable
as $auditctl$
    select
        case
            when current_setting('role') <> 'none' or current_setting('application_name') = '' then auditctl_internal.session_context()
            -- The checks of auditctl_internal.parse_context(): short, an object, no number of thousands of digits, without
            -- the keys that only auditctl writes. Raises if the text is still not valid JSON.
            when octet_length(p_setting) <= 500 and p_setting ^@ '{' and p_setting !~ '[0-9.][eE][+-]?[0-9]{3}'
                and convert_to(p_setting, 'UTF8') is not null
                then p_setting::jsonb - auditctl_internal.own_keys()
                    || jsonb_object(array['application_name', current_setting('application_name')])
            else auditctl_internal.session_context()
        end
$auditctl$;
comment on function auditctl_internal.context is
    'The same as auditctl_internal.session_context(), cheaper for nearly all sessions; takes the session''s auditctl.context';

create or replace function auditctl_internal.full_context() returns jsonb
language plpgsql stable
as $auditctl$
-- Called by capture only, whose search_path is pinned.
declare
    v_setting constant text := current_setting('auditctl.context', true);
begin
    return auditctl_internal.context(v_setting);
end
$auditctl$;
comment on function auditctl_internal.full_context is 'The context of a session that has more than its application_name; raises if it is not valid JSON';

create or replace function auditctl_internal.quick_context() returns jsonb
language sql stable
as $auditctl$
    select
        case
            when coalesce(current_setting('auditctl.context', true), '') = '' and current_setting('application_name') <> ''
                and current_setting('role') = 'none'
                then jsonb_object(array['application_name', current_setting('application_name')])
            else auditctl_internal.full_context()
        end
$auditctl$;
comment on function auditctl_internal.quick_context is 'The context of the session''s events, cheap if it is its application_name alone; raises if it is not valid JSON';

create or replace function auditctl_internal.other_identity() returns auditctl.identity
language plpgsql volatile
as $auditctl$
-- Called by capture only, whose search_path is pinned.
declare
    v_who auditctl.identity;
    v_actor constant text := auditctl_internal.claimed_actor();
begin
    if v_actor is null and auditctl_internal.is_database() then
        v_who.actor := session_user;
        v_who.actor_kind := 'database'::auditctl.actor_kind;
        v_who.ip := inet_client_addr();
    elsif auditctl_internal.is_application(v_actor) then
        v_who.actor := case when auditctl_internal.has_visible(v_actor) then v_actor end;
        v_who.actor_kind := case when v_who.actor is null then 'system'::auditctl.actor_kind else 'application' end;
        v_who.ip := coalesce(auditctl_internal.unmapped(nullif(current_setting('auditctl.ip', true), '')::inet), inet_client_addr());
    else
        return auditctl_internal.identify();
    end if;
    v_who.context := auditctl_internal.quick_context();
    return v_who;
end
$auditctl$;
comment on function auditctl_internal.other_identity is
    'Who acts in a session of a database login, or of an application that names nobody, an IPv6 address, or a user by another setting or who does not begin with a letter of ASCII';

create or replace function auditctl_internal.session_identity() returns auditctl.identity
language sql volatile
as $auditctl$
    select
        case
            when pg_has_role(session_user, 'auditctl_app'::regrole, 'USAGE')
                and not pg_has_role(session_user, 'auditctl_owner'::regrole, 'MEMBER')
                and octet_length(convert_to(current_setting('auditctl.actor', true), 'UTF8')) <= 1000
                and ascii(current_setting('auditctl.actor', true)) between 33 and 126
                and coalesce(current_setting('auditctl.ip', true) !~ '[, /:]', true)
                then row(
                    current_setting('auditctl.actor'),
                    'application'::auditctl.actor_kind,
                    coalesce(nullif(current_setting('auditctl.ip', true), '')::inet, inet_client_addr()),
                    auditctl_internal.quick_context()
                )::auditctl.identity
            else auditctl_internal.other_identity()
        end
$auditctl$;
comment on function auditctl_internal.session_identity is
    'The same as auditctl_internal.identify(), cheaper for nearly all sessions; raises where that must be called. Inlined';
