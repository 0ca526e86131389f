-- Any filter's first page at once: one summary of all that is rare in place of two, and an index for rare actions.

-- Which logins, tables and actions occur in each 128 pages, and when: nearly free to write. The collation and the hash
-- keep these conditions apart from those that other indexes answer; see auditctl/log/ways.py.
create index event_summary_idx on audit.event using brin (
    event_id,
    occurred_at,
    db_user collate "C" text_bloom_ops (n_distinct_per_range = 64),
    target collate "C" text_bloom_ops (n_distinct_per_range = 64),
    (pg_catalog.hashenum(action)) int4_bloom_ops (n_distinct_per_range = 16)
) with (pages_per_range = 128, autosummarize = on);
-- What happens seldom: for other events its predicate is evaluated, as one comparison of values in their order.
create index event_action_target_occurred_at_idx on audit.event (action, target, occurred_at)
    where action >= 'DELETE';

drop index audit.event_event_id_idx;
drop index audit.event_db_user_idx;

-- The summary of the log's blocks, kept whole: VACUUM leaves out the last blocks of a partition for ever.

create function audit.summarize() returns integer
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $auditctl$
declare
    v_part regclass;
    v_summarized integer := 0;
begin
    for v_part in select p.relid from pg_partition_tree('audit.event_summary_idx') as p where p.isleaf order by p.relid loop
        begin
            v_summarized := v_summarized + brin_summarize_new_values(v_part);
        exception when lock_not_available or deadlock_detected then
            -- VACUUM is at it, or another run comes by: searches read more until then, and miss nothing.
            null;
        end;
    end loop;
    return v_summarized;
end
$auditctl$;

revoke execute on function audit.summarize() from public;
comment on function audit.summarize() is 'Brings the summary of the log''s blocks up to date; returns how many ranges of blocks it took in';

create or replace function audit.next_step() returns jsonb
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
    perform audit.summarize();
    update audit.maintenance set ran_at = now();
    return null;
end
$auditctl$;
