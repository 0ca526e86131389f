-- What changed within a JSON value, by path. Values are compared by their stored image, so 1.0 and 1.00 differ.

create or replace function auditctl.json_step(p_key text) returns text
language sql immutable parallel safe
return case
    when p_key = '' or p_key ~ e'[][\\s."'':;,{}()\\\\]' then '[' || pg_catalog.to_json(p_key)::text || ']'
    else '.' || p_key
end;
revoke execute on function auditctl.json_step from public;
grant execute on function auditctl.json_step to auditctl_reader;
comment on function auditctl.json_step is 'A key as part of a path: .key, or ["a key"] if it is empty or has a character that a path could be misread by';

create or replace function auditctl.aligned(p_old jsonb[], p_new jsonb[]) returns table (old_at integer, new_at integer)
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_n constant integer := cardinality(p_old);
    v_m constant integer := cardinality(p_new);
    v_ranks constant integer[] := array(
        select dense_rank() over (order by element.value::text collate "C")
        from unnest(p_old || p_new) with ordinality as element (value, place)
        order by element.place
    );
    -- The length of the longest common subsequence of the elements from the i-th old and the j-th new one on.
    v_common integer[] := array_fill(0, array[v_n + 1, v_m + 1]);
    v_i integer := 1;
    v_j integer := 1;
    v_from_i integer := 1;
    v_from_j integer := 1;
begin
    for i in reverse v_n..1 loop
        for j in reverse v_m..1 loop
            v_common[i][j] := case
                when v_ranks[i] = v_ranks[v_n + j] then v_common[i + 1][j + 1] + 1
                else greatest(v_common[i + 1][j], v_common[i][j + 1])
            end;
        end loop;
    end loop;
    while v_i <= v_n + 1 loop
        if v_i > v_n and v_j > v_m or v_i <= v_n and v_j <= v_m and v_ranks[v_i] = v_ranks[v_n + v_j] then
            return query
            select gone.place - 1, come.place - 1
            from generate_series(v_from_i, v_i - 1) with ordinality as gone (place, number)
            full join generate_series(v_from_j, v_j - 1) with ordinality as come (place, number) using (number)
            order by number;
            v_i := v_i + 1;
            v_j := v_j + 1;
            v_from_i := v_i;
            v_from_j := v_j;
        elsif v_j > v_m or v_i <= v_n and v_common[v_i + 1][v_j] >= v_common[v_i][v_j + 1] then
            v_i := v_i + 1;
        else
            v_j := v_j + 1;
        end if;
    end loop;
end
$auditctl$;
revoke execute on function auditctl.aligned from public;
grant execute on function auditctl.aligned to auditctl_reader;
comment on function auditctl.aligned is
    'The elements of two arrays that are not common to both, in order: the places of one that another replaced, of one that is gone, or of a new one; takes time in proportion to the product of their lengths';

create or replace function auditctl.array_changes(p_old jsonb, p_new jsonb, p_most integer)
returns table (old_at integer, new_at integer)
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_n constant integer := jsonb_array_length(p_old);
    v_m constant integer := jsonb_array_length(p_new);
    v_short constant integer := least(v_n, v_m);
    v_head integer := 0;
    v_tail integer := 0;
    v_count integer := 0;
begin
    while v_head < v_short and record_image_eq(row(p_old -> v_head), row(p_new -> v_head)) loop
        v_head := v_head + 1;
    end loop;
    while v_tail < v_short - v_head and record_image_eq(row(p_old -> v_n - v_tail - 1), row(p_new -> v_m - v_tail - 1)) loop
        v_tail := v_tail + 1;
    end loop;
    -- Inserted, removed and moved elements are found in short arrays; in long ones, elements of the same place are compared.
    if v_short > v_head + v_tail and greatest(v_n, v_m) - v_head - v_tail between 2 and 50 and (
        v_n <> v_m
        or (
            select count(*) * 2 > v_n - v_head - v_tail
            from generate_series(v_head, v_n - v_tail - 1) as place
            where record_image_ne(row(p_old -> place), row(p_new -> place))
        )
    ) then
        return query
        select a.old_at + v_head, a.new_at + v_head
        from auditctl.aligned(
            array(select p_old -> place from generate_series(v_head, v_n - v_tail - 1) as place order by place),
            array(select p_new -> place from generate_series(v_head, v_m - v_tail - 1) as place order by place)
        ) as a
        limit p_most;
        return;
    end if;
    for v_place in v_head..greatest(v_n, v_m) - v_tail - 1 loop
        exit when v_count >= p_most;
        old_at := case when v_place < v_n - v_tail then v_place end;
        new_at := case when v_place < v_m - v_tail then v_place end;
        if record_image_ne(row(p_old -> old_at), row(p_new -> new_at)) then
            v_count := v_count + 1;
            return next;
        end if;
    end loop;
