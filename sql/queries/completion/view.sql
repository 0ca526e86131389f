-- Names of the login's saved views.
select v.name
from auditctl.saved_views() as v
where starts_with(v.name, %(start)s)
order by v.name
limit %(limit)s
