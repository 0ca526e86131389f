-- What DDL did to an audited table's columns: what is recorded about it, and how the column names in a rule follow.

create or replace function auditctl_internal.column_changes(p_old jsonb, p_new jsonb, p_hidden text[]) returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
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
    );
end
$auditctl$;
comment on function auditctl_internal.column_changes is
    'The changes between two states of auditctl.capture.columns: columns added (with their default, unless hidden), dropped, renamed, retyped';

create or replace function auditctl_internal.followed_columns(p_names text[], p_old jsonb, p_new jsonb) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if p_names = '{}' then
        return '{}';
    end if;
    return (
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
    );
end
$auditctl$;
comment on function auditctl_internal.followed_columns is
    'The column names of a rule after columns were renamed, given auditctl.capture.columns before and after';

create or replace function auditctl_internal.new_names(p_old jsonb, p_new jsonb) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select coalesce(array_agg(distinct number.described ->> 0), '{}')
        from jsonb_each(p_new) as site (name, columns)
        cross join lateral jsonb_each(site.columns) as number (number, described)
        where p_old ? site.name and p_old -> site.name -> number.number ->> 0 is distinct from number.described ->> 0
    );
end
$auditctl$;
comment on function auditctl_internal.new_names is 'The names of columns that were added or renamed, given auditctl.capture.columns before and after';

create or replace function auditctl_internal.matched_columns(p_old jsonb, p_new jsonb)
returns table (site text, number integer, described jsonb, number_now integer, may_be text[])
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    with known as (
        select site.name as site, c.number::integer as number, c.described, now.number::integer as number_now
        from jsonb_each(p_old) as site (name, columns)
        cross join lateral jsonb_each(site.columns) as c (number, described)
        left join lateral jsonb_each(p_new -> site.name) as now (number, described) on now.described ->> 0 = c.described ->> 0
    ),

    lost as (
        select k.*, count(*) over (partition by k.site) as total
        from known as k
        where k.number_now is null and p_new ? k.site
    ),

    gained as (
        select
            site.name as site, array_agg(c.number::integer) as numbers, array_agg(c.described ->> 0) as names,
            array_agg(c.described ->> 1) as types
        from jsonb_each(p_new) as site (name, columns)
        cross join lateral jsonb_each(site.columns) as c (number, described)
        where not exists (select from known as k where k.site = site.name and k.number_now = c.number::integer)
        group by site.name
    )

    -- One command renames one column and does not change its type.
    select
        k.site, k.number, k.described,
        coalesce(k.number_now, case when renamed.is_certain then g.numbers[1] end),
        case when renamed.is_certain then '{}' else coalesce(g.names, '{}') end
    from known as k
    left join lost as l on l.site = k.site and l.number = k.number
    left join gained as g on g.site = l.site
    cross join lateral (
        select coalesce(l.total = 1 and cardinality(g.numbers) = 1 and g.types[1] = l.described ->> 1, false) as is_certain
    ) as renamed
$auditctl$;
comment on function auditctl_internal.matched_columns is
    'The columns of the first state with their numbers in the second, by name, as a dump numbers columns anew. One that is missing has no number and the names that it may have now, unless it can only have been renamed';

create or replace function auditctl_internal.renumbered_columns(p_old jsonb, p_new jsonb) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(jsonb_object_agg(site.name, site.columns), '{}')
    from (
        select m.site as name, jsonb_object_agg(coalesce(m.number_now, -m.number), m.described) as columns
        from auditctl_internal.matched_columns(p_old, p_new) as m
        group by m.site
    ) as site
$auditctl$;
comment on function auditctl_internal.renumbered_columns is
    'The first state of auditctl.capture.columns with the numbers of the second; a column that is missing there has a negative number';

create or replace function auditctl_internal.doubtful_columns(p_hidden text[], p_old jsonb, p_new jsonb) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select coalesce(array_agg(distinct name.name), '{}')
    from auditctl_internal.matched_columns(p_old, p_new) as m
    cross join unnest(m.may_be) as name (name)
    where m.described ->> 0 = any (p_hidden)
$auditctl$;
comment on function auditctl_internal.doubtful_columns is
    'The columns that may be renamed excluded or masked ones, where numbers cannot tell';
