-- How blocks are added: nothing here trusts the sealer about what the database itself can see.

create or replace function auditctl.begin_sealing() returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
as $auditctl$
begin
    -- Until the caller's transaction ends. Nobody without a privilege on the table can take a lock that is in the way, and
    -- neither readers nor append_block conflict with it.
    lock table auditctl.incarnation in share update exclusive mode;
    return null;
exception when lock_not_available or deadlock_detected then
    return coalesce(
        (
            select format('process %s (%s, login %s)', l.pid, coalesce(nullif(s.application_name, ''), 'no name'), coalesce(s.usename, 'unknown'))
            from pg_locks as l
            join pg_stat_activity as s on s.pid = l.pid
            where l.relation = 'auditctl.incarnation'::regclass and l.granted and l.pid <> pg_backend_pid()
                and l.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
                and l.database = (select d.oid from pg_database as d where d.datname = current_database())
            limit 1
        ),
        'a process that has ended'
    );
end
$auditctl$;
revoke execute on function auditctl.begin_sealing from public;
grant execute on function auditctl.begin_sealing to auditctl_admin;
comment on function auditctl.begin_sealing is
    'Makes the caller''s transaction the one that seals, until it ends; returns null, or which process does so already';

create or replace function auditctl_internal.follows(p_snapshot pg_snapshot, p_previous pg_snapshot) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- What had ended stays so, and what is running or to come has not ended.
    select
        pg_snapshot_xmin(p_snapshot) >= pg_snapshot_xmin(p_previous) and pg_snapshot_xmax(p_snapshot) >= pg_snapshot_xmax(p_previous)
        and not exists (select from pg_snapshot_xip(p_snapshot) as x where pg_visible_in_snapshot(x, p_previous))
        and pg_snapshot_xmax(p_snapshot) <= pg_snapshot_xmax(pg_current_snapshot())
        and not exists (select from pg_snapshot_xip(pg_current_snapshot()) as x where pg_visible_in_snapshot(x, p_snapshot))
$auditctl$;
comment on function auditctl_internal.follows is 'Whether a snapshot is not earlier than another one, and not later than now';

create or replace function auditctl_internal.record_hash(p_record text) returns bytea
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select sha256(decode('00', 'hex') || convert_to('auditctl block v1' || chr(10) || p_record, 'UTF8'))
$auditctl$;
comment on function auditctl_internal.record_hash is 'The hash of the leaf that a block''s record is';

create or replace function auditctl_internal.require_next_block(p_block auditctl.block) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_before auditctl.block;
    v_record constant jsonb := p_block.record;
    v_problem text;
begin
    select * into v_before from auditctl.block as b order by b.number desc limit 1;
    v_problem := case
        when p_block.number is distinct from coalesce(v_before.number, 0) + 1 then 'number'
        when p_block.first_leaf is distinct from coalesce(v_before.first_leaf + v_before.events + 1, 0) then 'first_leaf'
        when v_record ->> 'previous' is distinct from encode(auditctl_internal.record_hash(v_before.record), 'hex') then 'previous'
        when p_block.incarnation - coalesce(v_before.incarnation, 0) not in (0, 1) or p_block.incarnation < 1 then 'incarnation'
        when p_block.events < 0 or octet_length(p_block.hashes) is distinct from 32 * (p_block.events + 1) then 'hashes'
        when substr(p_block.hashes, (32 * p_block.events + 1)::integer) <> auditctl_internal.record_hash(p_block.record) then 'hashes'
        when octet_length(p_block.checks) is distinct from 13 * p_block.events then 'checks'
        when octet_length(p_block.secret) is distinct from 32 or v_record ->> 'secret_sha256' is distinct from encode(sha256(p_block.secret), 'hex')
            then 'secret_sha256'
        when v_record ->> 'capture' is null or v_record ->> 'capture' is distinct from coalesce(
            encode(sha256(convert_to(p_block.state, 'UTF8')), 'hex'), v_before.record::jsonb ->> 'capture'
        ) then 'capture'
        when (p_block.events = 0) <> (p_block.first_event_id is null) or p_block.first_event_id > p_block.last_event_id then 'first_event_id'
        when p_block.is_last_part <> (p_block.until_time is null) or p_block.until_time <= p_block.from_time then 'until_time'
    end;
    if v_problem is null and v_before.number is not null and not v_before.is_last_part then
        v_problem := case
            when p_block.incarnation <> v_before.incarnation then 'incarnation'
            when (p_block.snapshot, p_block.previous_snapshot)::text <> (v_before.snapshot, v_before.previous_snapshot)::text then 'snapshot'
            when p_block.from_time is distinct from v_before.until_time then 'from_time'
        end;
    elsif v_problem is null then
        v_problem := case
            when p_block.from_time is not null then 'from_time'
            when p_block.previous_snapshot::text
                <> case when p_block.incarnation = v_before.incarnation then v_before.snapshot::text else '1:1:' end then 'previous_snapshot'
            when not auditctl_internal.follows(p_block.snapshot, p_block.previous_snapshot) then 'snapshot'
        end;
    end if;
    if v_problem is not null then
        raise exception 'block % does not follow on the log''s last one: its % differs', p_block.number, v_problem
            using errcode = 'object_not_in_prerequisite_state', hint = 'Another process may have sealed meanwhile. Run it again.';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_next_block is 'Raises unless a block continues the last one, from what the block and the database say';

create or replace function auditctl_internal.begin_incarnation(p_block auditctl.block) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_record constant jsonb := p_block.record;
    v_adoption constant bigint := coalesce(
        (select max(e.event_id) from auditctl.event as e where e.action = 'EVENT' and e.target = 'auditctl.store' and e.new_values ? 'found'), 0
    );
    v_sealed constant bigint := coalesce((select max(b.last_event_id) from auditctl.block as b), 0);
