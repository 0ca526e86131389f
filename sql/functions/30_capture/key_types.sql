-- The types of a key's columns, by which auditctl.find_key reads it.

create or replace function auditctl_internal.key_type(p_relation oid, p_column text) returns auditctl.key_type
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_type oid;
    v_modifier integer;
    v_collation oid;
    v_base record;
    v_is_plain boolean;
begin
    select a.atttypid, a.atttypmod, a.attcollation
    into v_type, v_modifier, v_collation
    from pg_attribute as a
    where a.attrelid = p_relation and a.attname = p_column and a.attnum > 0 and not a.attisdropped;
    if not found then
        return null;
    end if;
    loop
        select t.typname, t.typtype, t.typcategory, t.typbasetype, t.typtypmod into v_base from pg_type as t where t.oid = v_type;
        exit when v_base.typtype <> 'd';
        v_type := v_base.typbasetype;
        v_modifier := case when v_modifier >= 0 then v_modifier else v_base.typtypmod end;
    end loop;
    -- As auditctl_internal.describe_types does it, which is needed for other types only: see there.
    v_is_plain := case
        when v_type < 16384 and v_base.typtype = 'b' and v_base.typcategory <> 'A' then v_base.typname <> 'json'
        else (select d.is_plain from auditctl_internal.describe_types(array[v_type]) as d)
    end;
    if not v_is_plain or v_base.typtype = 'c' or v_base.typname ~ '^_?(reg|xml)' then
        v_type := 'text'::regtype;
        v_modifier := -1;
    end if;
    return row(
        v_type::regtype, v_modifier, case
            -- Neither that of the database nor "C".
            when v_collation >= 16384 or v_collation not in (0, 'pg_catalog."default"'::regcollation, 'pg_catalog."C"'::regcollation) then (
                select format('%I.%I', n.nspname, c.collname)
                from pg_collation as c
                join pg_namespace as n on n.oid = c.collnamespace
                where c.oid = v_collation and not c.collisdeterministic
            )
        end,
        v_base.typname = 'citext' and v_base.typtype = 'b'
    );
end
$auditctl$;
comment on function auditctl_internal.key_type is 'How a column''s text is read; null if the table has no such column';

create or replace function auditctl_internal.key_types(p_relation oid, p_key text[]) returns auditctl.key_type[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name text;
    v_types auditctl.key_type[] := '{}';
begin
    foreach v_name in array p_key loop
        v_types := array_append(v_types, auditctl_internal.key_type(p_relation, v_name));
    end loop;
    return v_types;
end
$auditctl$;
comment on function auditctl_internal.key_types is 'How the texts of a key''s columns are read, in order';
