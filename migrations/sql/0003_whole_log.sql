-- READ, business events and retention, and events that cost less.

-- What follows stands in sql/schema, as it is now.

-- How long events are kept. What was stated before still counts for a while, so that others notice a shorter time.

create table audit.retention (
    retention_id bigint generated always as identity,
    target text not null,
    keep text,
    set_by text not null default session_user,
    since timestamptz not null default pg_catalog.now(),
    until timestamptz,
    constraint retention_pkey primary key (retention_id),
    constraint retention_target_is_not_empty check (target <> ''),
    constraint retention_keep_is_a_time check (keep ~ '^[1-9][0-9]{0,5} (day|week|month|year)s?$'),
    constraint retention_ends_after_its_start check (until >= since)
);

comment on table audit.retention is 'How long events are kept, as it was ever stated; the longest time that names a target is in force';

comment on column audit.retention.retention_id is 'Identity';

comment on column audit.retention.target is 'A target or a glob over targets; * for every event';

comment on column audit.retention.keep is 'Such as 400 days; null for ever';

comment on column audit.retention.set_by is 'The login that stated it';

comment on column audit.retention.since is 'When it was stated';

comment on column audit.retention.until is 'When something else was stated instead; null while it holds';

create unique index retention_target_idx on audit.retention (target) where until is null;

grant select on audit.retention to audit_reader;

alter table audit.retention enable row level security;

create policy retention_is_read_by_whoever_may on audit.retention for select using (true);

-- Until somebody says otherwise.
insert into audit.retention (target) values ('*');

create function audit.guard_retention() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if tg_op = 'INSERT' then
        new.set_by := session_user;
        new.since := now();
        new.until := null;
        return new;
    end if;
    if tg_op = 'UPDATE' and old.until is null and new.until is not null
        and to_jsonb(new) - 'until' = to_jsonb(old) - 'until'
    then
        new.until := now();
        return new;
    end if;
    raise exception '% on %.% refused: what was stated stays on record', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'State another time with: select audit.set_retention(target, keep)';
end
$auditctl$;

revoke execute on function audit.guard_retention() from public;

comment on function audit.guard_retention() is 'Lets a statement about keeping be made and ended, now and by whoever does it, and nothing else';

create function audit.record_statement() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
-- For audit.retention and audit.hold: the column that names the object is the trigger's argument.
begin
    perform audit.insert_event(
        format('%s.%s', tg_table_schema, tg_table_name),
        to_jsonb(new) ->> tg_argv[0],
        case tg_op when 'INSERT' then 'CREATE' else 'UPDATE' end::audit.action,
        case when tg_op = 'UPDATE' then to_jsonb(old) end,
        to_jsonb(new),
        null
    );
    return null;
end
$auditctl$;

revoke execute on function audit.record_statement() from public;

comment on function audit.record_statement() is 'Records what is stated about keeping events, whoever states it and however';

create trigger retention_guarded before insert or update or delete on audit.retention
for each row execute function audit.guard_retention();

create trigger retention_guarded_statement before truncate on audit.retention
for each statement execute function audit.guard_retention();

create trigger retention_recorded after insert or update on audit.retention
for each row execute function audit.record_statement('target');

alter table audit.retention enable always trigger retention_guarded;

alter table audit.retention enable always trigger retention_guarded_statement;

alter table audit.retention enable always trigger retention_recorded;

create function audit.retention_grace() returns interval
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select interval '7 days'
$auditctl$;

revoke execute on function audit.retention_grace() from public;

grant execute on function audit.retention_grace() to audit_reader;

comment on function audit.retention_grace() is 'How long a longer time still counts after a shorter one was stated';

