-- Where sealing goes on: what the server is now, the last block, the last checkpoint, and the last adoption.
select
    pg_current_snapshot()::text as current_snapshot,
    d.datname::text as database,
    d.oid::bigint as database_oid,
    c.system_identifier,
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer as timeline,
    current_setting('server_version') as server_version,
    coalesce(
        (
            select max(e.event_id)
            from auditctl.event as e
            where e.action = 'EVENT' and e.target = 'auditctl.store' and e.new_values ? 'found'
        ), 0
    ) as adoption_event_id,
    to_jsonb(b) as block,
    (select k.note from auditctl.checkpoint as k order by k.tree_size desc limit 1) as note
from pg_database as d
cross join pg_control_system() as c
left join lateral (
    select b.number, b.incarnation, b.first_leaf, b.events, b.previous_snapshot, b.snapshot, b.until_time, b.is_last_part, b.record
    from auditctl.block as b
    order by b.number desc
    limit 1
) as b on true
where d.datname = current_database()
