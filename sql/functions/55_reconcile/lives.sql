-- What the events of a table say of its rows: when their lives ended together, and what they hold.

create or replace function auditctl_internal.has_children(p_capture auditctl.capture) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select exists (select from pg_class as c where c.oid = any (p_capture.members::oid[]) and not c.relispartition)
$auditctl$;
comment on function auditctl_internal.has_children is
    'Whether an audited table has inheritance children: a key is then unique within each of them, but not in all together';

create or replace function auditctl_internal.has_life(
    p_names auditctl.target_period[], p_key text, p_partition text, p_by_partition boolean, p_ends jsonb
) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name auditctl.target_period;
    v_last timestamptz;
    v_action auditctl.action;
begin
    foreach v_name in array p_names loop
        select e.occurred_at, e.action
        into v_last, v_action
        -- Without the offset, a log without statistics is searched by time alone.
        from (select * from auditctl.event as o where o.target = v_name.target and o.target_id = p_key offset 0) as e
        where e.occurred_at between v_name.since and v_name.until
            and e.action in ('CREATE', 'UPDATE', 'DELETE')
            and (not p_by_partition or e.context ->> 'partition' is not distinct from p_partition)
        order by e.occurred_at desc, e.event_id desc
        limit 1;
        if v_action in ('CREATE', 'UPDATE')
            and v_last > coalesce((p_ends ->> '')::timestamptz, '-infinity') and v_last > coalesce((p_ends ->> p_partition)::timestamptz, '-infinity')
        then
            return true;
        end if;
    end loop;
    return false;
end
$auditctl$;
comment on function auditctl_internal.has_life is
    'Whether the log has events of a key under one of the names of its table, of which the last does not end it, given auditctl_internal.lives_end';

create or replace function auditctl_internal.plain_name(p_name text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(auditctl_internal.plain_part(part.parts[1]) || '.' || auditctl_internal.plain_part(part.parts[2]), p_name)
    from (select auditctl_internal.name_parts(p_name) as parts) as part
$auditctl$;
comment on function auditctl_internal.plain_name is 'The name of a table without quotes, as the context of an event has that of a partition';

create or replace function auditctl_internal.table_changes(p_names text[]) returns table (at timestamptz, change jsonb)
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select e.occurred_at, c.change
    from auditctl.event as e
    cross join lateral jsonb_array_elements(e.new_values -> 'changes') as c (change)
    where e.target = 'auditctl.ddl' and e.action = 'EVENT' and e.target_id = any (p_names) and jsonb_typeof(e.new_values -> 'changes') = 'array'
$auditctl$;
comment on function auditctl_internal.table_changes is 'What DDL did to a table, given all its names, as auditctl_internal.record_ddl recorded it';

create or replace function auditctl_internal.key_ends(p_names text[]) returns setof timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select c.at
    from auditctl_internal.table_changes(p_names) as c
    where c.change ? 'key'
        or c.change ? 'retyped'
        and exists (select from auditctl.target as t where t.target = any (p_names) and c.change ->> 'column' = any (t.key_columns))
        -- The text of a key stays the same.
        and not (c.change ->> 'retyped' ~ '^(smallint|integer|bigint)$' and c.change ->> 'from' ~ '^(smallint|integer|bigint)$')
        and not (c.change ->> 'retyped' ~ '^(text|character varying)' and c.change ->> 'from' ~ '^(text|character varying)')
$auditctl$;
comment on function auditctl_internal.key_ends is
    'When a table, given all its names, got another key, or its key another type: events before name rows otherwise than those after';

create or replace function auditctl_internal.lives_end(p_names text[]) returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with ending as (
        select coalesce(e.context ->> 'partition', '') as part, e.occurred_at as at
        from auditctl.event as e
        where e.target = any (p_names) and e.action = 'TRUNCATE'
        union all
        select '', c.at from auditctl_internal.key_ends(p_names) as c (at)
        union all
        -- A table that was dropped, and a partition that was. One that was detached may have been attached again.
        select
            case when gone.name in (select auditctl_internal.plain_name(n) from unnest(p_names) as n) then '' else gone.name end, c.at
        from auditctl_internal.table_changes(p_names) as c
        cross join lateral (
            select auditctl_internal.plain_name(coalesce(c.change ->> 'gone', c.change ->> 'left', c.change ->> 'parted')) as name
        ) as gone
        where gone.name is not null and (c.change ? 'gone' or not exists (
            select
            from auditctl_internal.table_changes(p_names) as later
            where later.at >= c.at and auditctl_internal.plain_name(later.change ->> 'joined') = gone.name
        ))
    )

    select coalesce(jsonb_object_agg(last.part, last.at), '{}')
    from (select e.part, max(e.at) as at from ending as e group by e.part) as last
$auditctl$;
comment on function auditctl_internal.lives_end is
    'When the lives of all rows ended together, by a TRUNCATE, with another key, or as a table went, given all names of a table: of the table by an empty name, of its partitions and children by theirs';

create or replace function auditctl_internal.comparable_code(p_names text[], p_columns text[]) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with changed as (
        select coalesce(c.change ->> 'renamed', c.change ->> 'column') as name, c.at
        from auditctl_internal.table_changes(p_names) as c
        where c.change ?| '{added,retyped,renamed}' and c.change ? 'column'
        union all
        select c.change ->> 'column', null
        from auditctl_internal.table_changes(p_names) as c
        where c.change ?| '{dropped,renamed}' and c.change ? 'column'
    ),

    since as (
        select c.name, case when c.name = any (p_columns) then max(c.at) else 'infinity' end as at
        from changed as c
        group by c.name
    )

    select 'e.new_values' || coalesce(string_agg(format(
        ' - case when e.occurred_at < %L::timestamptz then %L::text[] else ''{}'' end', same.at, same.names
    ), '' order by same.at), '')
    from (select s.at, array_agg(s.name order by s.name) as names from since as s where s.at is not null group by s.at) as same
$auditctl$;
comment on function auditctl_internal.comparable_code is
    'The expression for the values of an event e that can be compared with a row now: without those of columns that were added, retyped or renamed since, and of columns that are gone; given all names of a table and its columns';

create or replace function auditctl_internal.fold_events(p_query text) returns table (key text, part text, image jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_event record;
    v_events bigint := 0;
begin
    for v_event in execute p_query loop
        if v_event.key is distinct from key or v_event.part is distinct from part then
            if key is not null then
                return next;
            end if;
            key := v_event.key;
            part := v_event.part;
            image := null;
        end if;
        image := case
            when v_event.action = 'DELETE' then null
            -- Of an erased event nobody knows which columns it changed.
            when v_event.image is null or v_event.image = '{"$erased": true}' then '{}'
            when v_event.action = 'CREATE' or image is null then v_event.image
            else image || v_event.image
        end;
        v_events := v_events + 1;
        if v_events % 100000 = 0 then
            raise notice '% events', v_events using errcode = 'UA0PR';
        end if;
    end loop;
    if key is not null then
        return next;
    end if;
end
$auditctl$;
comment on function auditctl_internal.fold_events is
    'The image of each row after all its events, null once it is deleted, given a query for key, part, action and image, sorted by key, part and time. Reports progress by notices';
