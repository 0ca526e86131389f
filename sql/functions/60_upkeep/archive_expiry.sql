-- Retention of archived months: when all events of a month have expired, the command deletes its files. The log says so first.

create or replace function auditctl_internal.archived_files() returns setof auditctl.archived_month
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Where a month was archived again to the same place, the new files have replaced the old ones.
    select newest.*
    from (
        select distinct on (a.month, a.database, a.location) a.*
        from auditctl.archived_month as a
        order by a.month, a.database, a.location, a.archive_id desc
    ) as newest
    where newest.deleted_at is null
$auditctl$;
comment on function auditctl_internal.archived_files is 'The archived months whose files are there, as far as the log knows; one that was archived to two places is there twice';

create or replace function auditctl_internal.is_expired(p_archive auditctl.archived_month, p_for interval) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- As auditctl_internal.expired_targets has it. A hold on one object keeps every month with events of its target: which of them
    -- are of the object, only the files know.
    select
        auditctl.kept_since('') - p_for >= month.next
        and not exists (
            select
            from unnest(p_archive.targets) as t (target)
            where auditctl.kept_since(t.target) - p_for < month.next
                or exists (select from auditctl_internal.holds_in_force() as h where auditctl.is_meant(h.target, t.target))
        )
    from (select auditctl_internal.utc(to_date(p_archive.month, 'YYYY-MM') + interval '1 month') as next) as month
$auditctl$;
comment on function auditctl_internal.is_expired is 'Whether all events of an archived month have expired, so long ago at least, and no hold keeps the month';

create or replace function auditctl.expired_archives(p_for interval default '0 days') returns table (
    archive_id bigint, month text, location text, database text, rows bigint, manifest text, is_announced boolean
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select a.archive_id, a.month, a.location, a.database, a.rows, a.manifest, a.expired_at is not null
    from auditctl_internal.archived_files() as a
    where case when a.expired_at is null then auditctl_internal.is_expired(a, p_for) else a.expired_at <= now() - p_for end
    order by a.month, a.archive_id
$auditctl$;
revoke execute on function auditctl.expired_archives from public;
grant execute on function auditctl.expired_archives to auditctl_reader;
comment on function auditctl.expired_archives is
    'The archived months whose files should be deleted, since so long at least, as all their events have expired and no hold keeps them; and whether the log says already that they are';

create or replace function auditctl.announce_expiry(p_archive_id bigint, p_kept text[]) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_state constant text := auditctl_internal.retention_state();
    v_archive record;
begin
    -- A caller that forgets to end its own transaction would otherwise keep others from placing a hold.
    perform set_config('idle_in_transaction_session_timeout', '10s', true);
    perform auditctl_internal.require_retention_state(v_state);
    perform from auditctl.archived_month as a where a.archive_id = p_archive_id for update;
    select e.* into v_archive from auditctl.expired_archives() as e where e.archive_id = p_archive_id and not e.is_announced;
    if not found then
        return null;
    end if;
    update auditctl.archived_month
    set expired_at = now(), ended_at = coalesce(ended_at, now())
    where archive_id = p_archive_id;
    return auditctl_internal.insert_event(
        'auditctl.archive', v_archive.month, 'EVENT', null, jsonb_build_object(
            'month', v_archive.month, 'rows', v_archive.rows, 'location', v_archive.location, 'database', v_archive.database,
            'deleted_manifest', v_archive.manifest, 'kept_files', p_kept
        ), 'expired month deleted from the archive'
    );
end
$auditctl$;
revoke execute on function auditctl.announce_expiry from public;
grant execute on function auditctl.announce_expiry to auditctl_admin;
comment on function auditctl.announce_expiry is
    'Records that the files of an archived month are deleted, if all its events have expired and no hold keeps it; p_kept are those that stay, as they are not what was written. Returns the event_id, null if it may not be deleted or was announced';

create or replace function auditctl.end_expiry(p_archive_id bigint) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    update auditctl.archived_month set deleted_at = now() where archive_id = p_archive_id and expired_at is not null and deleted_at is null
$auditctl$;
revoke execute on function auditctl.end_expiry from public;
grant execute on function auditctl.end_expiry to auditctl_admin;
comment on function auditctl.end_expiry is 'Notes that the files of an archived month are deleted, as auditctl.announce_expiry has announced it';

create or replace function auditctl.count_held_archives(p_target text) returns bigint
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select count(distinct a.month)
    from auditctl_internal.archived_files() as a
    where a.expired_at is null and exists (select from unnest(a.targets) as t (target) where auditctl.is_meant(p_target, t.target))
$auditctl$;
revoke execute on function auditctl.count_held_archives from public;
grant execute on function auditctl.count_held_archives to auditctl_reader;
comment on function auditctl.count_held_archives is 'The number of archived months whose files a hold on a target, or on an object of it, would keep';
