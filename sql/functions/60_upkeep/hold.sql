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
    -- What a dump holds is restored as it was.
    if tg_op = 'INSERT' and new.placed_at < now() and auditctl_internal.displacement() is not null then
        return new;
    end if;
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
    v_target constant text := auditctl_internal.upkeep_target(p_target);
    v_target_id text := p_target_id;
    v_key record;
begin
    if not coalesce(auditctl_internal.has_visible(p_reason), false) or octet_length(p_reason) > 4096 then
        raise exception 'a hold needs a reason of at most 4 kB'
            using errcode = 'invalid_parameter_value', hint = 'State its purpose, such as the number of the case.';
    end if;
    perform '' ~ auditctl.target_pattern(v_target);
    if not auditctl_internal.is_glob(v_target) or exists (select from auditctl.target as t where t.target = v_target) then
        select * into v_key from auditctl.find_key(v_target, p_target_id);
        if v_key.fault is not null then
            raise exception '% is not a key of %: %', to_json(p_target_id), v_target, v_key.fault
                using errcode = 'invalid_parameter_value', hint = format('Its key is: %s.', v_key.columns);
        end if;
        v_target_id := v_key.spellings[1];
    end if;
    if octet_length(v_target_id) > 10240 then
        raise exception 'a hold on a glob takes an id of at most 10 kB'
            using errcode = 'invalid_parameter_value', hint = 'Name the target; its keys are shortened.';
    end if;
    insert into auditctl.hold (target, target_id, reason) values (v_target, v_target_id, p_reason)
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

create or replace function auditctl_internal.known_targets(p_from timestamptz, p_to timestamptz) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
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
    )

    select s.target from event_target as s where s.target is not null
    union
    select t.target from auditctl.target as t
$auditctl$;
comment on function auditctl_internal.known_targets is 'The targets of a period''s events, which need not be tables, and every registered table';

create or replace function auditctl_internal.hold_events(p_target text, p_target_id text, p_from timestamptz, p_to timestamptz)
returns table (event_id bigint, occurred_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
-- The same settings as auditctl.object_key_steps, for the same reasons.
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $auditctl$
    -- A hold may have been placed before the key's types were known, or for a glob: it may have any spelling.
    with spelling as materialized (
        select s as target_id from auditctl.find_key(p_target, p_target_id) as f cross join lateral unnest(f.spellings) as s
    )

    select l.event_id, l.occurred_at
    from auditctl.history(p_target, p_target_id) as l
    where l.occurred_at >= p_from and l.occurred_at < p_to
    union
    -- Every row that had the key, even in a former table of that name.
    select e.event_id, e.occurred_at
    from spelling as s
    join auditctl.event as e on e.target = p_target and e.target_id = s.target_id
    where e.occurred_at >= p_from and e.occurred_at < p_to
    union
    select k.event_id, k.occurred_at
    from spelling as s
    join auditctl.key_change as k on k.target = p_target and k.previous_target_id = s.target_id
    where k.occurred_at >= p_from and k.occurred_at < p_to
$auditctl$;
comment on function auditctl_internal.hold_events is
    'The events of a period that a hold on one object of a target keeps: its whole history, across changes of key and name';

create or replace function auditctl_internal.held_events(p_from timestamptz, p_to timestamptz)
returns table (event_id bigint, occurred_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
    select distinct l.event_id, l.occurred_at
    from (
        select distinct known.target, h.target_id
        from auditctl_internal.holds_in_force() as h
        join auditctl_internal.known_targets(p_from, p_to) as known (target) on auditctl.is_meant(h.target, known.target)
        where h.target_id is not null
    ) as object
    cross join lateral auditctl_internal.hold_events(object.target, object.target_id, p_from, p_to) as l
$auditctl$;
comment on function auditctl_internal.held_events is 'The events of a period that holds on single objects keep';

create or replace function auditctl.count_held(p_target text, p_target_id text, p_most bigint) returns bigint
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
declare
    v_targets constant text[] := array(
        select k.target
        from auditctl_internal.known_targets('-infinity', 'infinity') as k (target)
        where auditctl.is_meant(p_target, k.target)
    );
begin
    if p_target_id is null then
        return (select count(*) from (select from auditctl.event as e where e.target = any (v_targets) limit p_most) as e);
    end if;
    return (
        select count(distinct (l.event_id, l.occurred_at))
        from unnest(v_targets) as t
        cross join lateral auditctl_internal.hold_events(t, p_target_id, '-infinity', 'infinity') as l
    );
end
$auditctl$;
revoke execute on function auditctl.count_held from public;
grant execute on function auditctl.count_held to auditctl_reader;
comment on function auditctl.count_held is
    'The number of events that a hold on a target, or on one object of it, would keep now; of a whole target at most p_most are counted';
