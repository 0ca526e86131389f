-- Legal holds: events that no retention run may delete, until the hold is released.

create or replace function auditctl_internal.is_notice(p_old jsonb, p_new jsonb, p_end text, p_ended_in xid8) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Not in the transaction that ended it: that may sleep, or be prepared, while nobody else can see what it did.
    select p_old ->> p_end is not null and p_old ->> 'noticed_at' is null and p_new ->> 'noticed_at' is not null
        and p_new - 'noticed_at' = p_old - 'noticed_at' and p_ended_in is distinct from pg_current_xact_id()
$auditctl$;
comment on function auditctl_internal.is_notice is
    'Whether an update of a hold or a retention time states only that upkeep has seen its end, which another transaction has committed';

create or replace function auditctl_internal.guard_hold() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_release constant text[] := array['released_by', 'released_at', 'release_reason'];
begin
    if tg_op = 'INSERT' then
        new.placed_by := session_user;
        -- The current time, not the start of the transaction: a transaction open for days would leave no time to notice.
        new.placed_at := clock_timestamp();
        new.released_by := null;
        new.released_at := null;
        new.release_reason := null;
        new.released_in := null;
        new.noticed_at := null;
        return new;
    end if;
    if tg_op = 'UPDATE' and old.released_at is null and new.release_reason is not null
        and to_jsonb(new) - v_release = to_jsonb(old) - v_release
    then
        new.released_by := session_user;
        new.released_at := clock_timestamp();
        new.released_in := pg_current_xact_id();
        return new;
    end if;
    if tg_op = 'UPDATE' and auditctl_internal.is_notice(to_jsonb(old), to_jsonb(new), 'released_at', old.released_in) then
        -- The clock may have been set back since.
        new.noticed_at := greatest(clock_timestamp(), old.released_at);
        return new;
    end if;
    raise exception '% on %.% refused: a hold can only be placed and released', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Release it with: auditctl hold release HOLD_ID --reason TEXT';
end
$auditctl$;
comment on function auditctl_internal.guard_hold is 'Allows placing and releasing a hold and noticing its release, with the current time and login, and nothing else';

create or replace function auditctl.place_hold(p_target text, p_target_id text, p_reason text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_hold_id bigint;
    v_target constant text := auditctl.canonical_target(p_target);
begin
    if coalesce(p_target, '') = '' or octet_length(p_target) > 500 or octet_length(p_target_id) > 10240 then
        raise exception 'a hold needs a target of 1 to 500 bytes, and an id of at most 10 kB'
            using errcode = 'invalid_parameter_value', hint = 'Name a target such as billing.invoice, or a glob over targets.';
    end if;
    if not coalesce(auditctl_internal.has_visible(p_reason), false) or octet_length(p_reason) > 4096 then
        raise exception 'a hold needs a reason of at most 4 kB'
            using errcode = 'invalid_parameter_value', hint = 'State its purpose, such as the number of the case.';
    end if;
    perform '' ~ auditctl.target_pattern(v_target);
    insert into auditctl.hold (target, target_id, reason)
    values (v_target, auditctl_internal.fit_key(p_target_id), p_reason)
    returning hold_id into v_hold_id;
    return v_hold_id;
end
$auditctl$;
revoke execute on function auditctl.place_hold from public;
grant execute on function auditctl.place_hold to auditctl_admin;
comment on function auditctl.place_hold is 'Holds the events of a target, or of one object of it, until auditctl.release_hold; returns the hold_id';

create or replace function auditctl.release_hold(p_hold_id bigint, p_reason text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if not coalesce(auditctl_internal.has_visible(p_reason), false) or octet_length(p_reason) > 4096 then
        raise exception 'the release of a hold needs a reason of at most 4 kB'
            using errcode = 'invalid_parameter_value', hint = 'State why the events need not be held any more.';
    end if;
    update auditctl.hold set release_reason = p_reason where hold_id = p_hold_id and released_at is null;
    if not found then
        raise exception 'there is no hold % in force', coalesce(p_hold_id::text, 'null')
            using errcode = 'no_data_found', hint = 'List the holds with: auditctl hold list';
    end if;
end
$auditctl$;
revoke execute on function auditctl.release_hold from public;
grant execute on function auditctl.release_hold to auditctl_admin;
comment on function auditctl.release_hold is 'Releases a hold; its events are deleted once they expire';

create or replace function auditctl_internal.holds_in_force() returns setof auditctl.hold
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A release, like a shorter retention time, takes effect only after others could notice it: since upkeep saw it, it is
    -- committed. The time of the release itself may be long before that.
    select h.*
    from auditctl.hold as h
    where h.released_at is null or h.noticed_at is null or h.noticed_at > now() - auditctl.retention_grace()
$auditctl$;
comment on function auditctl_internal.holds_in_force is 'The holds that keep events now: those not released, and those whose release upkeep has seen only within auditctl.retention_grace()';

create or replace function auditctl_internal.held_events(p_from timestamptz, p_to timestamptz)
returns table (event_id bigint, occurred_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Registered tables, and targets of events that are not tables.
    with recursive event_target as (
        (select e.target from auditctl.event as e where e.occurred_at >= p_from and e.occurred_at < p_to order by e.target limit 1)
        union all
        select (
            select e.target
            from auditctl.event as e
            where e.occurred_at >= p_from and e.occurred_at < p_to and e.target > s.target
            order by e.target
            limit 1
        )
        from event_target as s
        where s.target is not null
    ),

    object as (
        select distinct known.target, h.target_id
        from auditctl_internal.holds_in_force() as h
        join (select s.target from event_target as s where s.target is not null union select t.target from auditctl.target as t) as known
            on auditctl.is_meant(h.target, known.target)
        where h.target_id is not null
    )

    select l.event_id, l.occurred_at
    from object as h
    cross join lateral auditctl.history(h.target, h.target_id) as l
    where l.occurred_at >= p_from and l.occurred_at < p_to
    union
    -- Every row that had the key, even in a former table of that name.
    select e.event_id, e.occurred_at
    from object as h
    join auditctl.event as e on e.target = h.target and e.target_id = h.target_id
    where e.occurred_at >= p_from and e.occurred_at < p_to
    union
    select k.event_id, k.occurred_at
    from object as h
    join auditctl.key_change as k on k.target = h.target and k.previous_target_id = h.target_id
    where k.occurred_at >= p_from and k.occurred_at < p_to
$auditctl$;
comment on function auditctl_internal.held_events is
    'The events of a period that holds on single objects keep: each object''s whole history, across changes of key and name';
