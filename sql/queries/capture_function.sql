-- The capture functions that rules ask for, assembled by the database; in the order of the requests.
select
    f.name,
    f.source,
    f.settings,
    f.comment,
    f.statement,
    f.grantee
from pg_catalog.jsonb_to_recordset(%(requests)s) as r (
    position integer, relation oid, root oid, target text, action text, exclude text [], mask text [], key text [], require_actor boolean
)
cross join lateral auditctl.capture_function(
    r.relation::regclass, r.root::regclass, r.target, r.action::auditctl.action, r.exclude, r.mask, r.key, r.require_actor
) as f
order by r.position
