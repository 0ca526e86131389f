-- Which events stay in the database when their archived month is dropped: hot ones. The others of such a month are cold.

create or replace function auditctl.stays_hot(p_target text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- As auditctl.archive.hot_targets: by these events coverage, verify and upkeep know what to say of all others. What nothing
    -- else needs may be much: who looked at the log, and what import-log found in the server's log.
    select
        starts_with(p_target, 'auditctl.')
        and p_target not in (
            'auditctl.ddl_statement', 'auditctl.export', 'auditctl.lookup', 'auditctl.refusal', 'auditctl.role_statement', 'auditctl.session',
            'auditctl.sign_in'
        )
$auditctl$;
revoke execute on function auditctl.stays_hot from public;
grant execute on function auditctl.stays_hot to auditctl_reader;
comment on function auditctl.stays_hot is 'Whether the events of a target stay in the database when upkeep drops their archived month';

create or replace function auditctl_internal.hot_condition(p_month timestamp) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- By a list of targets, as a function for each event takes longer than all the rest.
    select format('e.target = any (%L)', array(select t.target from auditctl_internal.partition_targets(p_month) as t (target) where auditctl.stays_hot(t.target)))
$auditctl$;
comment on function auditctl_internal.hot_condition is 'The SQL condition for the events e of a month that stay in the database when it is dropped';

create or replace function auditctl_internal.has_cold_events(p_month text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select exists (
        select from auditctl_internal.partition_targets(to_date(p_month, 'YYYY-MM')::timestamp) as t (target) where not auditctl.stays_hot(t.target)
    )
$auditctl$;
comment on function auditctl_internal.has_cold_events is 'Whether a month of the log has events that an archive could take over';
