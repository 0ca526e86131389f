-- Rows whose key changed: what the events under each of their keys add up to.

create or replace function auditctl_internal.moved_code(p_events text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Each event that changed a key ends a life under the old key and begins one under the new. Where one statement moves many
    -- rows, such as a swap, a row may arrive at a key before the row that was there departs: then the departure is that row's.
    select format(
        $query$
        with recursive event as materialized (%s),

        step as (
            select e.key, e.part, e.occurred_at, e.event_id, e.xact_id, e.action, e.image, e.previous_key is not null as is_arrival,
                case when e.action = 'DELETE' then 'end' when e.action = 'CREATE' or e.previous_key is not null then 'start' else 'change' end as kind
            from event as e
            union all
            select e.previous_key, e.part, e.occurred_at, e.event_id, e.xact_id, null, null, false, 'end'
            from event as e
            where e.previous_key is not null
        ),

        numbered as (
            select
                s.*, count(*) filter (where s.kind = 'start') over life as life,
                s.is_arrival and coalesce(lag(s.kind) over life <> 'end', false) as is_early
            from step as s
            window life as (partition by s.key, s.part order by s.occurred_at, s.event_id)
        ),

        ending as (
            select
                n.event_id, n.key, n.part,
                n.life - case
                    when b.is_early and b.xact_id = n.xact_id
                        and row_number() over (partition by n.key, n.part, n.life order by n.occurred_at, n.event_id) = 1
                        then 1
                    else 0
                end as life
            from numbered as n
            left join numbered as b on b.key = n.key and b.part = n.part and b.life = n.life and b.kind = 'start'
            where n.kind = 'end'
        ),

        life as (
            select n.key, n.part, n.life, max(n.event_id) filter (where n.is_arrival) as arrival,
                auditctl_internal.fold_images(array_agg(n.image order by n.occurred_at, n.event_id)) as image
            from numbered as n
            where n.kind <> 'end'
            group by n.key, n.part, n.life
        ),

        chain as (
            select l.key, l.part, l.life, l.arrival, l.image, 1 as depth
            from life as l
            where not exists (select from ending as e where e.key = l.key and e.part = l.part and e.life = l.life)
            union all
            select c.key, c.part, c.life, l.arrival, l.image || c.image, c.depth + 1
            from chain as c
            join ending as e on e.event_id = c.arrival
            join life as l on l.key = e.key and l.part = e.part and l.life = e.life
        )

        select distinct on (c.key, c.part) c.key, c.part, c.image from chain as c order by c.key, c.part, c.life desc, c.depth desc
        $query$, p_events
    )
$auditctl$;
comment on function auditctl_internal.moved_code is
    'The query for the images of rows under keys that some row came to or left, given one for all their events';

create or replace function auditctl_internal.fold_images(p_images jsonb[]) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_image jsonb;
    v_result jsonb := '{}';
begin
    foreach v_image in array p_images loop
        v_result := case when v_image is null or v_image = '{"$erased": true}' then '{}' else v_result || v_image end;
    end loop;
    return v_result;
end
$auditctl$;
comment on function auditctl_internal.fold_images is 'The image after changes to it, in order; nothing is known before an erased one';
