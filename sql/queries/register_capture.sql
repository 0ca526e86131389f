-- Enters an audited table where the coverage guard looks, or brings it up to date.
insert into auditctl.capture as known (relation, target, actions, exclude, mask, key, require_actor, read_query, read_force, being_changed_by)
values (
    %(relation)s::oid::regclass, %(target)s, %(actions)s::auditctl.action [], %(exclude)s::text [], %(mask)s::text [], %(key)s::text [],
    %(require_actor)s, %(read_query)s, %(read_force)s, pg_current_xact_id()
)
on conflict (relation) do update
set
    target = excluded.target,
    actions = excluded.actions,
    exclude = excluded.exclude,
    mask = excluded.mask,
    key = excluded.key,
    require_actor = excluded.require_actor,
    read_query = excluded.read_query,
    read_force = excluded.read_force,
    -- Whoever states other columns means it.
    former_exclude = case when known.exclude = excluded.exclude then known.former_exclude else '{}' end,
    former_mask = case when known.mask = excluded.mask then known.former_mask else '{}' end,
    being_changed_by = excluded.being_changed_by
