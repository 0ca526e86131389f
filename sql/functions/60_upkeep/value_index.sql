-- Indexes of recorded values. Writers would pay too much for them, so only months that are over get them, where it is asked for.

create or replace function auditctl_internal.value_indexes(p_partition regclass) returns setof regclass
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- By their comment, which goes with them when a month is copied.
    select x.indexrelid::regclass
    from pg_index as x
    where x.indrelid = p_partition and obj_description(x.indexrelid, 'pg_class') = 'Leads filters to recorded values; made by auditctl maintain'
$auditctl$;
comment on function auditctl_internal.value_indexes is 'The indexes of a month that lead filters to recorded values; none where it was not asked for';

create or replace function auditctl_internal.value_steps() returns table (step text, partition regclass, first timestamp)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select due.step, due.partition, due.first
    from (select coalesce(current_setting('auditctl.index_values', true), '') as setting) as asked
    cross join lateral (
        select
            m.partition, m.first,
            case
                when exists (select from auditctl_internal.value_indexes(m.partition)) then case when not asked.setting::boolean then 'unindex' end
                when asked.setting::boolean and auditctl_internal.utc(m.first + interval '1 month') <= now() and pg_relation_size(m.partition) > 0
                    then 'index'
            end as step
        from auditctl_internal.month_partitions() as m
    ) as due
    where asked.setting <> '' and due.step is not null
    order by due.first desc
$auditctl$;
comment on function auditctl_internal.value_steps is
    'The months whose values are to be indexed, or whose indexes of values are to be dropped, newest first, as the setting auditctl.index_values asks';

create or replace function auditctl_internal.change_value_indexes(p_step text, p_month timestamp) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set default_tablespace = ''
as $auditctl$
declare
    v_partition constant regclass := format('auditctl.%I', auditctl_internal.month_table(p_month))::regclass;
    v_statement text;
    v_index regclass;
    v_bytes bigint := 0;
begin
    begin
        execute format('lock table only %s in %s mode', v_partition, case p_step when 'index' then 'share' else 'access exclusive' end);
    exception when lock_not_available then
        perform auditctl_internal.give_up(v_partition::text, (auditctl_internal.lock_holders(array[v_partition::oid]))[1]);
    end;
    -- Each filter on values repeats these expressions: see auditctl/log/value_predicates.py.
    foreach v_statement in array case p_step when 'index' then array[
        'create index %1$s_values_idx on %2$s using gin (old_values jsonb_path_ops, new_values jsonb_path_ops, context jsonb_path_ops)',
        'create index %1$s_columns_idx on %2$s using gin (jsonb_path_query_array(new_values, ''$.keyvalue().key'', ''{}'', true)) where action = ''UPDATE''',
        'create index %1$s_reason_idx on %2$s (occurred_at) where context ? ''reason'''
    ] else '{}' end loop
        execute format(v_statement, auditctl_internal.month_table(p_month), v_partition);
        v_index := format('auditctl.%s', split_part(format(v_statement, auditctl_internal.month_table(p_month), ''), ' ', 3))::regclass;
        execute format('comment on index %s is %L', v_index, 'Leads filters to recorded values; made by auditctl maintain');
        v_bytes := v_bytes + pg_relation_size(v_index);
    end loop;
    if p_step = 'unindex' then
        for v_index in select i.name from auditctl_internal.value_indexes(v_partition) as i (name) loop
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
