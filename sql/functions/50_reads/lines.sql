-- Progress of reading the server's log: each line counts once, and each file continues where reading stopped.

create or replace function auditctl_internal.line_key(p_name text) returns uuid
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select left(encode(sha256(convert_to(p_name, 'UTF8')), 'hex'), 32)::uuid
$auditctl$;
comment on function auditctl_internal.line_key is 'The key of auditctl.read_line for the text that identifies a read';

create or replace function auditctl_internal.lock_import() returns timestamptz
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- An older snapshot would not show the event of a read that has been committed since, and the read would count twice.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'an import needs transactions with isolation level read committed'
            using errcode = 'feature_not_supported', hint = 'Run it with: set default_transaction_isolation = ''read committed''';
    end if;
    return (select h.pruned_before from auditctl.import_horizon as h for update);
end
$auditctl$;
comment on function auditctl_internal.lock_import is 'Waits until no other batch is being stored; returns the time before which lines are too old';

create or replace function auditctl_internal.prune_read_lines(p_before timestamptz) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_pruned bigint;
begin
    perform auditctl_internal.lock_import();
    -- Otherwise reading a file again would restore reads that retention has removed, or duplicate others.
    update auditctl.import_horizon set pruned_before = greatest(pruned_before, p_before);
    delete from auditctl.read_line where logged_at < p_before and waiting is null;
    get diagnostics v_pruned = row_count;
    delete from auditctl.log_file where read_at < p_before;
    return v_pruned;
end
$auditctl$;
comment on function auditctl_internal.prune_read_lines is
    'Deletes the record of lines imported before a time, and blocks their import from then on; returns how many; for retention, which deletes the events of that time';
