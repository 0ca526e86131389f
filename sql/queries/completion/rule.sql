-- Rules, and tables with capture, whose name begins with a text.
select named.name
from (
    select rule.name from auditctl.rule as rule
    union
    select capture.target from auditctl.capture as capture
) as named
where named.name ^@ %(start)s::text
order by named.name
limit %(limit)s::integer
