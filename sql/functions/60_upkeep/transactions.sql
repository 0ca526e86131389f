-- Counts the transactions with many events (auditctl/log/by_transaction/large.py reads them). Counting is incremental: a number
-- below the oldest running transaction is that of one that has ended, whose events are all there.

create or replace function auditctl_internal.adoptions() returns bigint[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- As queries/adoption.sql: the events that divide the transactions of several clusters.
    select array(
        select e.event_id
        from auditctl.event as e
        where e.action = 'EVENT' and e.target = 'auditctl.store' and e.new_values ? 'found'
        order by e.event_id
    )
$auditctl$;
comment on function auditctl_internal.adoptions is 'The events that record adoptions of the store, in their order';

create or replace function auditctl_internal.add_large_transactions(p_condition text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set work_mem = '64MB'
as $auditctl$
begin
    execute format(
        'insert into auditctl.large_transaction (xact_id, first_event_id, last_event_id, first_at, last_at, events, parts, is_of_one_user) '
        'select large.*, part.* '
        'from ('
        'select e.xact_id, min(e.event_id) as first_event_id, max(e.event_id) as last_event_id, min(e.occurred_at) as first_at, '
        'max(e.occurred_at) as last_at, count(*) as events '
        'from auditctl.event as e where %s group by e.xact_id, width_bucket(e.event_id, %L::bigint[]) having count(*) >= 100'
        ') as large '
        'cross join lateral auditctl_internal.transaction_parts(large.xact_id, large.first_event_id, large.last_event_id, '
        'large.first_at, large.last_at) as part',
        p_condition, auditctl_internal.adoptions()
    );
end
$auditctl$;
comment on function auditctl_internal.add_large_transactions is 'Enters the transactions with 100 events or more among the events e that satisfy a condition';

create or replace function auditctl_internal.transaction_parts(
    p_xact_id xid8, p_first_event_id bigint, p_last_event_id bigint, p_first_at timestamptz, p_last_at timestamptz
) returns table (parts jsonb, is_of_one_user boolean)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with shape as (
        -- The keys of a value that is stored out of line are not worth reading it.
        select
            e.target, auditctl.shown_action(e.action, e.context) as action, count(*) as events,
            case when e.action = 'UPDATE' and pg_column_size(e.new_values) <= 1500 then array(select jsonb_object_keys(e.new_values)) end as columns,
            min(e.actor_kind) as first_kind, max(e.actor_kind) as last_kind,
            min(e.actor collate "C") as first_actor, max(e.actor collate "C") as last_actor, count(e.actor) as actors
        from auditctl.event as e
        where e.xact_id = p_xact_id and e.event_id between p_first_event_id and p_last_event_id and e.occurred_at between p_first_at and p_last_at
        group by 1, 2, 4
    ),

    part as (
        select s.target, s.action, sum(s.events) as events, bool_and(s.columns is not null) as is_known
        from shape as s
        group by s.target, s.action
    )

    select
        jsonb_agg(
            jsonb_build_object(
                'target', p.target, 'action', p.action, 'events', p.events,
                'columns', case when p.is_known then (
                    select jsonb_agg(distinct c.name)
                    from shape as s
                    cross join lateral unnest(s.columns) as c (name)
                    where s.target = p.target and s.action = p.action
                ) end
            )
            order by p.events desc, p.target, p.action
        ),
        (
            select
                min(s.first_kind) = max(s.last_kind) and min(s.first_actor) is not distinct from max(s.last_actor)
                and sum(s.actors) in (0, sum(s.events))
            from shape as s
        )
    from part as p
$auditctl$;
comment on function auditctl_internal.transaction_parts is 'What a transaction did, as auditctl.large_transaction has it';

create or replace function auditctl_internal.count_transactions() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_adoptions constant bigint[] := auditctl_internal.adoptions();
    v_end constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
    v_system bigint;
    v_database oid;
    v_begin xid8;
begin
    select c.system_identifier, d.oid into v_system, v_database
    from pg_control_system() as c
    cross join pg_database as d
    where d.datname = current_database();
    delete from auditctl.transaction_count as t where (t.system_identifier, t.database) <> (v_system, v_database);
    select t.counted_before into v_begin from auditctl.transaction_count as t;
    if v_begin is null then
        delete from auditctl.large_transaction;
        perform auditctl_internal.add_large_transactions(format(
            '(e.xact_id < %L::xid8 or e.event_id < %s)', v_end, coalesce(v_adoptions[cardinality(v_adoptions)], 0)
        ));
    elsif v_begin < v_end then
        -- The bounds as numbers lead to the events by the summary.
        perform auditctl_internal.add_large_transactions(format(
            'e.xact_id >= %1$L::xid8 and e.xact_id < %2$L::xid8 and e.event_id >= %3$s '
            'and e.xact_id::text::float8 >= %1$L::float8 and e.xact_id::text::float8 <= %2$L::float8',
            v_begin, v_end, coalesce(v_adoptions[cardinality(v_adoptions)], 0)
        ));
    end if;
    insert into auditctl.transaction_count as t (counted_before, system_identifier, database)
    values (v_end, v_system, v_database)
    on conflict (singleton) do update
    set counted_before = excluded.counted_before, counted_at = now();
end
$auditctl$;
comment on function auditctl_internal.count_transactions is 'Counts the transactions that have ended since it was called last; all of them in a store that was restored or copied';

create or replace function auditctl_internal.recount_transactions(p_month timestamp) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_first constant timestamptz := auditctl_internal.utc(p_month);
    v_next constant timestamptz := auditctl_internal.utc(p_month + interval '1 month');
    v_shrunk auditctl.large_transaction[];
begin
    -- Of a month that is gone whole, only transactions that are also in others have events left.
    with deleted as (
        delete from auditctl.large_transaction as t where t.first_at < v_next and t.last_at >= v_first returning t.*
    )

    select array_agg(d::auditctl.large_transaction) into v_shrunk
    from deleted as d
    where d.first_at < v_first or d.last_at >= v_next or to_regclass('auditctl.' || auditctl_internal.month_table(p_month)) is not null;
    insert into auditctl.large_transaction (xact_id, first_event_id, last_event_id, first_at, last_at, events, parts, is_of_one_user)
    select s.xact_id, n.first_event_id, n.last_event_id, n.first_at, n.last_at, n.events, part.parts, part.is_of_one_user
    from unnest(v_shrunk) as s
    cross join lateral (
        select
            min(e.event_id) as first_event_id, max(e.event_id) as last_event_id, min(e.occurred_at) as first_at, max(e.occurred_at) as last_at,
            count(*) as events
        from auditctl.event as e
        where e.xact_id = s.xact_id and e.event_id between s.first_event_id and s.last_event_id and e.occurred_at between s.first_at and s.last_at
        having count(*) >= 100
    ) as n
    cross join lateral auditctl_internal.transaction_parts(
        s.xact_id, n.first_event_id, n.last_event_id, n.first_at, n.last_at
    ) as part;
end
$auditctl$;
comment on function auditctl_internal.recount_transactions is 'Counts the large transactions of a month again, after upkeep has deleted events of it';
