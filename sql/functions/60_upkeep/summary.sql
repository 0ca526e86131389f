-- Completes the summary of the log's blocks: VACUUM never summarizes the last blocks of a partition.

create or replace function auditctl_internal.summarize() returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_part regclass;
    v_summarized integer := 0;
begin
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
