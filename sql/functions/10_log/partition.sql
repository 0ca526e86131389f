-- Monthly partitions, with bounds in UTC regardless of the session's time zone.

create or replace function auditctl_internal.create_partition(p_month date) returns regclass
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_month constant timestamp := date_trunc('month', p_month::timestamp);
    v_name constant text := to_char(v_month, '"event_"YYYY_MM');
    v_partition regclass;
begin
    if to_regclass(format('auditctl.%I', v_name)) is not null then
        return null;
    end if;
    begin
        v_partition := auditctl_internal.make_month(v_name, v_month, null);
        -- ATTACH PARTITION does not block writers of the other partitions; CREATE TABLE ... PARTITION OF would.
        perform auditctl_internal.attach_month(v_partition, v_month, 'auditctl.event');
    exception when check_violation then
        raise warning 'no partition for %: the DEFAULT partition already holds events of that month', to_char(v_month, 'YYYY-MM');
        return null;
    end;
    perform auditctl_internal.enter_month(v_month::timestamp);
    return v_partition;
end
$auditctl$;
comment on function auditctl_internal.create_partition is 'Creates the partition of one month with its write-once triggers; null if it exists or cannot be created';

create or replace function auditctl_internal.create_partitions(p_ahead integer default 3) returns integer
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    select
        count(auditctl_internal.create_partition((date_trunc('month', now() at time zone 'UTC') + ahead * interval '1 month')::date))::integer
    from generate_series(0, p_ahead) as ahead
$auditctl$;
comment on function auditctl_internal.create_partitions is 'Creates the partitions of this month and of the next p_ahead months; returns how many it created';
