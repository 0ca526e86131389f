-- The types of a key's columns, by which auditctl.find_key reads it.

create or replace function auditctl_internal.key_type(p_relation oid, p_column text) returns auditctl.key_type
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        with recursive base as (
            select a.atttypid as type, a.atttypmod as modifier, a.attcollation as collation
            from pg_attribute as a
            where a.attrelid = p_relation and a.attname = p_column and a.attnum > 0 and not a.attisdropped
            union all
            select t.typbasetype, case when b.modifier >= 0 then b.modifier else t.typtypmod end, b.collation
            from base as b
            join pg_type as t on t.oid = b.type and t.typtype = 'd'
        ),

        described as (
            select
                b.type, b.modifier, b.collation, t.typname = 'citext' and t.typtype = 'b' as is_citext,
                d.is_plain and t.typtype <> 'c' and t.typname !~ '^_?(reg|xml)' as is_read
            from base as b
            join pg_type as t on t.oid = b.type and t.typtype <> 'd'
            cross join lateral auditctl_internal.describe_types(array[b.type]) as d
        )

        select row(
            case when d.is_read then d.type::regtype else 'text'::regtype end,
            case when d.is_read then d.modifier else -1 end,
            (
                select format('%I.%I', n.nspname, c.collname)
                from pg_collation as c
                join pg_namespace as n on n.oid = c.collnamespace
                where c.oid = d.collation and not c.collisdeterministic
            ),
            d.is_citext
        )::auditctl.key_type
        from described as d
    );
end
$auditctl$;
comment on function auditctl_internal.key_type is 'How a column''s text is read; null if the table has no such column';

create or replace function auditctl_internal.key_types(p_relation oid, p_key text[]) returns auditctl.key_type[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        select coalesce(array_agg(auditctl_internal.key_type(p_relation, k.name) order by k.position), '{}')
        from unnest(p_key) with ordinality as k (name, position)
    );
end
$auditctl$;
comment on function auditctl_internal.key_types is 'How the texts of a key''s columns are read, in order';
