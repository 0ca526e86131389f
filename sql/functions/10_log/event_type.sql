-- The event types that the configuration names: their labels, and which are disabled.

create or replace function auditctl.deciding_type(p_target text) returns auditctl.event_type
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_type auditctl.event_type;
begin
    select t.* into v_type
    from auditctl.event_type as t
    where t.name = p_target
        -- No glob means auditctl's own events: to switch them off, somebody has to name them.
        or p_target !~ '^auditctl[.]'
        and p_target like translate(regexp_replace(t.name, e'([\\\\%_])', e'\\\\\\1', 'g'), '*?', '%_')
    order by t.name = p_target desc, length(t.name) desc, t.name collate "C"
    limit 1;
    return v_type;
end
$auditctl$;
revoke execute on function auditctl.deciding_type from public;
grant execute on function auditctl.deciding_type to auditctl_reader;
comment on function auditctl.deciding_type is
    'The event type that decides whether events of a target are recorded: the one of that name, else the longest matching glob, which means none of auditctl''s own; null if there is none';

create or replace function auditctl.names_actor() returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select auditctl_internal.holds_app_role()
$auditctl$;
revoke execute on function auditctl.names_actor from public;
grant execute on function auditctl.names_actor to auditctl_app, auditctl_admin;
comment on function auditctl.names_actor is 'Whether auditctl believes the user that this session names, that is, whether its login was granted auditctl_app';
