-- The careful path for recording a row, for cases that generated code does not cover: a row too large for one event,
-- text that JSONB refuses, or a column that was added, dropped or retyped since. Slow, but never fails.

create or replace function auditctl_internal.value_image(p_value anyelement, p_largest bigint) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_image jsonb;
begin
    v_image := coalesce(to_jsonb(p_value), 'null');
    if auditctl_internal.text_size(v_image) <= p_largest then
        return v_image;
    end if;
    return null;
exception when others then
    return null;
end
$auditctl$;
comment on function auditctl_internal.value_image is 'A value as JSONB; null if JSONB cannot hold it or its JSON text exceeds so many bytes';

create or replace function auditctl_internal.base_type(p_type oid) returns oid
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return (
        with recursive base as (
            select t.oid, t.typtype, t.typbasetype from pg_type as t where t.oid = p_type
            union all
            select t.oid, t.typtype, t.typbasetype
            from pg_type as t
            join base on base.typtype = 'd' and t.oid = base.typbasetype
        )

        select base.oid from base where base.typtype <> 'd'
    );
end
$auditctl$;
comment on function auditctl_internal.base_type is 'A type with domains removed';

create or replace function auditctl_internal.is_plain_type(p_type oid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- PostgreSQL's own types have object ids below 16384. On any other type to_jsonb() would run a cast that the type's
    -- owner may have written, with the rights of auditctl_owner: such values are recorded by their output function, as text.
    select coalesce(base.oid < 16384 and base.oid not in ('json'::regtype, 'json[]'::regtype, 'jsonb[]'::regtype), false)
    from (select auditctl_internal.base_type(p_type) as oid) as base
$auditctl$;
comment on function auditctl_internal.is_plain_type is 'Whether values of the type are converted to JSONB directly; others are recorded as their text';

create or replace function auditctl_internal.column_image(p_row anyelement, p_column name, p_type oid, p_largest bigint) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_value jsonb;
    v_field constant text := format('($1).%I', p_column);
    v_text constant text := auditctl_internal.text_code(v_field);
    v_base constant oid := auditctl_internal.base_type(p_type);
    v_code text := v_text;
begin
    if auditctl_internal.is_plain_type(p_type)
        and (p_type = v_base or v_base not in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'xml'::regtype))
    then
        -- Casts by the type's catalog name: bit in SQL means bit(1).
        select auditctl_internal.image_code(
            case when p_type = v_base then v_field else format('(%s)::pg_catalog.%I', v_text, t.typname) end,
            v_base, t.typcategory = 'A'
        )
        into v_code
        from pg_type as t
        where t.oid = v_base;
    end if;
    execute format('select auditctl_internal.value_image(%s, $2)', v_code) into v_value using p_row, p_largest;
    if v_value is null then
        execute case
            when p_type = 'bytea'::regtype then format('select auditctl_internal.large_bytes(%s)', v_field)
            else format('select auditctl_internal.large_text(%s)', v_text)
        end
        into v_value using p_row;
    end if;
    return v_value;
exception when others then
    -- Not even the text of the value fits into memory.
    execute format('select auditctl_internal.large_form(null, pg_column_size(%s), null)', v_field) into v_value using p_row;
    return v_value;
end
$auditctl$;
comment on function auditctl_internal.column_image is
    'The value of one column of a row as JSONB; its length, hash and start if its JSON text exceeds so many bytes';

create or replace function auditctl_internal.unknown_columns(p_relation oid, p_known text[], p_hidden text[]) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- A column with a new name may be a hidden column that was renamed, unless no known column is missing.
    with now as (
        select a.attname::text as name
        from pg_attribute as a
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped
    )

    select coalesce(array_agg(now.name), '{}')
    from now
    where now.name <> all (p_known)
        and cardinality(p_hidden) > 0
        and exists (select from unnest(p_known) as k (name) where k.name not in (select n.name from now as n))
$auditctl$;
comment on function auditctl_internal.unknown_columns is
    'Columns that may be renamed excluded or masked columns; capture masks them until the rule is applied again';

create or replace function auditctl_internal.row_image(
    p_row anyelement, p_relation oid, p_exclude text[], p_mask text[], p_largest bigint
) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_names text[] := '{}';
    v_values jsonb[] := '{}';
    v_value jsonb;
    v_size bigint := 0;
    v_column record;
begin
    for v_column in
        select a.attname, a.atttypid
        from pg_attribute as a
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped and a.attname <> all (p_exclude)
            and a.attgenerated <> 'v'
        order by a.attnum
    loop
        if v_column.attname = any (p_mask) then
            v_value := '{"$masked": true}';
        else
            v_value := auditctl_internal.column_image(p_row, v_column.attname, v_column.atttypid, p_largest);
        end if;
        v_size := v_size + pg_column_size(v_value);
        if v_size > 8 * auditctl_internal.event_limit() then
            return null;
        end if;
        v_names := v_names || v_column.attname::text;
        v_values := v_values || v_value;
    end loop;
    return (
        select coalesce(jsonb_object_agg(pair.name, pair.value), '{}')
        from unnest(v_names, v_values) as pair (name, value)
    );
end
$auditctl$;
comment on function auditctl_internal.row_image is
    'A row as JSONB, by the columns that the table has now, without the excluded and with the masked hidden, and each value up to so many bytes; null if that is far above the limit of an event';

create or replace function auditctl_internal.row_key(p_row anyelement, p_relation oid, p_key text[], p_hidden text[]) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_parts jsonb := '[]';
    v_part jsonb;
    v_text text;
    v_column record;
