-- Who looks at the log: what the page and the command line show to whom, and who signs in to the page. Both are recorded
-- under the login that calls these functions, which can therefore claim nothing of anybody else.

create or replace function auditctl_internal.lookup_object(p_targets text[], p_target_id text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Of the names that a table had, the last. Several tables are no object.
    with name as (
        select t.name
        from unnest(p_targets) as t (name)
        where not exists (select from auditctl.rename as r where r.old_target = t.name and r.new_target = any(p_targets))
    )

    select case
        when p_target_id is null then jsonb_build_array(min(n.name))
        else jsonb_build_array(min(n.name), auditctl_internal.normal_key(min(n.name), p_target_id))
    end::text
    from name as n
    having count(*) = 1
$auditctl$;
comment on function auditctl_internal.lookup_object is
    'The key of look-ups of a target, or of one of its objects: a JSON array of both; null for several targets, or none';

create or replace function auditctl_internal.is_repeated(p_who auditctl.identity, p_target_id text, p_data jsonb, p_is_object boolean)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select exists (
        select
        from auditctl.event as e
        where e.action = 'EVENT' and e.target = 'auditctl.lookup' and e.occurred_at > now() - interval '1 hour'
            and e.db_user = session_user and e.actor is not distinct from p_who.actor and e.ip is not distinct from p_who.ip
            and e.context - 'summary' = coalesce(p_who.context, '{}')
            -- A look-up at an object is also one at each of its events. Events without a key have no object in common.
            and (
                (e.new_values = p_data and e.target_id is not distinct from p_target_id)
                or (p_is_object and p_data ->> 'view' <> 'log' and e.target_id = p_target_id)
            )
    )
$auditctl$;
comment on function auditctl_internal.is_repeated is
    'Whether the same person has looked at the same within an hour, from the same address and program';

create or replace function auditctl.record_lookup(
    p_summary text, p_data jsonb, p_targets text[] default null, p_target_id text default null
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_who auditctl.identity;
    v_target_id text;
begin
    if jsonb_typeof(p_data) is distinct from 'object' or coalesce(p_data ->> 'view', '') not in ('log', 'history', 'event') then
        raise exception 'a look-up is described by a JSON object with the view log, history or event'
            using errcode = 'invalid_parameter_value';
    end if;
    if octet_length(p_data::text) > 65536 or octet_length(p_summary) > 65536 or octet_length(p_target_id) > 65536
        or octet_length(p_targets::text) > 1048576 then
        raise exception 'the description of a look-up is limited to 64 kB'
            using errcode = 'invalid_parameter_value', hint = 'Use a glob instead of many names.';
    end if;
    if not coalesce((auditctl.deciding_type('auditctl.lookup')).enabled, true) then
        return null;
    end if;
    v_who := auditctl_internal.identify();
    v_target_id := auditctl_internal.fit_key(auditctl_internal.lookup_object(p_targets, p_target_id));
    if auditctl_internal.is_repeated(v_who, v_target_id, auditctl_internal.fit_values(p_data), p_target_id is not null) then
        return null;
    end if;
    return auditctl_internal.insert_event(
        'auditctl.lookup', v_target_id, 'EVENT', null, p_data, (p_data ->> 'view') || ' viewed: ' || coalesce(p_summary, '')
    );
end
$auditctl$;
revoke execute on function auditctl.record_lookup from public;
grant execute on function auditctl.record_lookup to auditctl_reader;
comment on function auditctl.record_lookup is
    'Records that the caller looks at the log, at the history of an object or at an event; returns the event_id, null if the same was recorded within an hour, or if look-ups are disabled';

create or replace function auditctl.record_session(p_is_start boolean) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if not coalesce((auditctl.deciding_type('auditctl.session')).enabled, true) then
        return null;
    end if;
    return auditctl_internal.insert_event(
        'auditctl.session', null, 'EVENT', null, null, case when p_is_start then 'signed in' else 'signed out' end
    );
end
$auditctl$;
revoke execute on function auditctl.record_session from public;
grant execute on function auditctl.record_session to auditctl_reader;
comment on function auditctl.record_session is
    'Records that the caller signs in to the page, or out; returns the event_id, null if these events are disabled';
