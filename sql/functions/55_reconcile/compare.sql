-- Compares what events say of a row with the row.

create or replace function auditctl_internal.is_form_of(p_form jsonb, p_value jsonb) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_text constant text := case
        when jsonb_typeof(p_value) = 'string' then p_value #>> '{}'
        when jsonb_typeof(p_value) = 'object' and p_value ? '$json' then (p_value -> '$json')::text
        else p_value::text
    end;
begin
    return p_value @> jsonb_build_object('$sha256', p_form -> '$sha256', '$bytes', p_form -> '$bytes')
        or auditctl_internal.large_text(v_text) @> (p_form - '$head')
        -- The form of an array is that of its text in SQL, which JSON does not tell.
        or jsonb_typeof(p_value) = 'array'
        or v_text ^@ e'\\x' and auditctl_internal.large_bytes(decode(substr(v_text, 3), 'hex')) @> (p_form - '$head');
exception when others then
    return false;
end
$auditctl$;
comment on function auditctl_internal.is_form_of is 'Whether a value is the one that an event holds by its length and hash alone';

create or replace function auditctl_internal.altered_columns(p_recorded jsonb, p_live jsonb) returns text[]
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    c_hidden constant jsonb[] := array['{"$masked": true}', '{"$erased": true}'];
begin
    return (
        select coalesce(array_agg(pair.key order by pair.key collate "C"), '{}')
        from jsonb_each(p_recorded) as pair (key, was)
        cross join lateral (select p_live -> pair.key as is) as live
        -- Equal numbers may be written differently, and that is a change.
        where live.is is not null and live.is::text <> pair.was::text
            and pair.was <> all (c_hidden) and live.is <> all (c_hidden)
            and not (
                jsonb_typeof(pair.was) = 'object' and pair.was ? '$bytes' and pair.was ? '$sha256'
                and auditctl_internal.is_form_of(pair.was, live.is)
            )
    );
end
$auditctl$;
comment on function auditctl_internal.altered_columns is
    'The columns that both images have and that differ, without those that are masked or erased in one';
