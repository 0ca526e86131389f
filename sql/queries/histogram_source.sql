-- The columns of view auditctl.activity that filters compare, from the log or from a sample of its blocks, and the block.
(
    select
        event.event_id,
        event.occurred_at as created_on,
        event.ip as ip_address,
        event.target as target_name,
        event.target_id,
        event.action,
        event.old_values,
        event.new_values,
        event.db_user,
        event.actor_kind,
        event.xact_id,
        event.context ->> 'reason' as reason,
        event.context,
        event.actor,
        event.tableoid as partition_oid,
        (event.ctid::text::point)[0] as block_number
    from auditctl.event as event {sample}
)
