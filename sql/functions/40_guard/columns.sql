-- What DDL did to an audited table's columns: what is recorded about it, and how the column names in a rule follow.

create or replace function auditctl_internal.column_changes(p_old jsonb, p_new jsonb, p_hidden text[]) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(jsonb_agg(change.change order by change.place, change.number), '[]')
    from (
        -- A change that a child inherited from its parent is reported once.
        select distinct on (change)
            site.name as place,
            number.number::integer as number,
            case
                when number.was is null then jsonb_build_object('column', number.now ->> 0, 'added', number.now ->> 1)
                    || case
                        when number.now ->> 2 is null or number.now ->> 0 = any (p_hidden) then '{}'
                        else jsonb_build_object('default', number.now ->> 2)
                    end
                when number.now is null then jsonb_build_object('column', number.was ->> 0, 'dropped', number.was ->> 1)
                when number.was ->> 0 <> number.now ->> 0 then jsonb_build_object('column', number.was ->> 0, 'renamed', number.now ->> 0)
                else jsonb_build_object('column', number.now ->> 0, 'retyped', number.now ->> 1, 'from', number.was ->> 1)
            end as change
        from jsonb_object_keys(p_old) as site (name)
        cross join lateral (
            select keys.number, p_old -> site.name -> keys.number as was, p_new -> site.name -> keys.number as now
            from (
                select jsonb_object_keys(p_old -> site.name) as number
                union
                select jsonb_object_keys(p_new -> site.name)
            ) as keys
        ) as number
        where p_new ? site.name
            and (number.was is null or number.now is null
                or number.was ->> 0 <> number.now ->> 0 or number.was ->> 1 <> number.now ->> 1)
        order by change, place, number
    ) as change
$auditctl$;
comment on function auditctl_internal.column_changes is
    'The changes between two states of auditctl.capture.columns: columns added (with their default, unless hidden), dropped, renamed, retyped';

create or replace function auditctl_internal.followed_columns(p_names text[], p_old jsonb, p_new jsonb) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with known as (
        select
            number.described ->> 0 as name,
            case when p_new ? site.name then p_new -> site.name -> number.number ->> 0 else number.described ->> 0 end as name_now
        from jsonb_each(p_old) as site (name, columns)
        cross join lateral jsonb_each(site.columns) as number (number, described)
    )

    select coalesce(array_agg(followed.name order by followed.position, followed.name), '{}')
    from (
        -- A dropped column stays in the list, as a column of that name may be added again.
        select n.position, coalesce(known.name_now, n.name) as name
        from unnest(p_names) with ordinality as n (name, position)
        join known on known.name = n.name
        union
        -- A name that the table never had stays unchanged: the rule may come from a glob.
        select n.position, n.name
        from unnest(p_names) with ordinality as n (name, position)
        where n.name not in (select known.name from known)
    ) as followed
$auditctl$;
comment on function auditctl_internal.followed_columns is
    'The column names of a rule after columns were renamed, given auditctl.capture.columns before and after';
