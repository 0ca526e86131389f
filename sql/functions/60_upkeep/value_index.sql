-- Indexes of recorded values. Writers would pay too much for them, so only what nobody writes to gets them, where it is asked
-- for: each month that is over a whole one, and the current month one of its past hours, which is made anew as the month grows.

create or replace function auditctl_internal.value_index_comment() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select 'Leads filters to recorded values; made by auditctl maintain'
$auditctl$;
comment on function auditctl_internal.value_index_comment is 'The comment of each index of recorded values, by which upkeep knows it';

create or replace function auditctl_internal.wants_value_indexes() returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_setting constant text := coalesce(current_setting('auditctl.index_values', true), '');
begin
    return case when v_setting <> '' then v_setting::boolean end;
exception when invalid_text_representation then
    -- Upkeep has more to do than this.
    raise warning 'auditctl.index_values is %, neither on nor off: no indexes of values are made or dropped', to_json(v_setting);
    return null;
end
$auditctl$;
comment on function auditctl_internal.wants_value_indexes is
    'Whether recorded values are to have indexes, as the setting auditctl.index_values says; null if these are to stay as they are';

create or replace function auditctl_internal.value_index_statement(
    p_name text, p_partition regclass, p_until timestamptz default null, p_is_concurrent boolean default false
) returns text
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $auditctl$
    -- Each filter on values repeats these expressions: see auditctl/log/value_predicates.py. It is one index, as each that is
    -- there costs a writer something, even where it leaves out what is written.
    -- A whole statement, as auditctl/store_code.py reads here what an index may call.
    select format('
        create index %s %I on %s using gin (
            old_values jsonb_path_ops,
            new_values jsonb_path_ops,
            context jsonb_path_ops,
            (case when action = ''UPDATE'' then jsonb_path_query_array(new_values, ''$.keyvalue().key'', ''{}'', true) end),
            (jsonb_path_query_array(context, ''$.keyvalue().key ? (@ == "reason")'', ''{}'', true))
        ) %s;',
        case when p_is_concurrent then 'concurrently' end, p_name, p_partition,
        case when p_until is not null then format('where occurred_at < %L', p_until) end
    )
$auditctl$;
comment on function auditctl_internal.value_index_statement is
    'The statement that indexes the recorded values of a month, or of its events before p_until';

create or replace function auditctl_internal.value_indexes()
returns table (partition regclass, first timestamp, index regclass, until timestamptz, is_ready boolean)
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO'
as $auditctl$
    -- By what they index. One that is not ready has no comment yet, and when a month is copied it gets another name.
    select
        m.partition, m.first, x.indexrelid::regclass,
        -- Of the condition `occurred_at < '2026-11-22 05:00:00+00'::timestamp with time zone`.
        case when x.indpred is not null
            then coalesce(substring(pg_get_expr(x.indpred, x.indrelid) from e'^\\(occurred_at < ''([^'']+)''')::timestamptz, '-infinity') end,
        x.indisvalid and comment.text is not null
    from auditctl_internal.month_partitions() as m
    join pg_index as x on x.indrelid = m.partition
    join pg_class as i on i.oid = x.indexrelid
    cross join lateral (
        select case when d = auditctl_internal.value_index_comment() then d end as text from obj_description(i.oid, 'pg_class') as d
    ) as comment
    where x.indexprs is not null and pg_get_expr(x.indexprs, x.indrelid) like '%keyvalue()%'
$auditctl$;
comment on function auditctl_internal.value_indexes is
    'The indexes that lead filters to recorded values: of a whole month, or of its events before a time; one that was not completed is not ready';

create or replace function auditctl.values_indexed_until() returns timestamptz
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select max(v.until) from auditctl_internal.value_indexes() as v where v.is_ready and v.until > '-infinity'
$auditctl$;
revoke execute on function auditctl.values_indexed_until from public;
grant execute on function auditctl.values_indexed_until to auditctl_reader;
comment on function auditctl.values_indexed_until is
    'Up to when the recorded values of the newest month with an index of its past hours are indexed: a search is fast where it asks for what is before; null if no month has one';

create or replace function auditctl_internal.needless_value_indexes(p_partition regclass) returns setof regclass
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select v.index
    from auditctl_internal.value_indexes() as v
    where v.partition = p_partition and (
        auditctl_internal.wants_value_indexes() is false
        or not v.is_ready
        or exists (
            select from auditctl_internal.value_indexes() as better
            where better.partition = v.partition and better.is_ready and coalesce(better.until, 'infinity') > coalesce(v.until, 'infinity')
        )
    )
$auditctl$;
comment on function auditctl_internal.needless_value_indexes is
    'The indexes of a month''s values that are to be dropped: all if none are wanted, else those that were not completed and those that another one replaces';

create or replace function auditctl_internal.value_steps() returns table (step text, partition regclass, first timestamp)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select due.step, due.partition, due.first
    from (select auditctl_internal.wants_value_indexes() as is_wanted) as asked
    cross join lateral (
        select
            m.partition, m.first,
            case
                when not asked.is_wanted then case when exists (select from auditctl_internal.value_indexes() as v where v.partition = m.partition) then 'unindex' end
                -- The index of the current month is made by statements that no function can run: see value_index_work.
                when asked.is_wanted is null or auditctl_internal.utc(m.first + interval '1 month') > now() then null
                when not exists (
                    select from auditctl_internal.value_indexes() as v where v.partition = m.partition and v.is_ready and v.until is null
                ) then case when pg_relation_size(m.partition) > 0 then 'index' end
                when exists (select from auditctl_internal.needless_value_indexes(m.partition)) then 'unindex'
            end as step
        from auditctl_internal.month_partitions() as m
    ) as due
    where due.step is not null
    order by due.first desc