create function audit.target_pattern(p_glob text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What is special in a regular expression, but not in a glob; brackets too, unless they enclose a choice.
    select
        '^' || replace(replace(replace(
            regexp_replace(
                p_glob,
                case when p_glob ~ '^([^][]|\[[^][]+\])*$' then '([\\.+(){}^$|])' else '([][\\.+(){}^$|])' end,
                '\\\1', 'g'
            ), '[!', '[^'
        ), '*', '.*'), '?', '.') || '$'
$auditctl$;

revoke execute on function audit.target_pattern(text) from public;

grant execute on function audit.target_pattern(text) to audit_reader;

comment on function audit.target_pattern(text) is 'The regular expression of a glob over targets: *, ?, [abc] and [!abc]';

create function audit.kindred_targets(p_target text) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with recursive kin as (
        select p_target as target
        union
        select case when r.old_target = k.target then r.new_target else r.old_target end
        from kin as k
        join audit.rename as r on k.target in (r.old_target, r.new_target)
    )

    select k.target from kin as k
$auditctl$;

revoke execute on function audit.kindred_targets(text) from public;

grant execute on function audit.kindred_targets(text) to audit_reader;

comment on function audit.kindred_targets(text) is 'A target with every name that its table had before or since, whenever that was';

create function audit.is_meant(p_glob text, p_target text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select exists (
        select from audit.kindred_targets(p_target) as k (target) where k.target = p_glob or k.target ~ audit.target_pattern(p_glob)
    )
$auditctl$;

revoke execute on function audit.is_meant(text, text) from public;

grant execute on function audit.is_meant(text, text) to audit_reader;

comment on function audit.is_meant(text, text) is 'Whether a target, under any name its table ever had, is what a name or glob means';

create function audit.kept_since(p_target text) returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- The longest time counts: of those that mean the target, for auditctl's own events of all.
    select
        coalesce(
            min(
                case
                    when r.keep is null then '-infinity'::timestamptz
                    else (now() at time zone 'UTC' - r.keep::interval) at time zone 'UTC'
                end
            ) filter (where r.target = '*' or p_target like 'audit.%' or audit.is_meant(r.target, p_target)), '-infinity'
        )
    from audit.retention as r
    where (r.until is null or r.until > now() - audit.retention_grace())
        and exists (select from audit.retention as whole where whole.target = '*' and whole.until is null)
$auditctl$;

revoke execute on function audit.kept_since(text) from public;

grant execute on function audit.kept_since(text) to audit_reader;

comment on function audit.kept_since(text) is 'From when on a target''s events must be kept now; -infinity for all of them';

create function audit.set_retention(p_target text, p_keep text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_keep text := nullif(lower(btrim(p_keep)), 'forever');
    v_now audit.retention;
begin
    if coalesce(p_target, '') = '' or octet_length(p_target) > 500 then
        raise exception 'a target has 1 to 500 bytes'
            using errcode = 'invalid_parameter_value', hint = 'Name a target or a glob over targets, or * for every event.';
    end if;
    if v_keep !~ '^[1-9][0-9]{0,5} (day|week|month|year)s?$' then
        raise exception 'no time to keep events: %', to_json(p_keep)
            using errcode = 'invalid_parameter_value', hint = 'Write days, weeks, months or years, such as 400 days, or forever.';
    end if;
    perform '' ~ audit.target_pattern(p_target);
    if p_keep is null and p_target = '*' then
        v_keep := null;
    end if;
    lock table audit.retention in share row exclusive mode;
    select r.* into v_now from audit.retention as r where r.target = p_target and r.until is null;
    if found and v_now.keep is not distinct from v_keep and (p_keep is not null or p_target = '*')
        or v_now.retention_id is null and p_keep is null and p_target <> '*'
    then
        return false;
    end if;
    update audit.retention set until = now() where retention_id = v_now.retention_id;
    if p_keep is not null or p_target = '*' then
        insert into audit.retention (target, keep) values (p_target, v_keep);
    end if;
    return true;
end
$auditctl$;

revoke execute on function audit.set_retention(text, text) from public;

grant execute on function audit.set_retention(text, text) to audit_admin;

comment on function audit.set_retention(text, text) is
    'States how long a target''s events are kept, such as 400 days or forever; null takes its own time away. Returns whether anything changed';

-- Legal holds: events that no retention run may delete, until the hold is released.

create table audit.hold (
    hold_id bigint generated always as identity,
    target text not null,
    target_id text,
    reason text not null,
    placed_by text not null default session_user,
    placed_at timestamptz not null default pg_catalog.now(),
    released_by text,
    released_at timestamptz,
    release_reason text,
    constraint hold_pkey primary key (hold_id),
    constraint hold_target_is_not_empty check (target <> ''),
    constraint hold_has_a_reason check (reason ~ '\S'),
    constraint hold_is_released_whole check (
        (released_at is null) = (released_by is null) and (released_at is null) = (release_reason is null)
    ),
    constraint hold_is_released_for_a_reason check (release_reason ~ '\S')
);

comment on table audit.hold is 'Legal holds: what is held, by whom, why, and since when no more';

comment on column audit.hold.hold_id is 'Identity';

comment on column audit.hold.target is 'A target, or a glob over targets; every name its table ever had is held with it';

comment on column audit.hold.target_id is 'The object, whose whole history is held; null for all of the target';

comment on column audit.hold.reason is 'Why, such as the case it is for';

comment on column audit.hold.placed_by is 'The login that placed it';

comment on column audit.hold.placed_at is 'When';

comment on column audit.hold.released_by is 'The login that released it; null while it holds';

comment on column audit.hold.released_at is 'When it was released';

comment on column audit.hold.release_reason is 'Why it was released';

grant select on audit.hold to audit_reader;

alter table audit.hold enable row level security;

create policy hold_is_read_by_whoever_may on audit.hold for select using (true);

create function audit.guard_hold() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_release constant text[] := array['released_by', 'released_at', 'release_reason'];
begin
    if tg_op = 'INSERT' then
        new.placed_by := session_user;
        new.placed_at := now();
        new.released_by := null;
        new.released_at := null;
        new.release_reason := null;
        return new;
    end if;
    if tg_op = 'UPDATE' and old.released_at is null and new.release_reason is not null
        and to_jsonb(new) - v_release = to_jsonb(old) - v_release
    then
        new.released_by := session_user;
        new.released_at := now();
        return new;
    end if;
    raise exception '% on %.% refused: a hold can only be placed and released', tg_op, tg_table_schema, tg_table_name
        using errcode = 'UA001', hint = 'Release it with: auditctl hold release HOLD_ID --reason TEXT';
end
$auditctl$;

revoke execute on function audit.guard_hold() from public;

comment on function audit.guard_hold() is 'Lets a hold be placed and released, now and by whoever does it, and nothing else';

create trigger hold_guarded before insert or update or delete on audit.hold
for each row execute function audit.guard_hold();

create trigger hold_guarded_statement before truncate on audit.hold
for each statement execute function audit.guard_hold();

create trigger hold_recorded after insert or update on audit.hold
for each row execute function audit.record_statement('hold_id');

alter table audit.hold enable always trigger hold_guarded;

alter table audit.hold enable always trigger hold_guarded_statement;

alter table audit.hold enable always trigger hold_recorded;

create function audit.place_hold(p_target text, p_target_id text, p_reason text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_hold_id bigint;
begin
    if coalesce(p_target, '') = '' or octet_length(p_target) > 500 or octet_length(p_target_id) > 10240 then
        raise exception 'a hold needs a target of 1 to 500 bytes, and an id of at most 10 kB'
            using errcode = 'invalid_parameter_value', hint = 'Name a target such as billing.invoice, or a glob over targets.';
    end if;
    if coalesce(p_reason, '') !~ '\S' or octet_length(p_reason) > 4096 then
        raise exception 'a hold needs a reason of at most 4 kB'
            using errcode = 'invalid_parameter_value', hint = 'Say what it is for, such as the number of the case.';
    end if;
    perform '' ~ audit.target_pattern(p_target);
    insert into audit.hold (target, target_id, reason)
    values (p_target, audit.fit_key(p_target_id), p_reason)
    returning hold_id into v_hold_id;
    return v_hold_id;
end
$auditctl$;

revoke execute on function audit.place_hold(text, text, text) from public;

grant execute on function audit.place_hold(text, text, text) to audit_admin;

comment on function audit.place_hold(text, text, text) is
    'Holds the events of a target, or of one object of it, until audit.release_hold; returns the hold_id';

create function audit.release_hold(p_hold_id bigint, p_reason text) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if coalesce(p_reason, '') !~ '\S' or octet_length(p_reason) > 4096 then
        raise exception 'the release of a hold needs a reason of at most 4 kB'
            using errcode = 'invalid_parameter_value', hint = 'Say why the events need not be held any more.';
    end if;
    update audit.hold set release_reason = p_reason where hold_id = p_hold_id and released_at is null;
    if not found then
        raise exception 'there is no hold % in force', coalesce(p_hold_id::text, 'null')
            using errcode = 'no_data_found', hint = 'List the holds with: auditctl hold list';
    end if;
end
$auditctl$;

revoke execute on function audit.release_hold(bigint, text) from public;

grant execute on function audit.release_hold(bigint, text) to audit_admin;

comment on function audit.release_hold(bigint, text) is 'Releases a hold; its events are deleted once their time is over';

create function audit.holds_in_force() returns setof audit.hold
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A release, like a shorter time, can be noticed before it has an effect.
    select h.* from audit.hold as h where h.released_at is null or h.released_at > now() - audit.retention_grace()
$auditctl$;

revoke execute on function audit.holds_in_force() from public;

comment on function audit.holds_in_force() is 'The holds that keep events now: those not released, and those released a few days ago';

create function audit.held_events(p_from timestamptz, p_to timestamptz)
returns table (event_id bigint, occurred_at timestamptz)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Tables as they are registered, and what events are about that is no table.
    with recursive seen as (
        (select e.target from audit.event as e where e.occurred_at >= p_from and e.occurred_at < p_to order by e.target limit 1)
        union all
        select (
            select e.target
            from audit.event as e
            where e.occurred_at >= p_from and e.occurred_at < p_to and e.target > s.target
            order by e.target
            limit 1
        )
        from seen as s
        where s.target is not null
    ),

    held as (
        select distinct known.target, h.target_id
        from audit.holds_in_force() as h
        join (select s.target from seen as s where s.target is not null union select t.target from audit.target as t) as known
            on audit.is_meant(h.target, known.target)
        where h.target_id is not null
    )

    select l.event_id, l.occurred_at
    from held as h
    cross join lateral audit.history(h.target, h.target_id) as l
    where l.occurred_at >= p_from and l.occurred_at < p_to
    union
    -- Whatever bore the key, also where a former table of that name had it.
    select e.event_id, e.occurred_at
    from held as h
    join audit.event as e on e.target = h.target and e.target_id = h.target_id
    where e.occurred_at >= p_from and e.occurred_at < p_to
    union
    select e.event_id, e.occurred_at
    from held as h
    join audit.event as e
        on e.target = h.target and e.context ->> 'previous_target_id' = h.target_id and e.context ? 'previous_target_id'
    where e.occurred_at >= p_from and e.occurred_at < p_to
$auditctl$;

revoke execute on function audit.held_events(timestamptz, timestamptz) from public;

comment on function audit.held_events(timestamptz, timestamptz) is
    'The events of a time that a hold on one object keeps: its whole history, through changes of key and name';

-- Upkeep of the log's partitions, step by step, each one transaction. Nothing here waits for a lock that writers would
-- wait for behind it, but for a tenth of a second.

create table audit.maintenance (
    is_the_only_one boolean not null default true,
    ran_at timestamptz,
    moving_since timestamptz,
    moved_at timestamptz,
    moved_id bigint,
    moved bigint not null default 0,
    constraint maintenance_pkey primary key (is_the_only_one),
    constraint maintenance_has_one_row check (is_the_only_one)
);

comment on table audit.maintenance is 'How far upkeep has come; whoever locks its row does the next step';

comment on column audit.maintenance.is_the_only_one is 'True: there is one row';

comment on column audit.maintenance.ran_at is 'When maintain last found nothing more to do';

comment on column audit.maintenance.moving_since is 'Since when events are moved out of the DEFAULT partition; null while none are';

comment on column audit.maintenance.moved_at is 'occurred_at of the last event that was copied';

comment on column audit.maintenance.moved_id is 'event_id of the last event that was copied';

comment on column audit.maintenance.moved is 'How many events were copied';

insert into audit.maintenance default values;

grant select on audit.maintenance to audit_reader;

alter table audit.maintenance enable row level security;

create policy maintenance_is_read_by_whoever_may on audit.maintenance for select using (true);

create function audit.month_table(p_month timestamp) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select to_char(p_month, '"event_"YYYY_MM')
$auditctl$;

revoke execute on function audit.month_table(timestamp) from public;

comment on function audit.month_table(timestamp) is 'The name of a month''s partition';

create function audit.month_of(p_name text) returns timestamp
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select make_date(split_part(p_name, '_', 2)::integer, split_part(p_name, '_', 3)::integer, 1)::timestamp
$auditctl$;

revoke execute on function audit.month_of(text) from public;

comment on function audit.month_of(text) is 'The month of a partition''s name';

create function audit.utc(p_time timestamp) returns timestamptz
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select p_time at time zone 'UTC'
$auditctl$;

revoke execute on function audit.utc(timestamp) from public;

comment on function audit.utc(timestamp) is 'The point in time that a clock in UTC shows';

create function audit.stray_months() returns setof timestamp
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- From month to month by the index. Years that have no four digits stay where they are.
    with recursive stray as (
        (
            select date_trunc('month', e.occurred_at at time zone 'UTC') as month
            from only audit.event_default as e
            where e.occurred_at >= timestamptz '0001-01-01 00:00+00' and e.occurred_at < timestamptz '9999-12-01 00:00+00'
            order by e.occurred_at
            limit 1
        )
        union all
        select (
            select date_trunc('month', e.occurred_at at time zone 'UTC')
            from only audit.event_default as e
            where e.occurred_at >= audit.utc(s.month + interval '1 month') and e.occurred_at < timestamptz '9999-12-01 00:00+00'
            order by e.occurred_at
            limit 1
        )
        from stray as s
        where s.month is not null
    )

    select s.month
    from stray as s
    where s.month is not null and (
        to_regclass('audit.' || audit.month_table(s.month)) is null or to_regclass('audit.event_moving') is not null
    )
$auditctl$;

revoke execute on function audit.stray_months() from public;

comment on function audit.stray_months() is 'The months of events in the DEFAULT partition that can have a partition of their own';

create function audit.missing_months() returns setof timestamp
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select month.first
    from (
        select date_trunc('month', now() at time zone 'UTC') + ahead * interval '1 month' as first
        from generate_series(0, 3) as ahead
    ) as month
    where to_regclass('audit.' || audit.month_table(month.first)) is null
$auditctl$;

revoke execute on function audit.missing_months() from public;

comment on function audit.missing_months() is 'The months from this one to three ahead that have no partition';

create function audit.lock_holders(p_relations oid[]) returns text[]
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array_agg(distinct format('process %s, transaction %s', l.pid, l.virtualtransaction))
    from pg_locks as l
    where l.locktype = 'relation' and l.relation = any (p_relations) and l.granted and l.pid <> pg_backend_pid()
        and l.database = (select d.oid from pg_database as d where d.datname = current_database())
$auditctl$;

revoke execute on function audit.lock_holders(oid[]) from public;

comment on function audit.lock_holders(oid[]) is 'The other transactions that hold a lock on one of these tables';

create function audit.give_up(p_table text, p_holder text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    raise exception '% is in use by a transaction that does not end%', p_table, coalesce(' (' || p_holder || ')', '')
        using errcode = 'lock_not_available',
            hint = 'Nothing was lost, and nobody waits. Run auditctl maintain again when it has ended.';
end
$auditctl$;

revoke execute on function audit.give_up(text, text) from public;

comment on function audit.give_up(text, text) is 'Raises: upkeep leaves the rest to the next run, rather than let writers wait';

create function audit.seize(p_parts regclass[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_relations constant oid[] := p_parts::oid[] || 'audit.event'::regclass::oid;
    v_start constant timestamptz := clock_timestamp();
    v_early constant text[] := audit.lock_holders(v_relations);
    v_holder text;
    v_part regclass;
begin
    for v_attempt in 1..20 loop
        select h.holder into v_holder from unnest(audit.lock_holders(v_relations)) as h (holder) where h.holder = any (v_early) limit 1;
        -- For one that has lasted so long nobody is made to wait.
        if not found or clock_timestamp() < v_start + interval '0.5 seconds' then
            begin
                -- Whoever writes or reads next waits behind this one.
                lock table only audit.event in access exclusive mode;
                foreach v_part in array p_parts loop
                    execute format('lock table only %s in access exclusive mode nowait', v_part);
                end loop;
                return;
            exception when lock_not_available or deadlock_detected then
                null;
            end;
        end if;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    perform audit.give_up('the log', v_holder);
end
$auditctl$;

revoke execute on function audit.seize(regclass[]) from public;

comment on function audit.seize(regclass[]) is
    'Locks the log and some of its partitions for a moment; gives up rather than let writers wait';

create function audit.make_month(p_name text, p_month timestamp, p_whole regclass) returns regclass
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation regclass;
    v_lower constant text := to_char(p_month, 'YYYY-MM-DD"T00:00:00+00"');
    v_upper constant text := to_char(p_month + interval '1 month', 'YYYY-MM-DD"T00:00:00+00"');
begin
    execute format(
        'create table audit.%I (like audit.event including defaults including constraints including comments including indexes)', p_name
    );
    v_relation := format('audit.%I', p_name)::regclass;
    execute format('comment on table %s is %L', v_relation, format('Events of %s (UTC)', to_char(p_month, 'YYYY-MM')));
    -- Lets it be attached without being read.
    execute format(
        'alter table %s add constraint event_month check (occurred_at >= %L and occurred_at < %L)', v_relation, v_lower, v_upper
    );
    if p_whole is null then
        perform audit.guard_partition(v_relation);
    else
        perform audit.attach_month(v_relation, p_month, p_whole);
    end if;
    return v_relation;
end
$auditctl$;

revoke execute on function audit.make_month(text, timestamp, regclass) from public;

comment on function audit.make_month(text, timestamp, regclass) is 'Makes the guarded table of a month, with its indexes, on its own or as a part of a table';

create function audit.attach_month(p_relation regclass, p_month timestamp, p_whole regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- The whole brings its own guard for each row.
    execute format('drop trigger if exists event_write_once_row on %s', p_relation);
    execute format(
        'alter table %s attach partition %s for values from (%L) to (%L)', p_whole, p_relation,
        to_char(p_month, 'YYYY-MM-DD"T00:00:00+00"'), to_char(p_month + interval '1 month', 'YYYY-MM-DD"T00:00:00+00"')
    );
    perform audit.guard_partition(p_relation);
    if p_whole = 'audit.event'::regclass then
        execute format('alter table %s drop constraint event_month', p_relation);
    end if;
end
$auditctl$;

revoke execute on function audit.attach_month(regclass, timestamp, regclass) from public;

comment on function audit.attach_month(regclass, timestamp, regclass) is 'Makes a month''s table a partition, guarded before and after';

create function audit.rename_table(p_relation regclass, p_name text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_former constant text := (select c.relname from pg_class as c where c.oid = p_relation);
    v_index text;
begin
    for v_index in
        select i.relname
        from pg_index as x
        join pg_class as i on i.oid = x.indexrelid
        where x.indrelid = p_relation and i.relname ^@ v_former
        order by i.relname
    loop
        execute format('alter index audit.%I rename to %I', v_index, p_name || substr(v_index, length(v_former) + 1));
    end loop;
    execute format('alter table %s rename to %I', p_relation, p_name);
end
$auditctl$;

revoke execute on function audit.rename_table(regclass, text) from public;

comment on function audit.rename_table(regclass, text) is 'Gives a table another name, and its indexes with it';

-- Events out of the DEFAULT partition, into months of their own, while others write and read. From the first step on every
-- new event of the DEFAULT partition is also written to its copy; older ones are copied in portions; when the copy is
-- complete it takes the place of the original in one transaction. Each event is in the log once at every moment.

create function audit.mirror_event() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- A write never fails for want of the copy; without it, moving starts anew.
    if to_regclass('audit.event_moving') is not null then
        insert into audit.event_moving select (new).*;
    end if;
    return null;
end
$auditctl$;

revoke execute on function audit.mirror_event() from public;

comment on function audit.mirror_event() is 'Writes an event of the DEFAULT partition also to the copy that will take its place';

create function audit.is_mirrored() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select to_regclass('audit.event_moving') is not null and exists (
        select
        from pg_trigger as t
        where t.tgrelid = to_regclass('audit.event_default') and t.tgname = 'event_mirrored' and t.tgenabled = 'A'
            -- Anything made since the copy was begun may have missed an event.
            and (select m.moving_since is not null from audit.maintenance as m)
    )
$auditctl$;

revoke execute on function audit.is_mirrored() from public;

comment on function audit.is_mirrored() is 'Whether events of the DEFAULT partition are being moved';

create function audit.begin_move() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_months timestamp[];
    v_month timestamp;
begin
    drop table if exists audit.event_moving;
    v_months := array(select s.m from audit.stray_months() as s (m) union select n.m from audit.missing_months() as n (m) order by 1);
    create table audit.event_moving (
        like audit.event including defaults including constraints including comments including indexes
    ) partition by range (occurred_at);
    comment on table audit.event_moving is 'The events of the DEFAULT partition, on their way to months of their own';
    perform audit.guard_partition('audit.event_moving');
    create table audit.event_next partition of audit.event_moving default;
    perform audit.guard_partition('audit.event_next');
    foreach v_month in array v_months loop
        perform audit.make_month(audit.month_table(v_month), v_month, 'audit.event_moving');
    end loop;
    -- When this is granted, whoever wrote there before is done; whoever writes later fires the trigger.
    perform audit.lock_default();
    drop trigger if exists event_mirrored on audit.event_default;
    create trigger event_mirrored after insert on audit.event_default for each row execute function audit.mirror_event();
    alter table audit.event_default enable always trigger event_mirrored;
    update audit.maintenance
    set (moving_since, moved_at, moved_id, moved) = (now(), '-infinity', -9223372036854775808, 0);
    return jsonb_build_object(
        'step', 'move', 'partition', 'audit.event_default', 'state', 'begun',
        'months', array(select to_char(m, 'YYYY-MM') from unnest(v_months) as m)
    );
end
$auditctl$;

revoke execute on function audit.begin_move() from public;

comment on function audit.begin_move() is 'Makes the copy of the DEFAULT partition, empty, and the trigger that writes new events to it too';

create function audit.lock_default() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
begin
    for v_attempt in 1..20 loop
        begin
            lock table only audit.event_default in share row exclusive mode;
            return;
        exception when lock_not_available or deadlock_detected then
            null;
        end;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    perform audit.give_up('the DEFAULT partition', (audit.lock_holders(array['audit.event_default'::regclass::oid]))[1]);
end
$auditctl$;

revoke execute on function audit.lock_default() from public;

comment on function audit.lock_default() is 'Keeps writers out of the DEFAULT partition until the transaction ends; gives up rather than let them wait';

create function audit.copy_events() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_state audit.maintenance;
    v_last record;
    v_copied bigint;
begin
    select m.* into v_state from audit.maintenance as m;
    select e.occurred_at, e.event_id
    into v_last
    from (
        select d.occurred_at, d.event_id
        from only audit.event_default as d
        where (d.occurred_at, d.event_id) > (v_state.moved_at, v_state.moved_id)
        order by d.occurred_at, d.event_id
        limit 50000
    ) as e
    order by e.occurred_at desc, e.event_id desc
    limit 1;
    if not found then
        return null;
    end if;
    -- What was written since moving began is there already.
    insert into audit.event_moving
    select d.*
    from only audit.event_default as d
    where (d.occurred_at, d.event_id) > (v_state.moved_at, v_state.moved_id)
        and (d.occurred_at, d.event_id) <= (v_last.occurred_at, v_last.event_id)
    on conflict (occurred_at, event_id) do nothing;
    get diagnostics v_copied = row_count;
    update audit.maintenance
    set (moved_at, moved_id, moved) = (v_last.occurred_at, v_last.event_id, v_state.moved + v_copied);
    return jsonb_build_object(
        'step', 'move', 'partition', 'audit.event_default', 'state', 'copied', 'events', v_state.moved + v_copied
    );
end
$auditctl$;

revoke execute on function audit.copy_events() from public;

comment on function audit.copy_events() is 'Copies the next portion of the DEFAULT partition; null when none is left';

create function audit.require_whole_copy() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_counted record;
begin
    -- Seen at one moment: what others write meanwhile is in both or in neither.
    select
        (select count(*) from only audit.event_default) as original,
        (select count(*) from audit.event_moving) as copy
    into v_counted;
    if v_counted.original <> v_counted.copy then
        raise exception 'the DEFAULT partition holds % events and its copy %', v_counted.original, v_counted.copy
            using errcode = 'data_corrupted',
                hint = 'Nothing was changed. To have them copied anew: set role audit_owner; drop table audit.event_moving';
    end if;
end
$auditctl$;

revoke execute on function audit.require_whole_copy() from public;

comment on function audit.require_whole_copy() is 'Raises unless the copy of the DEFAULT partition has as many events as the original';

create function audit.end_move() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month record;
    v_months jsonb;
    v_comment constant text := obj_description('audit.event_default'::regclass, 'pg_class');
begin
    perform audit.require_whole_copy();
    select coalesce(jsonb_object_agg(c.partition, c.events), '{}')
    into v_months
    from (select e.tableoid::regclass::text as partition, count(*) as events from audit.event_moving as e group by 1) as c;
    perform audit.seize(array['audit.event_default'::regclass]);
    drop table audit.event_default;
    for v_month in
        select i.inhrelid::regclass as relation, audit.month_of(c.relname) as first
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'audit.event_moving'::regclass and c.relname <> 'event_next'
        order by c.relname
    loop
        execute format('alter table audit.event_moving detach partition %s', v_month.relation);
        perform audit.attach_month(v_month.relation, v_month.first, 'audit.event');
    end loop;
    alter table audit.event_moving detach partition audit.event_next;
    drop table audit.event_moving;
    drop trigger if exists event_write_once_row on audit.event_next;
    perform audit.rename_table('audit.event_next', 'event_default');
    alter table audit.event attach partition audit.event_default default;
    perform audit.guard_partition('audit.event_default');
    execute format('comment on table audit.event_default is %L', v_comment);
    update audit.maintenance set (moving_since, moved_at, moved_id) = (null, null, null);
    return audit.record_upkeep(
        'audit.event_default', 'events moved out of the DEFAULT partition',
        jsonb_build_object('step', 'move', 'partition', 'audit.event_default', 'state', 'done', 'events', v_months)
    );
end
$auditctl$;

revoke execute on function audit.end_move() from public;

comment on function audit.end_move() is 'Puts the copy in the place of the DEFAULT partition, in one transaction';

create function audit.record_upkeep(p_partition text, p_summary text, p_data jsonb) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    perform audit.insert_event('audit.partition', p_partition, 'EVENT', null, p_data, p_summary);
    return p_data;
end
$auditctl$;

revoke execute on function audit.record_upkeep(text, text, jsonb) from public;

comment on function audit.record_upkeep(text, text, jsonb) is 'Records what was done to a partition, and returns it';

-- The end of events whose time is over: a partition goes whole, or is replaced by one with what must stay.

create function audit.month_partitions() returns table (partition regclass, first timestamp)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select c.oid::regclass, audit.month_of(c.relname)
    from pg_inherits as i
    join pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'audit.event'::regclass and not i.inhdetachpending and c.relname ~ '^event_[0-9]{4}_(0[1-9]|1[0-2])$'
    order by c.relname
$auditctl$;

revoke execute on function audit.month_partitions() from public;

comment on function audit.month_partitions() is 'The months of the log, oldest first';

create function audit.partition_targets(p_month timestamp) returns setof text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if p_month is null then
        return;
    end if;
    -- From target to target by the index.
    return query execute format(
        'with recursive found as ('
        '(select e.target from only audit.%1$I as e order by e.target limit 1) union all '
        'select (select e.target from only audit.%1$I as e where e.target > f.target order by e.target limit 1) '
        'from found as f where f.target is not null) '
        'select f.target from found as f where f.target is not null', audit.month_table(p_month)
    );
end
$auditctl$;

revoke execute on function audit.partition_targets(timestamp) from public;

comment on function audit.partition_targets(timestamp) is 'The targets of a month''s events; none for null';

create function audit.expired_targets(p_month timestamp) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What no time of its own keeps is kept shortest: where that is not over, nothing is looked at.
    select t.target
    from (select audit.kept_since('') as since) as shortest
    cross join lateral audit.partition_targets(
        case when shortest.since >= audit.utc(p_month + interval '1 month') then p_month end
    ) as t (target)
    where audit.kept_since(t.target) >= audit.utc(p_month + interval '1 month')
        and not exists (
            select from audit.holds_in_force() as h where h.target_id is null and audit.is_meant(h.target, t.target)
        )
$auditctl$;

revoke execute on function audit.expired_targets(timestamp) from public;

comment on function audit.expired_targets(timestamp) is 'The targets whose events of a month need not be kept, unless one object is held';

create function audit.expired_condition(p_month timestamp) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_targets constant text[] := array(select t.target from audit.expired_targets(p_month) as t (target));
    v_condition text;
begin
    if v_targets = '{}' then
        return null;
    end if;
    v_condition := format('e.target = any (%L)', v_targets);
    if exists (select from audit.holds_in_force() as h where h.target_id is not null) then
        v_condition := v_condition || format(
            ' and (e.event_id, e.occurred_at) not in (select h.event_id, h.occurred_at from audit.held_events(%L, %L) as h)',
            audit.utc(p_month), audit.utc(p_month + interval '1 month')
        );
    end if;
    return v_condition;
end
$auditctl$;

revoke execute on function audit.expired_condition(timestamp) from public;

comment on function audit.expired_condition(timestamp) is 'Which events e of a month have expired, as SQL; null for none';

create function audit.has_expired(p_month timestamp) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_condition constant text := audit.expired_condition(p_month);
    v_found boolean := false;
begin
    if v_condition is not null then
        execute format('select exists (select from only audit.%I as e where %s)', audit.month_table(p_month), v_condition) into v_found;
    elsif audit.kept_since('audit.') >= audit.utc(p_month + interval '1 month') then
        -- An empty month whose time is over.
        execute format('select not exists (select from only audit.%I)', audit.month_table(p_month)) into v_found;
    end if;
    return v_found;
end
$auditctl$;

revoke execute on function audit.has_expired(timestamp) from public;

comment on function audit.has_expired(timestamp) is 'Whether a month holds events whose time is over';

create function audit.retention_state() returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What decides what must stay, as text to be compared.
    select concat_ws(
        ' ',
        (select string_agg(format('%s:%s', r.retention_id, r.until), ',' order by r.retention_id) from audit.retention as r),
        (select string_agg(format('%s:%s', h.hold_id, h.released_at), ',' order by h.hold_id) from audit.hold as h),
        (select count(*) from audit.rename)
    )
$auditctl$;

revoke execute on function audit.retention_state() from public;

comment on function audit.retention_state() is 'Changes whenever a hold, a time to keep events, or a table''s name does';

create function audit.count_events(p_month timestamp, p_condition text) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_counted jsonb;
begin
    execute format(
        'select jsonb_build_object('
        '''before'', coalesce(jsonb_object_agg(a.action, a.events), ''{}''), '
        '''after'', coalesce(jsonb_object_agg(a.action, a.events - a.expired) filter (where a.events > a.expired), ''{}''), '
        '''dropped'', coalesce(sum(a.expired), 0), ''kept'', coalesce(sum(a.events - a.expired), 0), '
        '''first_event_id'', min(a.first), ''last_event_id'', max(a.last), ''bytes'', pg_total_relation_size(%L)) '
        'from (select e.action, count(*) as events, count(*) filter (where %2$s) as expired, '
        'min(e.event_id) filter (where %2$s) as first, max(e.event_id) filter (where %2$s) as last '
        'from only audit.%3$I as e group by e.action) as a',
        'audit.' || audit.month_table(p_month), coalesce(p_condition, 'false'), audit.month_table(p_month)
    ) into v_counted;
    return v_counted;
end
$auditctl$;

revoke execute on function audit.count_events(timestamp, text) from public;

comment on function audit.count_events(timestamp, text) is
    'The events of a month by action, before and after its expired ones go, and between which numbers and how large they are';

create function audit.close_month(p_relation regclass) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '3s'
as $auditctl$
begin
    -- Its time is over: nobody writes there any more, and what was written before is committed when this is granted.
    execute format('lock table only %s in share mode', p_relation);
exception when lock_not_available then
    perform audit.give_up(p_relation::text, (audit.lock_holders(array[p_relation::oid]))[1]);
end
$auditctl$;

revoke execute on function audit.close_month(regclass) from public;

comment on function audit.close_month(regclass) is 'Keeps writers out of a month whose time is over until the transaction ends; readers stay';

create function audit.expire_month(p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name constant text := audit.month_table(p_month);
    v_state constant text := audit.retention_state();
    v_condition text;
    v_done jsonb;
    v_kept regclass;
begin
    perform audit.close_month(format('audit.%I', v_name)::regclass);
    v_condition := audit.expired_condition(p_month);
    v_done := audit.count_events(p_month, v_condition);
    if (v_done ->> 'kept')::bigint > 0 then
        v_kept := audit.make_month('event_kept', p_month, null);
        execute format(
            'insert into %s select e.* from only audit.%I as e where (%s) is not true', v_kept, v_name, coalesce(v_condition, 'false')
        );
        execute format('analyze %s', v_kept);
    end if;
    perform audit.seize(array[format('audit.%I', v_name)::regclass, 'audit.event_default']);
    perform audit.require_retention_state(v_state);
    execute format('drop table audit.%I', v_name);
    if v_kept is not null then
        perform audit.rename_table(v_kept, v_name);
        perform audit.attach_month(v_kept, p_month, 'audit.event');
    end if;
    return audit.record_upkeep(
        'audit.' || v_name, 'expired events deleted',
        jsonb_build_object('step', 'expire', 'partition', 'audit.' || v_name, 'month', to_char(p_month, 'YYYY-MM')) || v_done
    );
end
$auditctl$;

revoke execute on function audit.expire_month(timestamp) from public;

comment on function audit.expire_month(timestamp) is 'Drops a month whose time is over, or replaces it by what must stay';

create function audit.require_retention_state(p_state text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- A hold that is being placed either is seen from here on, or waits until the events are gone.
    lock table audit.hold, audit.retention, audit.rename in share mode nowait;
    if audit.retention_state() <> p_state then
        raise exception 'a hold, a time to keep events or a table''s name was changed meanwhile'
            using errcode = 'serialization_failure', hint = 'Nothing was deleted. Run auditctl maintain again.';
    end if;
exception when lock_not_available then
    raise exception 'a hold, a time to keep events or a table''s name is being changed'
        using errcode = 'lock_not_available', hint = 'Nothing was deleted. Run auditctl maintain again when that transaction has ended.';
end
$auditctl$;

revoke execute on function audit.require_retention_state(text) from public;

comment on function audit.require_retention_state(text) is
    'Keeps holds and times to keep events as they are until the transaction ends; raises if they changed since they were looked at';

-- What upkeep has to do, and the next step of it. Takes no argument: what is done follows from what was stated alone.

create function audit.prune_bookkeeping() returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return 0;
end
$auditctl$;

revoke execute on function audit.prune_bookkeeping() from public;

comment on function audit.prune_bookkeeping() is 'Deletes what auditctl noted for itself and needs no more; returns how many rows. There is nothing of that kind';

create function audit.maintenance_due()
returns table (step text, partition text, dropped bigint, kept bigint, reason text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month record;
    v_months text;
    v_counted jsonb;
begin
    select string_agg(to_char(s.m, 'YYYY-MM'), ', ' order by s.m) into v_months from audit.stray_months() as s (m);
    if v_months is not null or audit.is_mirrored() then
        return query select
            'move', 'audit.event_default', 0::bigint, (select count(*) from only audit.event_default),
            case when audit.is_mirrored() then 'Moving was begun and is not done.' else 'It holds events of ' || v_months || '.' end;
    end if;
    return query select 'create', 'audit.' || audit.month_table(m), 0::bigint, 0::bigint, 'The month has no partition.'
        from audit.missing_months() as n (m) where m not in (select s.m from audit.stray_months() as s (m));
    for v_month in select p.partition, p.first from audit.month_partitions() as p loop
        if audit.has_expired(v_month.first) then
            v_counted := audit.count_events(v_month.first, audit.expired_condition(v_month.first));
            return query select
                'expire', v_month.partition::text, (v_counted ->> 'dropped')::bigint, (v_counted ->> 'kept')::bigint,
                case when (v_counted ->> 'kept')::bigint = 0 then 'The time of all its events is over.'
                    else 'The time of some of its events is over; the others stay.' end;
        end if;
    end loop;
end
$auditctl$;

revoke execute on function audit.maintenance_due() from public;

grant execute on function audit.maintenance_due() to audit_reader;

comment on function audit.maintenance_due() is
    'What maintain would do now, in its order: with how many events are deleted, and how many stay or are moved';

create function audit.overdue_months() returns setof regclass
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select m.partition from audit.month_partitions() as m where audit.has_expired(m.first)
$auditctl$;

revoke execute on function audit.overdue_months() from public;

grant execute on function audit.overdue_months() to audit_reader;

comment on function audit.overdue_months() is 'The months with events whose time is over, which maintain would delete now';

create function audit.next_step() returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month timestamp;
begin
    if audit.is_mirrored() then
        return coalesce(audit.copy_events(), audit.end_move());
    end if;
    if exists (select from audit.stray_months()) then
        return audit.begin_move();
    end if;
    select min(m) into v_month from audit.missing_months() as n (m);
    if v_month is not null then
        return audit.add_month(v_month);
    end if;
    for v_month in select p.first from audit.month_partitions() as p loop
        if audit.has_expired(v_month) then
            return audit.expire_month(v_month);
        end if;
    end loop;
    perform audit.prune_bookkeeping();
    update audit.maintenance set ran_at = now();
    return null;
end
$auditctl$;

revoke execute on function audit.next_step() from public;

comment on function audit.next_step() is 'Does what has to be done next; null when there is nothing';

create function audit.add_month(p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_made regclass;
begin
    for v_attempt in 1..20 loop
        begin
            v_made := audit.create_partition(p_month::date);
            exit;
        exception when lock_not_available or deadlock_detected then
            null;
        end;
        perform pg_sleep(0.05 + 0.02 * v_attempt);
    end loop;
    if v_made is null then
        perform audit.give_up('the log', (audit.lock_holders(array['audit.event_default'::regclass::oid]))[1]);
    end if;
    return audit.record_upkeep(
        v_made::text, 'partition created', jsonb_build_object('step', 'create', 'partition', v_made::text, 'month', to_char(p_month, 'YYYY-MM'))
    );
end
$auditctl$;

revoke execute on function audit.add_month(timestamp) from public;

comment on function audit.add_month(timestamp) is 'Makes the partition of a month; gives up rather than let writers wait';

create function audit.maintain_step() returns jsonb
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'maintain needs transactions that read what is committed'
            using errcode = 'feature_not_supported', hint = 'Run it with: set default_transaction_isolation = ''read committed''';
    end if;
    -- Whoever calls this in a transaction of their own and forgets to end it holds a lock that all writers wait for.
    perform set_config('idle_in_transaction_session_timeout', '10s', true);
    begin
        perform from audit.maintenance for update nowait;
    exception when lock_not_available then
        return jsonb_build_object('step', 'busy');
    end;
    return audit.next_step();
end
$auditctl$;

revoke execute on function audit.maintain_step() from public;

grant execute on function audit.maintain_step() to audit_admin;

comment on function audit.maintain_step() is
    'Does the next step of upkeep and says what it was; null when nothing is left, step busy where another session is at it';

create procedure audit.maintain()
language plpgsql
as $auditctl$
-- Has the rights and the search_path of whoever calls it: only so may it commit after each step.
declare
    v_done pg_catalog.jsonb;
begin
    loop
        v_done := audit.maintain_step();
        commit;
        exit when v_done is null;
        if pg_catalog.jsonb_extract_path_text(v_done, 'step') operator(pg_catalog.=) 'busy' then
            raise notice 'another session is at it';
            exit;
        end if;
    end loop;
end
$auditctl$;

revoke execute on procedure audit.maintain() from public;

grant execute on procedure audit.maintain() to audit_admin;

comment on procedure audit.maintain() is 'Does all upkeep, and commits after each step: for a scheduler inside the database';
