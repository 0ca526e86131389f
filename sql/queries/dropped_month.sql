-- The months of the log that are in files alone, oldest first, and where [archive] in the file says that archives are.
select
    archived_month.month,
    archived_month.database,
    archived_month.location,
    archived_month.manifest,
    (select archiving.location from auditctl.archiving as archiving) as elsewhere
from auditctl.archived_month as archived_month
where archived_month.dropped_at is not null and archived_month.ended_at is null
order by archived_month.month, archived_month.database
