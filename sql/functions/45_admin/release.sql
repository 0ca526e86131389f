-- One migration: what the coverage guard refuses on an audited table may be released for one command of one transaction.

create or replace function auditctl_internal.named_relation(p_table text) returns oid
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_parts constant text[] := auditctl_internal.name_parts(p_table);
begin
    return (
        select c.oid
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = auditctl_internal.plain_part(v_parts[1]) and c.relname = auditctl_internal.plain_part(v_parts[2])
            and c.relkind in ('r', 'p', 'f')
    );
end
$auditctl$;
comment on function auditctl_internal.named_relation is 'The table of a name with its schema; null if there is none';

create or replace function auditctl_internal.counted_rows(p_relation oid) returns jsonb
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_sites constant oid[] := array(
        select c.oid
        from unnest(p_relation || auditctl_internal.current_members(p_relation)::oid[]) as site (oid)
        join pg_class as c on c.oid = site.oid and c.relkind <> 'p'
    );
    v_site oid;
    v_rows bigint := 0;
begin
    begin
        foreach v_site in array v_sites loop
            v_rows := v_rows + auditctl_internal.borrow('count', v_site);
            exit when v_rows is null;
        end loop;
        -- The locks that counting takes end with this block.
        raise exception 'counted' using errcode = 'UA000';
    exception when sqlstate 'UA000' then
        if v_rows <= 1000000 then
            return jsonb_build_object('rows', v_rows);
        end if;
    when insufficient_privilege or lock_not_available then
        null;
    end;
    return (
        select jsonb_build_object('rows', coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint, 'estimated', true) from pg_class as c where c.oid = any (v_sites)
    );
end
$auditctl$;
comment on function auditctl_internal.counted_rows is
    'The number of rows of a table with its members: counted up to a million, where that runs no code of its owner; else the statistics'' estimate, marked so';

create or replace function auditctl.release(p_table text, p_reason text) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_capture auditctl.capture;
    v_hold bigint;
    v_rows jsonb;
begin
    perform auditctl_internal.require_in_place();
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'a release needs a transaction of isolation level read committed'
            using errcode = 'invalid_transaction_state', hint = 'Begin it without another level.';
    end if;
    if not coalesce(auditctl_internal.has_visible(p_reason), false) or octet_length(p_reason) > 10240 then
        raise exception 'a release needs a reason of at most 10 kB' using errcode = 'invalid_parameter_value';
    end if;
    select k.* into v_capture from auditctl.capture as k where k.target = auditctl.canonical_target(p_table);
    if not found then
        select k.*
        into v_capture
        from auditctl.capture as k
        where k.relation = auditctl_internal.audited_through(auditctl_internal.named_relation(p_table));
    end if;
    if v_capture.relation is null then
        raise exception '% is not audited', coalesce(left(p_table, 200), 'null')
            using errcode = 'undefined_table', hint = 'Name an audited table with its schema; nothing of the store itself can be released.';
    end if;
    perform auditctl_internal.require_administrable(array[v_capture.target]);
    select h.hold_id
    into v_hold
    from auditctl.hold as h
    where h.released_at is null and auditctl.is_meant(h.target, v_capture.target)
    order by h.hold_id
    limit 1;
    if found then
        raise exception 'refused: hold % is about %', v_hold, v_capture.target
            using errcode = 'UA003', hint = 'Release the hold first. List them with: auditctl hold list';
    end if;
    v_rows := auditctl_internal.counted_rows(v_capture.relation);
    delete from auditctl.release as r where r.xact < pg_snapshot_xmin(pg_current_snapshot());
    insert into auditctl.release (relation, xact) values (v_capture.relation, pg_current_xact_id())
    on conflict (relation, xact) do update set is_used = false;
    perform auditctl_internal.insert_event(
        'auditctl.release', v_capture.target, 'EVENT', null, v_rows || jsonb_build_object('reason', p_reason),
        format(
            'released for one command: %s; it has %s%s', p_reason, case when v_rows ? 'estimated' then 'about ' else '' end,
            auditctl_internal.counted(v_rows ->> 'rows', 'row')
        )
    );
    return (v_rows ->> 'rows')::bigint;
end
$auditctl$;
revoke execute on function auditctl.release from public;
grant execute on function auditctl.release to auditctl_admin;
comment on function auditctl.release is
    'Lets one command of this transaction do to an audited table what the coverage guard refuses, such as to drop it; returns the number of its rows';