end
$auditctl$;
revoke execute on function auditctl.array_changes from public;
grant execute on function auditctl.array_changes to auditctl_reader;
comment on function auditctl.array_changes is 'The first changes of a JSON array, the place of an old element, of a new one, or of both';

create or replace function auditctl.part_changes(p_old jsonb, p_new jsonb, p_most integer)
returns table (step text, old_value jsonb, new_value jsonb)
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    if jsonb_typeof(p_old) = 'array' then
        return query
        select format('[%s]', coalesce(element.new_at, element.old_at)), p_old -> element.old_at, p_new -> element.new_at
        from auditctl.array_changes(p_old, p_new, p_most) as element;
        return;
    end if;
    return query
    select auditctl.json_step(pair.key), pair.old_value, pair.new_value
    from (
        select key, o.value as old_value, n.value as new_value
        from jsonb_each(p_old) as o
        full join jsonb_each(p_new) as n using (key)
        where record_image_ne(row(o.value), row(n.value))
        order by key collate "C"
        limit p_most
    ) as pair;
end
$auditctl$;
revoke execute on function auditctl.part_changes from public;
grant execute on function auditctl.part_changes to auditctl_reader;
comment on function auditctl.part_changes is
    'The first parts of two JSON objects or arrays that differ, in order, each with its step of the path; null for a part that one does not have';

create or replace function auditctl.json_changes(
    p_path text, p_old jsonb, p_new jsonb, p_most integer, p_depth integer default 0
) returns text[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_part record;
    v_result text[] := '{}';
begin
    if coalesce(jsonb_typeof(p_old), '') <> coalesce(jsonb_typeof(p_new), '') or coalesce(jsonb_typeof(p_new), '') not in ('object', 'array')
        or p_depth > 50
    then
        return array[p_path || ': ' || auditctl.shown_change(p_old, p_new, true)];
    end if;
    for v_part in select * from auditctl.part_changes(p_old, p_new, p_most) loop
        v_result := v_result || auditctl.json_changes(
            p_path || v_part.step, v_part.old_value, v_part.new_value, p_most - cardinality(v_result), p_depth + 1
        );
        exit when cardinality(v_result) >= p_most;
    end loop;
    return v_result;
end
$auditctl$;
revoke execute on function auditctl.json_changes from public;
grant execute on function auditctl.json_changes to auditctl_reader;
comment on function auditctl.json_changes is
    'The first p_most changes within a JSON value, such as attrs.limits[3]: 597 -> 908 (with a real arrow), in the order of the value; takes time in proportion to its size';

create or replace function auditctl.column_changes(p_name text, p_old jsonb, p_new jsonb) returns text[]
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_most constant integer := 20;
    v_markers constant text[] := '{$masked,$erased,$sha256}';
    v_old constant jsonb := case when p_old ? '$json' then p_old -> '$json' when not p_old ?| v_markers then p_old end;
    v_new constant jsonb := case when p_new ? '$json' then p_new -> '$json' when not p_new ?| v_markers then p_new end;
    v_changes text[] := '{}';
begin
    -- Both values of a column that is masked or erased are the same.
    if record_image_eq(row(p_old), row(p_new)) and v_old is not null then
        return '{}';
    end if;
    if jsonb_typeof(v_old) = jsonb_typeof(v_new) and jsonb_typeof(v_new) in ('object', 'array') then
        v_changes := auditctl.json_changes(p_name, v_old, v_new, v_most + 1);
    end if;
    if v_changes = '{}' then
        return array[p_name || ': ' || auditctl.shown_change(coalesce(p_old, 'null'), coalesce(p_new, 'null'))];
    end if;
    if cardinality(v_changes) > v_most then
        return v_changes[:v_most] || (p_name || ': more changes');
    end if;
    return v_changes;
end
$auditctl$;
revoke execute on function auditctl.column_changes from public;
grant execute on function auditctl.column_changes to auditctl_reader;
comment on function auditctl.column_changes is
    'What an update changed in a column, as auditctl.details shows it: of a JSON value each change by its path, up to 20; empty if both values are the same, and neither is masked or erased';
