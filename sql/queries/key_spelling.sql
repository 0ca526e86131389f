-- Under which texts the targets' events have a key: the targets with the same texts together, and of one of them why the key
-- cannot be one, and the columns of its key.
select
    array_agg(target.name order by target.name) as targets,
    key.spellings,
    min(key.fault) as fault,
    min(key.columns) as columns
from (
    {targets}
) as target (name)
cross join lateral auditctl.find_key(target.name, %(key)s) as key
group by key.spellings
order by 1
