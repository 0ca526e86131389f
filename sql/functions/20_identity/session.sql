-- Who acts, for most sessions: what an application claims, and cheap functions that read it.

create or replace function auditctl.set_context(
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
grant execute on function auditctl.set_context to public;
comment on function auditctl.set_context is
    'Names the user, address and context of the following events, until the end of the transaction (or of the session with p_local false); believed only from members of auditctl_app';

-- Fast paths, for the sessions that nearly all events come from. Capture functions try them in this order and call
-- auditctl_internal.identify() if neither applies. PostgreSQL inlines SQL functions of one expression, so they cost no
-- call. They raise an error if a role is missing; then, too, capture calls auditctl_internal.identify().

create or replace function auditctl_internal.is_application() returns boolean
language sql stable
as $auditctl$
    select
        pg_has_role(session_user, 'auditctl_app'::regrole, 'USAGE')
        -- Superusers have every role; auditctl_internal.identify() checks whether this one was granted.
        and not pg_has_role(session_user, 'auditctl_owner'::regrole, 'MEMBER')
        and coalesce(octet_length(convert_to(current_setting('auditctl.actor', true), 'UTF8')) <= 1000, true)
        -- auditctl_internal.identify() handles a list of addresses, a netmask, blanks, and text that is not an address.
        and coalesce(strpos(translate(current_setting('auditctl.ip', true), ', ', '//'), '/') = 0, true)
$auditctl$;
comment on function auditctl_internal.is_application is
    'Whether the login is a member of auditctl_app and not a superuser, and names a user and an address that look valid';

create or replace function auditctl_internal.is_database() returns boolean
language sql stable
as $auditctl$
    select
        coalesce(current_setting('auditctl.actor', true), '') = ''
        and coalesce(current_setting('auditctl.ip', true), '') = ''
        and case
            -- Only superusers and members of auditctl_owner get here; they can write events without forging a setting.
            when pg_has_role(session_user, 'auditctl_owner'::regrole, 'MEMBER')
                then coalesce(current_setting('auditctl.database_login', true), '') = session_user
            else not pg_has_role(session_user, 'auditctl_app'::regrole, 'MEMBER')
        end
$auditctl$;
comment on function auditctl_internal.is_database is 'Whether the login is not an application and names no user';

create or replace function auditctl_internal.claimed_actor() returns text
language sql stable
as $auditctl$
    select
        case
            when auditctl_internal.has_visible(current_setting('auditctl.actor', true)) then current_setting('auditctl.actor', true)
        end
$auditctl$;
comment on function auditctl_internal.claimed_actor is 'The user that the session names; null if it names none, or shows none: see auditctl_internal.has_visible';

create or replace function auditctl_internal.claimed_ip() returns inet
language sql stable
as $auditctl$
    select
        coalesce(
            case
                when strpos(current_setting('auditctl.ip', true), ':') > 0
                    then auditctl_internal.unmapped(current_setting('auditctl.ip', true)::inet)
                else nullif(current_setting('auditctl.ip', true), '')::inet
            end, inet_client_addr()
        )
$auditctl$;
comment on function auditctl_internal.claimed_ip is
    'The address that the session names, else the peer address of the connection; raises if the text is not an address';

create or replace function auditctl_internal.is_plain_session() returns boolean
language sql stable
as $auditctl$
    select
        coalesce(current_setting('auditctl.context', true), '') = ''
        and current_setting('application_name') <> ''
        and current_setting('role') = 'none'
$auditctl$;
comment on function auditctl_internal.is_plain_session is 'Whether the context of the session is its application_name alone';

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
