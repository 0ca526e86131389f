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
-- What happens seldom, so that most events pay nothing for it.
create index event_action_target_occurred_at_idx on audit.event (action, target, occurred_at)
    where action <> 'CREATE' and action <> 'UPDATE';

drop index audit.event_event_id_idx;
drop index audit.event_db_user_idx;
