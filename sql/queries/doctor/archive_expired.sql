-- Archived months whose events have all expired at least two days ago, and whose files were not deleted.
select
    'month ' || a.month as object,
    a.month,
    a.location
from auditctl.expired_archives('2 days') as a
order by a.month, a.location
