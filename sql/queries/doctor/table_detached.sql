-- Tables that once belonged to an audited table as its partitions or children, still exist, and are audited by nobody now.
with recursive tree as (
    select cap.relation::oid as root, cap.relation::oid as member
    from audit.capture as cap
    union
    select tree.root, i.inhrelid
    from tree
    join pg_inherits as i on i.inhparent = tree.member
)

select distinct
    c.oid::regclass::text as object,
    cap.relation::regclass::text as root,
    audit.qualified(n.nspname, c.relname) as table
from audit.capture as cap
cross join lateral unnest(cap.members || cap.detached) as former
join pg_class as c on c.oid = former::oid
join pg_namespace as n on n.oid = c.relnamespace
where not exists (select from tree where tree.root = cap.relation::oid and tree.member = c.oid)
    and not exists (select from audit.capture as own where own.relation::oid = c.oid)
order by 1
