-- Erases recorded values: finds them, announces the erasure by rows of auditctl.erasure, whose triggers check and record it
-- (erasure_guard.sql), and changes the events.

create or replace function auditctl_internal.erasable_columns() returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select '{actor,ip,db_user,target_id,old_values,new_values,context}'::text[]
$auditctl$;
comment on function auditctl_internal.erasable_columns is 'The columns of an event that can be erased, in the order of its leaf';

create or replace function auditctl_internal.erased_image(p_image jsonb, p_column text, p_places text[]) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select case
        when p_image is null then null
        when 'event.' || p_column = any (p_places) then '{"$erased": true}'
        when jsonb_typeof(p_image) <> 'object' then p_image
        else p_image || coalesce(
            (
                select jsonb_object_agg(p.name, '{"$erased": true}'::jsonb)
                from (select substr(place, 8) as name from unnest(p_places) as place where place ^@ 'values.') as p
                where p_image ? p.name
            ), '{}'
        )
    end
$auditctl$;
comment on function auditctl_internal.erased_image is 'Old or new values without what an erasure names: a value, or all of them, is {"$erased": true} then';

create or replace function auditctl_internal.erased_event(p_event auditctl.event, p_places text[]) returns auditctl.event
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_event auditctl.event := p_event;
begin
    v_event.actor := case when p_event.actor is null or 'event.actor' <> all (p_places) then p_event.actor else '(erased)' end;
    v_event.ip := case when 'event.ip' <> all (p_places) then p_event.ip end;
    v_event.db_user := case when 'event.db_user' <> all (p_places) then p_event.db_user else '(erased)' end;
    v_event.target_id := case when 'event.target_id' <> all (p_places) then p_event.target_id end;
    v_event.old_values := auditctl_internal.erased_image(p_event.old_values, 'old_values', p_places);
    v_event.new_values := auditctl_internal.erased_image(p_event.new_values, 'new_values', p_places);
    -- The key before an update is in the context.
    v_event.context := auditctl_internal.erased_image(
        p_event.context, 'context',
        array(select place from unnest(p_places) as place where place = 'event.context')
        || case when 'event.target_id' = any (p_places) then '{values.previous_target_id}'::text[] else '{}' end
    );
    return v_event;
end
$auditctl$;
comment on function auditctl_internal.erased_event is 'An event as an erasure of these places leaves it';

create or replace function auditctl_internal.event_columns(p_event auditctl.event) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array(
        select distinct key
        from unnest(array[p_event.old_values, p_event.new_values]) as image
        cross join lateral jsonb_object_keys(case jsonb_typeof(image) when 'object' then image else '{}' end) as key
        where image <> '{"$erased": true}'
        order by key
    )
$auditctl$;
comment on function auditctl_internal.event_columns is 'The columns of the audited table that an event has values of';

create or replace function auditctl_internal.find_places(p_event auditctl.event, p_columns text[], p_names text[]) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_columns constant text[] := case when cardinality(p_columns) = 0 then '{event.old_values,event.new_values,event.context}' else p_columns end;
begin
    return array(
        select distinct place.name
        from unnest(v_columns) as c (name)
        cross join lateral (
            select case
                when c.name ^@ 'values.' or c.name ^@ 'event.' then c.name
                when c.name = any (p_names) or c.name <> all (auditctl_internal.erasable_columns()) then 'values.' || c.name
                else 'event.' || c.name
            end
        ) as place (name)
        -- What the event does not have, or has no longer, is not erased.
        where auditctl_internal.erased_event(p_event, array[place.name]) *<> p_event
        order by place.name
    );
end
$auditctl$;
comment on function auditctl_internal.find_places is
    'Which of some columns an event has a value of, as auditctl.erasure.places has them; p_names are the columns of the audited tables, which come before those of the event. Without columns the old and new values and the context';

create or replace function auditctl_internal.require_columns(p_columns text[], p_names text[], p_are_all boolean) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column text;
begin
    foreach v_column in array p_columns loop
        if v_column = any (p_names) and v_column = any (auditctl_internal.erasable_columns()) then
            raise exception '% is a column of the audited table and of the event', to_json(v_column)
                using errcode = 'invalid_parameter_value', hint = format('Write values.%s for that of the table, event.%1$s for that of the event.', v_column);
        elsif (case
            when v_column ^@ 'values.' then p_are_all and substr(v_column, 8) <> all (p_names)
            when v_column ^@ 'event.' then substr(v_column, 7) <> all (auditctl_internal.erasable_columns())
            else p_are_all and v_column <> all (p_names || auditctl_internal.erasable_columns())
        end) then
            raise exception 'none of the events has a column % that can be erased', to_json(v_column)
                using errcode = 'invalid_parameter_value', hint = format(
                    'They have: %s. Of an event itself: %s.', coalesce(nullif(array_to_string(p_names, ', '), ''), 'no values'),
                    array_to_string(auditctl_internal.erasable_columns(), ', ')
                );
        end if;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.require_columns is
    'Raises for a column that none of the events has, if the names are all that they ever had, or that may be of the event and of the audited table';

create or replace function auditctl_internal.find_events(p_events bigint[]) returns setof auditctl.event
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_event auditctl.event;
    v_before bigint := 0;
    v_numbers bigint[] := array(select distinct n from unnest(p_events) as n order by n);
