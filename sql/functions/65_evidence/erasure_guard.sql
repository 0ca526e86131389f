-- Checks, completes and records each erasure that is announced, and says which change of an event it allows.

create or replace function auditctl_internal.lock_sealing() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- The lock of auditctl.begin_sealing.
    lock table auditctl.incarnation in share update exclusive mode;
end
$auditctl$;
comment on function auditctl_internal.lock_sealing is 'Keeps sealing away until the transaction ends';

create or replace function auditctl_internal.lock_erasure() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '10s'
as $auditctl$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'an erasure needs a transaction with isolation level read committed'
            using errcode = 'feature_not_supported', hint = 'It must see every hold that was placed before.';
    end if;
    -- Upkeep copies events, and sealing reads them: neither may have one as it was before.
    perform from auditctl.maintenance for update;
    perform auditctl_internal.lock_sealing();
    -- A hold that is being placed is either visible from here on, or waits until the values are erased.
    lock table auditctl.hold in share mode;
exception when lock_not_available then
    raise exception 'the log is in use: %', coalesce(
        auditctl_internal.maintainer(), (auditctl_internal.lock_holders(array['auditctl.hold', 'auditctl.incarnation']::regclass[]::oid[]))[1],
        'by a transaction that has ended'
    ) using errcode = 'lock_not_available', hint = 'Nothing was erased. Try again when that transaction has ended.';
end
$auditctl$;
comment on function auditctl_internal.lock_erasure is 'Keeps upkeep, sealing and new holds away until the transaction ends; raises if they are busy for more than 10 seconds';

create or replace function auditctl_internal.event_holds(p_event auditctl.event) returns setof bigint
language sql stable
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
    select h.hold_id
    from auditctl_internal.holds_in_force() as h
    where case
        when h.target_id is null then auditctl.is_meant(h.target, p_event.target)
        else exists (
            select
            from auditctl_internal.known_targets(p_event.occurred_at, p_event.occurred_at + interval '1 microsecond') as k (target)
            cross join lateral auditctl_internal.hold_events(
                k.target, h.target_id, p_event.occurred_at, p_event.occurred_at + interval '1 microsecond'
            ) as l
            where auditctl.is_meant(h.target, k.target) and l.event_id = p_event.event_id
        )
    end
    order by h.hold_id
$auditctl$;
comment on function auditctl_internal.event_holds is 'The holds in force that keep an event';

create or replace function auditctl_internal.require_erasable(p_event auditctl.event) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_hold constant bigint := (select h from auditctl_internal.event_holds(p_event) as h limit 1);
begin
    if p_event.target ^@ 'auditctl.' then
        raise exception 'event % is a record of auditctl itself (%), which nobody may erase', p_event.event_id, p_event.target
            using errcode = 'insufficient_privilege', hint = 'It is the evidence of who did what to the log.';
    end if;
    if v_hold is not null then
        raise exception 'event % is under hold %', p_event.event_id, v_hold
            using errcode = 'object_in_use', hint = format('Nothing was erased. If the case is closed: auditctl hold release %s --reason TEXT%s', v_hold, case
                when (select h.released_at from auditctl.hold as h where h.hold_id = v_hold) is not null
                    then '. It is released, and keeps events until 7 days after auditctl maintain saw that'
                else '' end);
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_erasable is 'Raises if a hold keeps an event, with the number of the hold, or if it is a record of auditctl itself';

create or replace function auditctl_internal.require_erasure_reason(p_reason text) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if not coalesce(auditctl_internal.has_visible(p_reason), false) or octet_length(p_reason) > 8192 then
        raise exception 'an erasure needs a reason of at most 8 kB'
            using errcode = 'invalid_parameter_value', hint = 'State its purpose, such as the number of the request; it stays in the log.';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_erasure_reason is 'Raises for a reason that says nothing, or is too long';

create or replace function auditctl_internal.record_erasure(p_erasure auditctl.erasure, p_event auditctl.event) returns bigint
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select auditctl_internal.insert_event(
        'auditctl.erasure', p_event.event_id::text, 'EVENT', null, jsonb_build_object(
            'event_id', p_event.event_id, 'occurred_at', p_event.occurred_at, 'target', p_event.target, 'places', p_erasure.places
        ) || case
            when p_erasure.block is null then '{}'
            else jsonb_build_object('block', p_erasure.block, 'digest', auditctl_internal.erasure_digest(p_erasure))
        end, format('values of event %s erased', p_event.event_id), p_erasure.reason
    )
