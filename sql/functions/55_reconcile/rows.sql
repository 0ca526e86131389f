-- The rows that an audited table has, as capture would record them: the code around what lend_rows returns.

create or replace function auditctl_internal.rows_lender(p_relation oid) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_function text;
    v_lender name;
begin
    -- Without a superuser's install, anybody who may create schemas could have one that is called auditctl_guard.
    select format('%I.%I', n.nspname, p.proname), r.rolname
    into v_function, v_lender
    from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace
    join pg_roles as r on r.oid = p.proowner
    where p.proname = 'lend_rows' and p.prosecdef and pg_get_function_identity_arguments(p.oid) = 'p_relation oid, p_first bigint, p_end bigint'
        and (n.nspname = 'auditctl_guard' and r.rolsuper or n.nspname = 'auditctl_internal')
    order by n.nspname
    limit 1;
    if not found then
        raise exception 'what reads audited tables is not installed' using errcode = 'object_not_in_prerequisite_state', hint = 'Run: auditctl install';
    end if;
    perform auditctl_internal.require_lender(v_lender, p_relation);
    -- Either lock keeps DDL and TRUNCATE away until the transaction ends.
    if pg_has_role(session_user, v_lender, 'MEMBER') then
        perform auditctl_internal.borrow('lock', p_relation, 'access share');
    else
        perform auditctl_internal.borrow('read', p_relation);
    end if;
    return v_function;
end
$auditctl$;
comment on function auditctl_internal.rows_lender is
    'The function that lends a table''s rows, after making sure that it may, and that reading them runs nothing of the table''s owner';

create or replace function auditctl_internal.row_sites(p_capture auditctl.capture) returns oid[]
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select array(
        select c.oid
        from unnest(p_capture.relation::oid || auditctl_internal.current_members(p_capture.relation)::oid[]) as site (oid)
        join pg_class as c on c.oid = site.oid and c.relkind <> 'p'
        order by c.oid <> p_capture.relation, c.oid
    )
$auditctl$;
comment on function auditctl_internal.row_sites is 'The tables that hold the rows of an audited table: itself, or its partitions, and its children';

create or replace function auditctl_internal.row_obstacle(p_capture auditctl.capture) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_site oid;
begin
    foreach v_site in array auditctl_internal.row_sites(p_capture) loop
        if (select c.relkind <> 'r' from pg_class as c where c.oid = v_site) then
            return auditctl_internal.registered_name(v_site) || ' is not an ordinary table: its rows are elsewhere';
        elsif (auditctl_internal.row_reader(v_site, p_capture, 'none')).key is null then
            return auditctl_internal.registered_name(v_site) || ' has no key: its rows cannot be told apart';
        end if;
    end loop;
    return null;
end
$auditctl$;
comment on function auditctl_internal.row_obstacle is 'Why the rows of an audited table cannot be compared with events; null if they can';

