-- Erases values of events that are in files of an archive alone. The caller, who acts as auditctl_owner, has read the events and
-- what proves them from files of which the log has the digest; it writes the files anew before the transaction ends.

create or replace function auditctl_internal.require_erasable_archived(p_event auditctl.event) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_hold record;
begin
    perform auditctl_internal.require_erasable(p_event);
    -- Which events are of the object of a hold, only the files know: it keeps all of its target, as auditctl_internal.is_expired has it.
    select h.* into v_hold
    from auditctl_internal.holds_in_force() as h
    where h.target_id is not null and auditctl.is_meant(h.target, p_event.target)
    order by h.hold_id
    limit 1;
    if found then
        raise exception 'event % may be under hold %: it is archived, where a hold on an object keeps all events of its target', p_event.event_id, v_hold.hold_id
            using errcode = 'object_in_use', hint = format(
                'Nothing was erased. To erase an event of another object, bring back %s first, with the command restore-archive.',
                to_char(timezone('UTC', p_event.occurred_at), 'YYYY-MM')
            );
    end if;
    if exists (select from auditctl.event as e where e.occurred_at = p_event.occurred_at and e.event_id = p_event.event_id) then
        raise exception 'the table has event %, too', p_event.event_id
            using errcode = 'cardinality_violation', hint = 'Nothing was erased. Find out which one was added: auditctl verify --everywhere';
    end if;
end
$auditctl$;
comment on function auditctl_internal.require_erasable_archived is
    'Raises if a hold may keep an archived event, if it is a record of auditctl itself, or if the table has it';

create or replace function auditctl_internal.end_erasure(p_erasure auditctl.erasure) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    update auditctl.erasure set salts = null
    where occurred_at = p_erasure.occurred_at and event_id = p_erasure.event_id and erased_in < p_erasure.erased_in and salts is not null;
    if 'event.target_id' = any (p_erasure.places) then
        delete from auditctl.key_change where occurred_at = p_erasure.occurred_at and event_id = p_erasure.event_id;
    end if;
    return (
        select json_agg(to_jsonb(e) order by e.erased_in)::text
        from auditctl.erasure as e
        where e.occurred_at = p_erasure.occurred_at and e.event_id = p_erasure.event_id
    );
end
$auditctl$;
comment on function auditctl_internal.end_erasure is
    'Removes what the store has beside an archived event of what was erased; returns all erasures of the event, as the archive has them';

create or replace function auditctl_internal.erase_archived(
    p_events auditctl.event [], p_proofs jsonb, p_columns text [], p_reason text, p_dry_run boolean
) returns table (former auditctl.event, erased auditctl.event, places text [], recorded bigint, block bigint, documents text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_names text[];
    v_are_all boolean;
    v_proof jsonb;
    v_erasure auditctl.erasure;
    v_before auditctl.erasure;
begin
    select coalesce(array_agg(distinct c.name order by c.name) filter (where c.name is not null), '{}'),
        bool_and(e.old_values is distinct from '{"$erased": true}' and e.new_values is distinct from '{"$erased": true}')
    into v_names, v_are_all
    from unnest(p_events) as e
    left join lateral unnest(auditctl_internal.event_columns(e)) as c (name) on true;
    perform auditctl_internal.require_columns(p_columns, v_names, v_are_all);
    if not p_dry_run then
        perform auditctl_internal.require_erasure_reason(p_reason);
    end if;
    foreach former in array p_events loop
        perform auditctl_internal.require_erasable_archived(former);
        places := auditctl_internal.find_places(former, p_columns, v_names);
        continue when places = '{}';
        erased := auditctl_internal.erased_event(former, places);
        if not p_dry_run then
            v_proof := p_proofs -> former.event_id::text;
            v_erasure := null;
            v_erasure.event_id := former.event_id;
            v_erasure.occurred_at := former.occurred_at;
            v_erasure.places := places;
            v_erasure.reason := p_reason;
            v_erasure.erased_by := session_user;
            v_erasure.erased_at := clock_timestamp();
            v_erasure.xact_id := pg_current_xact_id();
            v_erasure.units := '{}';
            if v_proof is not null then
                select e.* into v_before
                from auditctl.erasure as e
                where e.occurred_at = former.occurred_at and e.event_id = former.event_id and e.salts is not null
                order by e.erased_in desc
                limit 1;
                v_erasure.block := (v_proof ->> 'block')::bigint;
                v_erasure.place := (v_proof ->> 'place')::bigint;
                v_erasure := auditctl_internal.erase_units(
                    v_erasure, former, v_before, decode(v_proof ->> 'salts', 'hex'), decode(v_proof ->> 'leaf', 'hex')
                );
            end if;
            v_erasure.erased_in := auditctl_internal.record_erasure(v_erasure, former);
            insert into auditctl.erasure values (v_erasure.*);
            recorded := v_erasure.erased_in;
            block := v_erasure.block;
            documents := auditctl_internal.end_erasure(v_erasure);
        end if;
        return next;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.erase_archived is
    'Events as an erasure leaves them, which is recorded unless p_dry_run, and all their rows of auditctl.erasure for the archive. p_proofs has, by number, block, place, leaf and salts of each sealed event';

create or replace function auditctl_internal.record_rewrite(
    p_archive_id bigint, p_former auditctl.event [], p_erased auditctl.event [], p_content text, p_manifest text
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_archive auditctl.archived_month;
    v_event_id bigint;
begin
    select a.* into v_archive
    from auditctl.archived_month as a
    where a.archive_id = p_archive_id and a.ended_at is null and a.dropped_at is not null
    for update;
    if not found then
        raise exception 'the month was brought back or deleted meanwhile'
            using errcode = 'object_not_in_prerequisite_state', hint = 'Nothing was erased. Run it again.';
    end if;
    v_event_id := auditctl_internal.insert_event(
        'auditctl.archive', v_archive.month, 'EVENT', null, jsonb_build_object(
            'month', v_archive.month, 'rows', v_archive.rows, 'location', v_archive.location, 'database', v_archive.database,
            'manifest', p_manifest, 'content', p_content, 'replaced_manifest', v_archive.manifest,
            'erased', array(select e.event_id from unnest(p_erased) as e order by e.event_id)
        ), 'archived month written anew, as values were erased'
    );
    update auditctl.archived_month set ended_at = now() where archive_id = p_archive_id;
    insert into auditctl.archived_month (
        month, location, database, rows, fingerprint, hot_rows, hot_fingerprint, content, manifest, targets, is_proved, event_id, dropped_at
    )
    values (
        v_archive.month, v_archive.location, v_archive.database, v_archive.rows,
        v_archive.fingerprint - auditctl_internal.fingerprint_of(p_former) + auditctl_internal.fingerprint_of(p_erased),
        v_archive.hot_rows, v_archive.hot_fingerprint, p_content, p_manifest, v_archive.targets, v_archive.is_proved, v_event_id,
        v_archive.dropped_at
    );
    return v_event_id;
end
$auditctl$;
comment on function auditctl_internal.record_rewrite is
    'Records that events of an archived month were erased and its files written anew, with the digests of the new ones; returns the event_id';
