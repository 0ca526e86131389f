-- The summary of the log's blocks: where it begins, and how it is completed.

create or replace function auditctl_internal.summarize_later(p_relation regclass) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL summarizes the first blocks of an empty table at once, and then each write to them has to update the summary.
    select brin_desummarize_range(x.indexrelid, 0)
    from pg_index as x
    join pg_class as i on i.oid = x.indexrelid
    join pg_am as a on a.oid = i.relam
    where x.indrelid = p_relation and a.amname = 'brin'
$auditctl$;
comment on function auditctl_internal.summarize_later is 'Lets the first blocks of a new table be summarized when they are full, as all others are';

create or replace function auditctl_internal.summarize() returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_part regclass;
    v_summarized integer := 0;
begin
    -- VACUUM never summarizes the last blocks of a partition.
    for v_part in select p.relid from pg_partition_tree('auditctl.event_summary_idx') as p where p.isleaf order by p.relid loop
        begin
            v_summarized := v_summarized + brin_summarize_new_values(v_part);
        exception when lock_not_available or deadlock_detected then
            -- VACUUM is summarizing, or a later run will: until then searches read more blocks, but miss nothing.
            null;
        end;
    end loop;
    return v_summarized;
end
$auditctl$;
comment on function auditctl_internal.summarize is 'Brings the summary of the log''s blocks up to date; returns how many block ranges it added';

create or replace function auditctl.summarize_month(p_after text default null) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    -- As the index has it: see sql/tables/10_event.sql.
    v_range constant integer := 128;
    v_table constant text := auditctl_internal.month_table(date_trunc('month', now() at time zone 'UTC'));
    v_blocks constant bigint := pg_relation_size(to_regclass('auditctl.' || v_table)) / current_setting('block_size')::integer;
    v_index constant regclass := (
        select i.inhrelid
        from pg_inherits as i
        join pg_index as x on x.indexrelid = i.inhrelid
        where i.inhparent = 'auditctl.event_summary_idx'::regclass and x.indrelid = to_regclass('auditctl.' || v_table)
    );
    v_block bigint := case when split_part(p_after, ' ', 1) = v_table then split_part(p_after, ' ', 2)::bigint else 0 end;
    v_added integer := 0;
begin
    -- A writer to blocks with a summary has to update it, so the last ones wait until they are full. A first call of a month
    -- that was never summarized leaves something to the next one.
    while v_block + v_range <= v_blocks and v_added < 50 loop
        v_added := v_added + brin_summarize_range(v_index, v_block);
        v_block := v_block + v_range;
    end loop;
    return format('%s %s', v_table, v_block);
exception when lock_not_available or deadlock_detected then
    -- VACUUM is summarizing.
    return p_after;
end
$auditctl$;
revoke execute on function auditctl.summarize_month from public;
grant execute on function auditctl.summarize_month to auditctl_admin;
comment on function auditctl.summarize_month is
    'Adds the blocks of this month that are full to the summary, so that sealing reads few others; takes what the last call returned, and returns where the next goes on';