begin
    for v_event in select e.* from auditctl.event as e where e.event_id = any (v_numbers) order by e.event_id loop
        if v_event.event_id = v_before then
            raise exception 'there are several events %, as numbers were used again', v_before
                using errcode = 'cardinality_violation', hint = 'None of them was changed.';
        end if;
        v_before := v_event.event_id;
        v_numbers := array_remove(v_numbers, v_before);
        return next v_event;
    end loop;
    if v_numbers <> '{}' or array_position(v_numbers, null) is not null then
        raise exception 'there is no event %', coalesce(array_to_string(v_numbers, ', '), 'null')
            using errcode = 'no_data_found', hint = case
                when exists (select from auditctl.archived_month as a where a.dropped_at is not null and a.ended_at is null)
                    then 'The archive does not have it either, or was not asked. Look with: auditctl log --everywhere'
                else 'Look with: auditctl log'
            end;
    end if;
end
$auditctl$;
comment on function auditctl_internal.find_events is 'The events of these numbers; raises if one is missing or is not unique';

create or replace function auditctl_internal.erase_event(p_erasure auditctl.erasure) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation regclass;
    v_event auditctl.event;
begin
    select e.* into v_event from auditctl.event as e where e.occurred_at = p_erasure.occurred_at and e.event_id = p_erasure.event_id;
    v_event := auditctl_internal.erased_event(v_event, p_erasure.places);
    update auditctl.erasure set salts = null
    where occurred_at = v_event.occurred_at and event_id = v_event.event_id and erased_in < p_erasure.erased_in and salts is not null;
    -- The second has a copy of the event while it moves out of the DEFAULT partition.
    foreach v_relation in array array_remove(array['auditctl.event'::regclass, to_regclass('auditctl.event_moving')], null) loop
        execute format(
            'update %s set actor = $3, ip = $4, db_user = $5, target_id = $6, old_values = $7, new_values = $8, context = $9 '
            'where occurred_at = $1 and event_id = $2', v_relation
        ) using v_event.occurred_at, v_event.event_id, v_event.actor, v_event.ip, v_event.db_user, v_event.target_id,
            v_event.old_values, v_event.new_values, v_event.context;
    end loop;
    if 'event.target_id' = any (p_erasure.places) then
        delete from auditctl.key_change where occurred_at = v_event.occurred_at and event_id = v_event.event_id;
    end if;
end
$auditctl$;
comment on function auditctl_internal.erase_event is 'Changes an event as an erasure announces it';

create or replace function auditctl_internal.plan_erasure(p_events bigint[], p_columns text[])
returns table (event_id bigint, created_on timestamptz, target text, target_id text, partition text, places text[])
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_event auditctl.event;
    v_names text[];
    v_are_all boolean;
begin
    select coalesce(array_agg(distinct c.name order by c.name) filter (where c.name is not null), '{}'),
        bool_and(e.old_values is distinct from '{"$erased": true}' and e.new_values is distinct from '{"$erased": true}')
    into v_names, v_are_all
    from auditctl_internal.find_events(p_events) as e
    left join lateral unnest(auditctl_internal.event_columns(e)) as c (name) on true;
    perform auditctl_internal.require_columns(p_columns, v_names, v_are_all);
    for v_event in select e.* from auditctl_internal.find_events(p_events) as e loop
        perform auditctl_internal.require_erasable(v_event);
        places := auditctl_internal.find_places(v_event, p_columns, v_names);
        continue when places = '{}';
        event_id := v_event.event_id;
        created_on := v_event.occurred_at;
        target := v_event.target;
        target_id := v_event.target_id;
        partition := (
            select e.tableoid::regclass::text from auditctl.event as e where e.occurred_at = v_event.occurred_at and e.event_id = v_event.event_id
        );
        return next;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.plan_erasure is 'What auditctl.erase_events would erase; raises where it would';

create or replace function auditctl.erase_events(p_events bigint[], p_columns text[], p_reason text, p_dry_run boolean default false)
returns table (
    event_id bigint, created_on timestamptz, target text, target_id text, partition text, places text[], recorded bigint, block bigint
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_plan jsonb;
    v_one record;
begin
    if not p_dry_run then
        perform auditctl_internal.lock_erasure();
    end if;
    v_plan := coalesce((select jsonb_agg(p order by p.event_id) from auditctl_internal.plan_erasure(p_events, p_columns) as p), '[]');
    if p_dry_run then
        return query
        select p.* from jsonb_to_recordset(v_plan) as p (
            event_id bigint, created_on timestamptz, target text, target_id text, partition text, places text[], recorded bigint, block bigint
        );
        return;
    end if;
    -- In one statement, after which a trigger changes each block once.
    for v_one in
        insert into auditctl.erasure as r (event_id, occurred_at, erased_in, places, reason, block, place)
        select p.event_id, p.created_on, 0, p.places, p_reason, l.block, l.place
        from jsonb_to_recordset(v_plan) as p (event_id bigint, created_on timestamptz, places text[])
        left join auditctl_internal.find_leaves(
            array(select (p ->> 'event_id')::bigint from jsonb_array_elements(v_plan) as p),
            array(select (p ->> 'created_on')::timestamptz from jsonb_array_elements(v_plan) as p)
        ) as l on l.event_id = p.event_id and l.occurred_at = p.created_on
        order by p.event_id
        returning r as erasure
    loop
        perform auditctl_internal.erase_event(v_one.erasure);
        select p.event_id, p.created_on, p.target, p.target_id, p.partition, p.places
        into event_id, created_on, target, target_id, partition, places
        from jsonb_to_recordset(v_plan) as p (
            event_id bigint, created_on timestamptz, target text, target_id text, partition text, places text[]
        )
        where p.event_id = (v_one.erasure).event_id;
        recorded := (v_one.erasure).erased_in;
        block := (v_one.erasure).block;
        return next;
    end loop;
end
$auditctl$;
revoke execute on function auditctl.erase_events from public;
grant execute on function auditctl.erase_events to auditctl_admin;
comment on function auditctl.erase_events is
    'Erases values of events: of these columns, or without any the old and new values and the context. One row for each event that has such values; with p_dry_run nothing is erased. All or none';
