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
