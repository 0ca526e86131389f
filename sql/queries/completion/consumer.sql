-- Names of consumers.
select c.name
from auditctl.consumer as c
where starts_with(c.name, %(start)s)
order by c.name
limit %(limit)s