$auditctl$;
comment on function auditctl_internal.value_steps is
    'The months that are over whose values are to be indexed, and months with indexes of values that are to be dropped, newest first, as the setting auditctl.index_values asks';

create or replace function auditctl_internal.change_value_indexes(p_step text, p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set default_tablespace = ''
as $auditctl$
declare
    v_partition constant regclass := format('auditctl.%I', auditctl_internal.month_table(p_month))::regclass;
    v_name constant text := auditctl_internal.month_table(p_month) || '_values_idx';
    v_index regclass;
    v_bytes bigint := 0;
begin
    begin
        execute format('lock table only %s in %s mode', v_partition, case p_step when 'index' then 'share' else 'access exclusive' end);
    exception when lock_not_available then
        perform auditctl_internal.give_up(v_partition::text, (auditctl_internal.lock_holders(array[v_partition::oid]))[1]);
    end;
    if p_step = 'index' then
        execute auditctl_internal.value_index_statement(v_name, v_partition);
        v_index := format('auditctl.%I', v_name)::regclass;
        execute format('comment on index %s is %L', v_index, auditctl_internal.value_index_comment());
        v_bytes := pg_relation_size(v_index);
        -- Nobody writes there, so autovacuum would not; and without statistics of the index, what is common is taken for rare.
        execute format('analyze %s', v_partition);
    end if;
    if p_step = 'unindex' then
        for v_index in select i.name from auditctl_internal.needless_value_indexes(v_partition) as i (name) loop
            v_bytes := v_bytes + pg_relation_size(v_index);
            execute format('drop index %s', v_index);
        end loop;
    end if;
    return auditctl_internal.record_upkeep(
        v_partition::text, case p_step when 'index' then 'values indexed' else 'indexes of values dropped' end,
        jsonb_build_object('step', p_step, 'partition', v_partition::text, 'month', to_char(p_month, 'YYYY-MM'), 'bytes', v_bytes)
    );
end
$auditctl$;
comment on function auditctl_internal.change_value_indexes is
    'Indexes the recorded values of a month, or drops these indexes; only writers to that month wait meanwhile';

create or replace function auditctl_internal.value_index_growth() returns integer
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A search reads as many in some thirty milliseconds, and the index is made anew a few times a month unless the log is large.
    select 50000
$auditctl$;
comment on function auditctl_internal.value_index_growth is
    'How many events the past hours of the current month have to have that its index of values has not, for it to be made anew';

create or replace function auditctl_internal.value_index_until() returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select date_trunc('hour', now(), 'UTC')
$auditctl$;
comment on function auditctl_internal.value_index_until is 'The end of the past hours of the current month';

create or replace function auditctl_internal.value_index_due()
returns table (partition regclass, first timestamp, since timestamptz, until timestamptz)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_until constant timestamptz := auditctl_internal.value_index_until();
    v_month record;
begin
    select m.partition, m.first, greatest(auditctl_internal.utc(m.first), max(v.until)) as start
    into v_month
    from auditctl_internal.month_partitions() as m
    left join auditctl_internal.value_indexes() as v on v.partition = m.partition and v.is_ready
    where m.first = date_trunc('month', now() at time zone 'UTC') and auditctl_internal.wants_value_indexes()
    group by m.partition, m.first;
    perform from auditctl.event as e
    where e.occurred_at >= v_month.start and e.occurred_at < v_until
    order by e.occurred_at, e.event_id
    offset auditctl_internal.value_index_growth() - 1
    limit 1;
    if found then
        return query select v_month.partition, v_month.first, v_month.start, v_until;
    end if;
end
$auditctl$;
comment on function auditctl_internal.value_index_due is
    'The current month and the time up to which its values are to be indexed; nothing if too few events came since it was done last, or it is not wanted';

create or replace function auditctl.value_index_work()
returns table (partition text, month text, until timestamptz, index text, statements text[])
language sql stable security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $auditctl$
    -- CONCURRENTLY, so that no writer waits; therefore the owner's session has to run each by itself. First goes what ended
    -- halfway, and what another index has replaced.
    select
        m.partition::text, to_char(m.first, 'YYYY-MM'), due.until, due.index,
        array(
            select format('drop index concurrently %s', needless) from auditctl_internal.needless_value_indexes(m.partition) as n (needless)
        ) || case when due.until is not null then array[
            auditctl_internal.value_index_statement(due.name, m.partition, due.until, true),
            format('comment on index %s is %L', due.index, auditctl_internal.value_index_comment()),
            format('analyze %s', m.partition)
        ] else '{}' end
    from auditctl_internal.month_partitions() as m
    left join lateral (
        select d.until, named.name, format('auditctl.%I', named.name) as index
        from auditctl_internal.value_index_due() as d
        cross join lateral (
            select format('%s_values_before_%s', auditctl_internal.month_table(d.first), to_char(d.until at time zone 'UTC', 'DD_HH24')) as name
        ) as named
        where d.partition = m.partition
    ) as due on true
    where m.first = date_trunc('month', now() at time zone 'UTC') and auditctl_internal.wants_value_indexes()
$auditctl$;
revoke execute on function auditctl.value_index_work from public;
grant execute on function auditctl.value_index_work to auditctl_admin;
comment on function auditctl.value_index_work is
    'The statements that give the current month an index of its values up to the last full hour, one by one for a session that acts as auditctl_owner; until and index are null if none is due, and statements then drop what ended halfway or was replaced';
