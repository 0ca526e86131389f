-- What logical replication does to the log of a subscriber: events that come from the publisher and are captured again,
-- numbers that both servers give, and tables of the store that replication must not write.
with subscribed as (
    select s.srrelid as relation, coalesce(pg_partition_root(s.srrelid)::oid, s.srrelid) as root
    from pg_subscription_rel as s
),

log as (
    select 1 where exists (select from subscribed as s where s.root = to_regclass('auditctl.event'))
)

select
    k.target as object,
    format('each change of %s is in the log twice, as its event comes from the publisher and capture here records it again', k.target) as problem,
    null as remedy,
    'configuration' as needs
from log
cross join auditctl.capture as k
where exists (select from subscribed as s where s.relation = any (k.relation || k.members) or s.root = k.relation)
union all
select
    'auditctl.event.event_id', 'events of this server get numbers that events of the publisher have, too',
    'set role auditctl_owner; alter table auditctl.event alter column event_id set start with 1000000000000000 restart; reset role;',
    'installer'
from log
join pg_sequence as q on q.seqrelid = to_regclass('auditctl.event_event_id_seq') and q.seqstart < 1000000000000000
union all
select distinct
    c.oid::regclass::text, format('replication writes %s, which describes this database and not the publisher''s', c.oid::regclass),
    format('On the publisher, leave it out of the publication, such as: alter publication NAME drop table %s', c.oid::regclass),
    'nobody'
from subscribed as s
join pg_class as c on c.oid = s.root
where c.relnamespace = to_regnamespace('auditctl') and c.oid <> to_regclass('auditctl.event')
order by 1
