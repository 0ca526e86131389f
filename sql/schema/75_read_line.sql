-- What was read of the server's log: each line counts once, and each file is read on from where it ended.

create table audit.read_line (
    line_key uuid not null,
    logged_at timestamptz not null,
    waiting jsonb,
    constraint read_line_pkey primary key (line_key)
);

comment on table audit.read_line is 'One row for each read that was taken from the server''s log, so that no line counts twice';
comment on column audit.read_line.line_key is 'Names the read: session, statement and table of a line of pgaudit, or the keyed hash of a line of auditctl''s own';
comment on column audit.read_line.logged_at is 'When the line was written';
comment on column audit.read_line.waiting is 'The read whose transaction had not ended when its line was found; null once that is known';

create index read_line_waiting_idx on audit.read_line (logged_at) where waiting is not null;
grant select on audit.read_line to audit_reader;
alter table audit.read_line enable row level security;
create policy read_line_is_read_by_whoever_may on audit.read_line for select using (true);

create table audit.log_file (
    fingerprint text not null,
    name text not null,
    format text not null,
    position bigint not null,
    line bigint not null,
    tail text not null,
    size bigint not null,
    read_by text not null default session_user,
    read_at timestamptz not null default pg_catalog.now(),
    constraint log_file_pkey primary key (fingerprint),
    constraint log_file_position_is_not_negative check (position >= 0)
);

comment on table audit.log_file is 'How far each file of the server''s log was read; a file that is renamed or compressed stays the same';
comment on column audit.log_file.fingerprint is 'SHA-256 of the first line, which no two files share';
comment on column audit.log_file.name is 'The file''s name when it was read last, without its folder';
comment on column audit.log_file.format is 'jsonlog or csvlog';
comment on column audit.log_file.position is 'How many bytes of it are done, as they are when it is not compressed';
comment on column audit.log_file.line is 'How many lines that is';
comment on column audit.log_file.tail is 'SHA-256 of the bytes before the position: another there means another file, which is read from its start';
comment on column audit.log_file.size is 'Size on disk when it was read to its end; -1 where it was not';
comment on column audit.log_file.read_by is 'The login that read it last';
comment on column audit.log_file.read_at is 'When it was read last';

grant select on audit.log_file to audit_reader;
alter table audit.log_file enable row level security;
create policy log_file_is_read_by_whoever_may on audit.log_file for select using (true);

create table audit.import_horizon (
    pruned_before timestamptz not null
);

comment on table audit.import_horizon is 'One row, which each batch of an import locks: one batch is stored at a time';
comment on column audit.import_horizon.pruned_before is 'Lines written before are not imported any more: what was read of them is forgotten';

insert into audit.import_horizon (pruned_before) values ('-infinity');
grant select on audit.import_horizon to audit_reader;
alter table audit.import_horizon enable row level security;
create policy import_horizon_is_read_by_whoever_may on audit.import_horizon for select using (true);

create function audit.line_key(p_name text) returns uuid
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select left(encode(sha256(convert_to(p_name, 'UTF8')), 'hex'), 32)::uuid
$auditctl$;

revoke execute on function audit.line_key(text) from public;
comment on function audit.line_key(text) is 'The key of audit.read_line for what names a read';

create function audit.lock_import() returns timestamptz
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    -- An older snapshot would not show the event of a read that is committed, and the read would count twice.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'an import needs transactions that read what is committed'
            using errcode = 'feature_not_supported', hint = 'Run it with: set default_transaction_isolation = ''read committed''';
    end if;
    return (select h.pruned_before from audit.import_horizon as h for update);
end
$auditctl$;

revoke execute on function audit.lock_import() from public;
comment on function audit.lock_import() is 'Waits until no other batch is being stored; returns before when lines are too old';

create function audit.prune_read_lines(p_before timestamptz) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_pruned bigint;
begin
    perform audit.lock_import();
    -- Else a file that is read again would bring back reads that retention has removed, or double others.
    update audit.import_horizon set pruned_before = greatest(pruned_before, p_before);
    delete from audit.read_line where logged_at < p_before and waiting is null;
    get diagnostics v_pruned = row_count;
    delete from audit.log_file where read_at < p_before;
    return v_pruned;
end
$auditctl$;

revoke execute on function audit.prune_read_lines(timestamptz) from public;
comment on function audit.prune_read_lines(timestamptz) is
    'Forgets which lines before a time were imported, and imports none of that time from then on; returns how many; for retention, which removes the events of that time';