create or replace function auditctl_internal.bounded_code(
    p_columns auditctl.captured_column[], p_mask text[], p_guards text[], p_largest text
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_column auditctl.captured_column;
    v_value text;
    v_large text;
    v_code text;
    v_pairs text;
begin
    for v_number in 1..cardinality(p_columns) loop
        v_column := p_columns[v_number];
        v_value := auditctl_internal.recorded_code('new', v_column, p_mask);
        if v_column.name <> all (p_mask) then
            v_large := case
                when v_column.own_type is not null and v_column.base_oid = 'bytea'::regtype then format('auditctl_internal.large_bytes(new.%I)', v_column.name)
                else format('auditctl_internal.large_text(%s)', auditctl_internal.text_code(format('new.%I', v_column.name)))
            end;
            v_value := format(
                'case %s when auditctl_internal.text_size(to_jsonb(%s)) > %s then %s else to_jsonb(%s) end',
                case when p_guards[v_number] is not null then format('when %s then %s', p_guards[v_number], v_large) else '' end,
                v_value, p_largest, v_large, v_value
            );
        end if;
        v_pairs := concat_ws(', ', v_pairs, format('%L, %s', v_column.name, v_value));
        -- PostgreSQL's functions take at most 100 arguments: 50 columns.
        if v_number % 50 = 0 or v_number = cardinality(p_columns) then
            v_code := concat_ws(' || ', v_code, format('jsonb_build_object(%s)', v_pairs));
            v_pairs := null;
        end if;
    end loop;
    return coalesce(v_code, '''{}''::jsonb');
end
$auditctl$;
comment on function auditctl_internal.bounded_code is
    'The expression for the image of a lent row of which values above so many bytes have the form of large ones, as auditctl_internal.careful_values makes it. A guard is a condition, one for each column or null, under which a value is too large to be looked at';

create or replace function auditctl_internal.size_guard(p_column auditctl.captured_column, p_is_text boolean) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- Neither reads a value that is stored out of line.
    select case
        when p_is_text or p_column.base_oid in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype)
            then format('octet_length(new.%I) > %s', p_column.name, auditctl_internal.event_limit())
        when p_column.base_oid = 'bytea'::regtype then format('octet_length(new.%I) > %s', p_column.name, auditctl_internal.event_limit() / 2)
        when p_column.base_oid in ('json'::regtype, 'xml'::regtype)
            then format('pg_column_size(new.%I) > %s', p_column.name, auditctl_internal.event_limit())
    end
$auditctl$;
comment on function auditctl_internal.size_guard is 'The condition under which a lent value certainly exceeds the limit of an event; null for types that are looked at in any case';

create or replace function auditctl_internal.row_reader(p_relation oid, p_capture auditctl.capture, p_lender text)
returns auditctl.row_reader
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $auditctl$
declare
    v_reader auditctl.row_reader;
    v_root constant auditctl.capture_site := auditctl_internal.describe_site(p_capture.relation, p_capture.relation);
    v_site constant auditctl.capture_site := auditctl_internal.describe_site(p_relation, p_capture.relation);
    v_is_partition constant boolean := (select c.relispartition and p_relation <> p_capture.relation from pg_class as c where c.oid = p_relation);
    v_mask constant text[] := p_capture.mask || auditctl_internal.unknown_columns(
        p_relation,
        array(
            select column_of.described ->> 0
            from jsonb_each(p_capture.columns) as site (name, columns)
            cross join lateral jsonb_each(site.columns) as column_of (number, described)
        ),
        p_capture.exclude || p_capture.mask
    );
    v_hidden constant text[] := p_capture.exclude || v_mask;
    v_column auditctl.captured_column;
    v_captured auditctl.captured_column[] := '{}';
    v_guards text[] := '{}';
    v_texts text[];
    v_key auditctl.captured_column[];
    v_whole text;
    v_guard text;
begin
    select
        format('%s(%s, %%1$s, %%2$s) as new (%s)', p_lender, p_relation, string_agg(format(
            -- It is a format itself.
            '%s %s', replace(quote_ident(a.attname), '%', '%%'), case when a.atttypid < 16384 then format('%I.%I', n.nspname, t.typname) else 'text' end
        ), ', ' order by a.attnum)),
        coalesce(array_agg(a.attname::text) filter (where a.atttypid >= 16384), '{}')
    into v_reader.source, v_texts
    from pg_attribute as a
    join pg_type as t on t.oid = a.atttypid
    join pg_namespace as n on n.oid = t.typnamespace
    where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v';
    foreach v_column in array v_site.columns loop
        if v_column.name <> all (p_capture.exclude) then
            v_captured := array_append(v_captured, v_column);
            v_guards := array_append(v_guards, auditctl_internal.size_guard(v_column, v_column.name = any (v_texts)));
        end if;
    end loop;
    v_reader.columns := array(select c.name from unnest(v_captured) as c where c.name <> all (v_mask));
    v_key := auditctl_internal.named_columns(v_site.columns, auditctl_internal.best_key(
        case when v_is_partition then v_root.key_indexes else v_site.key_indexes end,
        array(select c.name from unnest(v_site.columns) as c), p_capture.key, v_hidden
    ));
    v_reader.key := case
        when v_key <> '{}' then format('auditctl_internal.fit_key(%s)', auditctl_internal.key_code('new', v_key, v_hidden))
    end;
    v_reader.partition := case
        when p_relation <> p_capture.relation then (
            select quote_literal(n.nspname || '.' || c.relname)
            from pg_class as c join pg_namespace as n on n.oid = c.relnamespace where c.oid = p_relation
        )
        else 'null'
    end;
    v_whole := auditctl_internal.row_code(
        'new', v_captured, v_mask,
        -- to_jsonb(new) would be the column of that name.
        auditctl_internal.is_whole(v_site, v_captured, v_mask) and not exists (select from unnest(v_captured) as c where c.name = 'new')
    );
    v_guard := array_to_string(array(select g from unnest(v_guards) as g where g is not null), ' or ');
    v_reader.image := case
        when v_guard = '' then v_whole
        else format(
            'case when %s then %s else %s end',
            v_guard, auditctl_internal.bounded_code(v_captured, v_mask, v_guards, auditctl_internal.event_limit()::text), v_whole
        )
    end;
    v_reader.bounded_image := auditctl_internal.bounded_code(v_captured, v_mask, v_guards, (
        select auditctl_internal.largest_value(count(*))::text
        from pg_attribute as a
        where a.attrelid = p_relation and a.attnum > 0 and not a.attisdropped
    ));
    return v_reader;
end
$auditctl$;
comment on function auditctl_internal.row_reader is 'The code that reads the rows of one of the tables of an audited table; see auditctl.row_reader';
