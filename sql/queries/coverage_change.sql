-- What the log has of capture itself, oldest first: that it was installed, switched off, found off or enabled again, that
-- its table was dropped, created anew or renamed, and who changed a rule.
select
    e.event_id,
    e.occurred_at as at,
    e.target as subject,
    e.target_id as name,
    coalesce(e.actor, e.db_user) as who,
    e.old_values as before,
    e.new_values as after
from auditctl.event as e
where e.target in ('auditctl.rule', 'auditctl.capture')
    or e.target = 'auditctl.ddl'
    and e.new_values -> 'changes' @? '$[*] ? (exists(@.trigger) || exists(@.gone) || exists(@.joined) || exists(@.renamed_from))'
order by e.occurred_at, e.event_id
