-- Indexes of recorded values. Writers would pay too much for them, so only months that are over get them, where it is asked for.

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
    'Whether months that are over are to have indexes of recorded values, as the setting auditctl.index_values says; null if they are to stay as they are';

create or replace function auditctl_internal.value_indexes(p_partition regclass) returns setof regclass
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- By their comment, which goes with them when a month is copied.
    select x.indexrelid::regclass
    from pg_index as x
    where x.indrelid = p_partition and obj_description(x.indexrelid, 'pg_class') = auditctl_internal.value_index_comment()
$auditctl$;
comment on function auditctl_internal.value_indexes is 'The indexes of a month that lead filters to recorded values; none where it was not asked for';

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
                when exists (select from auditctl_internal.value_indexes(m.partition)) then case when not asked.is_wanted then 'unindex' end
                when asked.is_wanted and auditctl_internal.utc(m.first + interval '1 month') <= now() and pg_relation_size(m.partition) > 0
                    then 'index'
            end as step
        from auditctl_internal.month_partitions() as m
    ) as due
    where due.step is not null
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
    v_name text;
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
    -- Whole statements, as auditctl/store_code.py reads here what an index may call.
    for v_name, v_statement in
        select format('%s_%s_idx', auditctl_internal.month_table(p_month), made.suffix), made.statement
        from (values
            ('values', 'create index %I on %s using gin (old_values jsonb_path_ops, new_values jsonb_path_ops, context jsonb_path_ops)'),
            ('columns', 'create index %I on %s using gin (jsonb_path_query_array(new_values, ''$.keyvalue().key'', ''{}'', true)) where action = ''UPDATE'''),
            ('reason', 'create index %I on %s (occurred_at) where context ? ''reason''')
        ) as made (suffix, statement)
        where p_step = 'index'
    loop
        execute format(v_statement, v_name, v_partition);
        v_index := format('auditctl.%I', v_name)::regclass;
        execute format('comment on index %s is %L', v_index, auditctl_internal.value_index_comment());
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