$auditctl$;
comment on function auditctl_internal.record_erasure is 'Inserts the event that announces an erasure; returns its number';

create or replace function auditctl_internal.announce_erasure(p_erasure auditctl.erasure) returns auditctl.erasure
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_erasure auditctl.erasure := p_erasure;
    v_event auditctl.event;
begin
    perform auditctl_internal.require_erasure_reason(p_erasure.reason);
    select e.* into strict v_event from auditctl.event as e where e.occurred_at = p_erasure.occurred_at and e.event_id = p_erasure.event_id;
    perform auditctl_internal.require_erasable(v_event);
    v_erasure.places := auditctl_internal.find_places(v_event, p_erasure.places, '{}');
    v_erasure.erased_by := session_user;
    v_erasure.erased_at := clock_timestamp();
    v_erasure.xact_id := pg_current_xact_id();
    v_erasure := auditctl_internal.erase_leaf(v_erasure, v_event);
    v_erasure.erased_in := auditctl_internal.record_erasure(v_erasure, v_event);
    return v_erasure;
end
$auditctl$;
comment on function auditctl_internal.announce_erasure is
    'The row of auditctl.erasure for one that names event, places and reason: with login, time and transaction, and the event that announces it; raises if a hold keeps the event';

create or replace function auditctl_internal.is_announced_of_archived(p_erasure auditctl.erasure) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        p_erasure.xact_id = pg_current_xact_id_if_assigned()
        and not exists (select from auditctl.event as e where e.occurred_at = p_erasure.occurred_at and e.event_id = p_erasure.event_id)
        and auditctl_internal.has_event(p_erasure.event_id, p_erasure.occurred_at)
        and exists (
            select
            from auditctl.event as e
            where e.occurred_at >= now() and e.event_id = p_erasure.erased_in and e.xact_id = p_erasure.xact_id and e.target = 'auditctl.erasure'
                and e.new_values @> jsonb_build_object('event_id', p_erasure.event_id, 'occurred_at', p_erasure.occurred_at, 'places', p_erasure.places)
                and e.new_values ->> 'digest' is not distinct from case when p_erasure.block is not null then auditctl_internal.erasure_digest(p_erasure) end
        )
$auditctl$;
comment on function auditctl_internal.is_announced_of_archived is
    'Whether an erasure is of an event that is in an archive alone, and an event of this transaction announces it';

create or replace function auditctl_internal.guard_erasure() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- What a dump holds is restored as it was.
    if tg_op = 'INSERT' and new.erased_at < now() and auditctl_internal.displacement() is not null then
        return new;
    end if;
    if tg_op = 'INSERT' then
        perform auditctl_internal.lock_erasure();
        if auditctl_internal.is_announced_of_archived(new) then
            return new;
        end if;
        return auditctl_internal.announce_erasure(new);
    end if;
    -- A later erasure of the event has the salts that are still to be had.
    if tg_op = 'UPDATE' and new.salts is null and to_jsonb(new) - 'salts' = to_jsonb(old) - 'salts' and exists (
        select
        from auditctl.erasure as e
        where e.occurred_at = old.occurred_at and e.event_id = old.event_id and e.erased_in > old.erased_in
            and e.xact_id = pg_current_xact_id()
    ) then
        return new;
    end if;
    if tg_op = 'DELETE' and not auditctl_internal.has_event(old.event_id, old.occurred_at) then
        return old;
    end if;
    raise exception '% on %.% refused: an erasure stays on record', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'It is deleted after its event, by auditctl maintain.';
end
$auditctl$;
comment on function auditctl_internal.guard_erasure is
    'Completes, checks and records each erasure that is announced; raises UA001 on every change of one, and on its delete while its event exists';

create or replace function auditctl_internal.is_erasure(p_old auditctl.event, p_new auditctl.event) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select exists (
        select
        from auditctl.erasure as e
        where e.occurred_at = p_old.occurred_at and e.event_id = p_old.event_id and e.xact_id = pg_current_xact_id()
            and auditctl_internal.erased_event(p_old, e.places) *= p_new
    )
$auditctl$;
comment on function auditctl_internal.is_erasure is 'Whether a change of an event is exactly an erasure that this transaction has announced';