begin
    if p_block.incarnation > 1 and not v_adoption > (select max(i.adoption_event_id) from auditctl.incarnation as i) then
        raise exception 'the store was not adopted since its last incarnation began' using errcode = 'object_not_in_prerequisite_state';
    end if;
    if (v_record ->> 'last_sealed_event_id')::bigint is distinct from v_sealed or (v_record ->> 'adoption_event_id')::bigint is distinct from v_adoption then
        raise exception 'block % does not begin an incarnation as the log has it', p_block.number using errcode = 'object_not_in_prerequisite_state';
    end if;
    insert into auditctl.incarnation (incarnation, last_sealed_event_id, adoption_event_id, system_identifier, database, began_at)
    select p_block.incarnation, v_sealed, v_adoption, c.system_identifier, d.oid, p_block.sealed_at
    from pg_control_system() as c, pg_database as d
    where d.datname = current_database();
end
$auditctl$;
comment on function auditctl_internal.begin_incarnation is 'Adds the incarnation of the first block that is sealed after an adoption, or of block 1';

create or replace function auditctl.append_block(
    p_record text, p_state text, p_secret bytea, p_hashes bytea, p_checks bytea, p_nodes jsonb, p_note text, p_is_kept boolean default false
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_record constant jsonb := p_record;
    v_block auditctl.block;
    v_size bigint;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'append_block needs a transaction with isolation level read committed' using errcode = 'feature_not_supported';
    end if;
    v_block := jsonb_populate_record(null::auditctl.block, v_record - array['state', 'secret', 'salts', 'hashes', 'levels', 'checks']);
    v_block.record := p_record;
    v_block.state := p_state;
    v_block.secret := p_secret;
    v_block.hashes := p_hashes;
    v_block.checks := p_checks;
    v_block.sealed_at := coalesce(v_block.sealed_at, now());
    if abs(extract(epoch from v_block.sealed_at - now())) > 86400 then
        raise exception 'the clocks of sealer and server differ by more than a day' using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform auditctl_internal.require_next_block(v_block);
    if not exists (select from auditctl.incarnation as i where i.incarnation = v_block.incarnation) then
        perform auditctl_internal.begin_incarnation(v_block);
    end if;
    -- Of two that come at once, the second waits here, and then fails.
    insert into auditctl.block select v_block.*;
    insert into auditctl.node (level, index, hash)
    select n.level, n.index, decode(n.hash, 'hex') from jsonb_to_recordset(p_nodes) as n (level smallint, index bigint, hash text);
    v_size := v_block.first_leaf + v_block.events + 1;
    -- A note that cannot be read would stop the next seal.
    if p_note !~ E'^[^\n]+\n[0-9]+\n[A-Za-z0-9+/]{43}=\n\n(\u2014 [^ \n+]+ [A-Za-z0-9+/]+=*\n)+$' or octet_length(p_note) > 100000 then
        raise exception 'the checkpoint is not a signed note' using errcode = 'invalid_parameter_value';
    end if;
    if split_part(p_note, chr(10), 2) is distinct from v_size::text then
        raise exception 'the checkpoint is not of % leaves', v_size using errcode = 'object_not_in_prerequisite_state';
    end if;
    insert into auditctl.checkpoint (tree_size, note, made_at, is_kept) values (v_size, p_note, v_block.sealed_at, p_is_kept);
    delete from auditctl.checkpoint as c
    where c.tree_size = (select max(before.tree_size) from auditctl.checkpoint as before where before.tree_size < v_size)
        and not c.is_kept and timezone('UTC', c.made_at)::date = timezone('UTC', v_block.sealed_at)::date;
end
$auditctl$;
revoke execute on function auditctl.append_block from public;
grant execute on function auditctl.append_block to auditctl_admin;
comment on function auditctl.append_block is
    'Adds a block with its nodes and checkpoint; raises unless it continues the last one. The record has the block''s columns; p_nodes has level, index and hash (hex) of each';

create or replace function auditctl.add_cosignatures(p_tree_size bigint, p_note text, p_lines text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_sealed_at constant timestamptz := (select b.sealed_at from auditctl.block as b where b.first_leaf + b.events + 1 = p_tree_size);
begin
    if v_sealed_at is null or split_part(p_note, chr(10), 2) is distinct from p_tree_size::text or p_note !~ E'^[^\n]+\n[0-9]+\n[A-Za-z0-9+/]{43}=\n\n'
        or not coalesce(auditctl_internal.are_signatures(split_part(p_note, chr(10) || chr(10), 2)), false) then
        raise exception 'the note is not a checkpoint of a block' using errcode = 'invalid_parameter_value';
    end if;
    if not coalesce(auditctl_internal.are_signatures(p_lines), false) or octet_length(p_note || p_lines) > 100000 then
        raise exception 'the lines are not signatures' using errcode = 'invalid_parameter_value';
    end if;
    insert into auditctl.checkpoint as c (tree_size, note, made_at, is_kept) values (p_tree_size, p_note || p_lines, v_sealed_at, true)
    on conflict (tree_size) do update set note = c.note || p_lines, is_kept = true where c.note = p_note;
    return found;
end
$auditctl$;
revoke execute on function auditctl.add_cosignatures from public;
grant execute on function auditctl.add_cosignatures to auditctl_admin;
comment on function auditctl.add_cosignatures is
    'Adds the signatures of witnesses to a checkpoint, which then stays; of one that a later one replaced, stores its note again. False if the stored note is another one';