begin
    for v_column in
        select a.attname, a.atttypid
        from unnest(p_key) with ordinality as k (name, position)
        join pg_attribute as a on a.attrelid = p_relation and a.attname = k.name and a.attnum > 0 and not a.attisdropped
        order by k.position
    loop
        if cardinality(p_key) = 1 or v_column.attname = any (p_hidden) then
            execute format('select %s', auditctl_internal.text_code(format('($1).%I', v_column.attname)))
            into v_text using p_row;
        end if;
        if v_column.attname = any (p_hidden) then
            v_text := auditctl_internal.hidden_key(v_text);
            v_part := to_jsonb(v_text);
        elsif cardinality(p_key) > 1 then
            v_part := auditctl_internal.column_image(p_row, v_column.attname, v_column.atttypid, auditctl_internal.event_limit());
        end if;
        if cardinality(p_key) > 1 then
            v_parts := v_parts || jsonb_build_array(v_part);
            v_text := v_parts::text;
        end if;
    end loop;
    return auditctl_internal.fit_key(v_text);
end
$auditctl$;
comment on function auditctl_internal.row_key is 'The key of a row, by the columns that the table has now, with a keyed hash for each hidden column';

create or replace function auditctl_internal.equal_columns(
    p_old anyelement, p_new anyelement, p_relation oid, p_exclude text[]
) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column name;
    v_differs boolean;
    v_equal text[] := '{}';
begin
    for v_column in
        select a.attname
        from pg_attribute as a
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v' and a.attname <> all (p_exclude)
    loop
        execute format('select record_image_ne(row(($1).%1$I), row(($2).%1$I))', v_column) into v_differs using p_old, p_new;
        if not v_differs then
            v_equal := v_equal || v_column::text;
        end if;
    end loop;
    return v_equal;
end
$auditctl$;
comment on function auditctl_internal.equal_columns is
    'The columns of the table that have the same image in both rows, without the excluded';

create or replace function auditctl_internal.careful_values(
    p_operation text, p_old anyelement, p_new anyelement, p_relation oid,
    p_exclude text[], p_equal text[], p_mask text[], p_is_keyed boolean, p_largest bigint
) returns auditctl.change
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_change auditctl.change;
begin
    if p_operation <> 'INSERT' then
        -- Without a key, only the whole old row identifies the row.
        v_change.old_values := auditctl_internal.row_image(
            p_old, p_relation, case when p_is_keyed then p_exclude || p_equal else p_exclude end, p_mask, p_largest
        );
    end if;
    if p_operation <> 'DELETE' then
        v_change.new_values := auditctl_internal.row_image(p_new, p_relation, p_exclude || p_equal, p_mask, p_largest);
    end if;
    return v_change;
end
$auditctl$;
comment on function auditctl_internal.careful_values is 'The old and new values of a row, each up to so many bytes; null where that is far above the limit of an event';

create or replace function auditctl_internal.careful_change(
    p_operation text, p_old anyelement, p_new anyelement, p_relation oid,
    p_exclude text[], p_mask text[], p_known text[], p_key text[]
) returns auditctl.change
language plpgsql stable
set search_path = pg_catalog, pg_temp
set "TimeZone" = 'UTC'
set "DateStyle" = 'ISO, YMD'
set "IntervalStyle" = 'postgres'
set extra_float_digits = 1
set bytea_output = 'hex'
set lc_monetary = 'C'
set array_nulls = on
set quote_all_identifiers = off
as $auditctl$
declare
    v_change auditctl.change;
    v_previous_target_id text;
    v_equal constant text[] := case
        when p_operation = 'UPDATE' then auditctl_internal.equal_columns(p_old, p_new, p_relation, p_exclude) else '{}'
    end;
    v_mask constant text[] := p_mask || auditctl_internal.unknown_columns(p_relation, p_known, p_exclude || p_mask);
    v_columns constant bigint := (select count(*) from pg_attribute as a where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped);
begin
    v_change := auditctl_internal.careful_values(
        p_operation, p_old, p_new, p_relation, p_exclude, v_equal, v_mask, p_key <> '{}', auditctl_internal.event_limit()
    );
    if p_operation <> 'INSERT' and v_change.old_values is null or p_operation <> 'DELETE' and v_change.new_values is null
        or auditctl_internal.text_size(v_change.old_values) + auditctl_internal.text_size(v_change.new_values) > auditctl_internal.event_limit()
    then
        v_change := auditctl_internal.careful_values(
            p_operation, p_old, p_new, p_relation, p_exclude, v_equal, v_mask, p_key <> '{}',
            auditctl_internal.largest_value(v_columns * case when p_operation = 'UPDATE' then 2 else 1 end)
        );
    end if;
    if p_operation = 'UPDATE' and v_change.new_values = '{}' then
        return null;
    end if;
    if p_operation = 'DELETE' then
        v_change.target_id := auditctl_internal.row_key(p_old, p_relation, p_key, p_exclude || v_mask);
        return v_change;
    end if;
    v_change.target_id := auditctl_internal.row_key(p_new, p_relation, p_key, p_exclude || v_mask);
    if p_operation = 'UPDATE' then
        v_previous_target_id := auditctl_internal.row_key(p_old, p_relation, p_key, p_exclude || v_mask);
        if v_previous_target_id is distinct from v_change.target_id then
            v_change.previous_key := jsonb_build_object('previous_target_id', v_previous_target_id);
        end if;
    end if;
    return v_change;
end
$auditctl$;
comment on function auditctl_internal.careful_change is
    'What an INSERT, UPDATE or DELETE did to a row, by the columns that the table has now; null if an update changed nothing. Ignores p_old of an INSERT and p_new of a DELETE';
