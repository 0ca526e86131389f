-- How a capture function notices that the table is no longer the one that it was generated for.
--
-- A capture function runs with the rights of auditctl_owner, and to_jsonb and operators run casts and functions that belong
-- to a type. So it touches a row's values only if the columns have the types that it was generated for. That costs a row
-- nothing: the check is of constants, so PostgreSQL makes it when it plans the expression. The expression also names the
-- table by its object id, so it is planned anew after every change of the table, as the server's cache of relations and
-- not as a transaction's snapshot shows it.

create or replace function auditctl_internal.types_digest(p_types text[]) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    return left(encode(sha256(convert_to(array_to_string(p_types, ' '), 'UTF8')), 'hex'), 32);
end
$auditctl$;
comment on function auditctl_internal.types_digest is 'A digest of the types of columns, given their object ids as eight hexadecimal digits each';

create or replace function auditctl_internal.has_row_types(p_row record, p_digest text) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    -- The number of columns, then for each the object id of its type and, as all are null, a length of -1.
    v_sent constant text := encode(record_send(p_row), 'hex');
    v_types constant text[] := array(
        select substr(v_sent, 9 + 16 * c.number, 8) from generate_series(0, length(v_sent) / 16 - 1) as c (number) order by c.number
    );
begin
    -- A partition may number its columns differently from the partitioned table.
    return p_digest in (
        auditctl_internal.types_digest(v_types),
        auditctl_internal.types_digest(array(select t.type from unnest(v_types) as t (type) order by t.type collate "C"))
    );
exception when others then
    return false;
end
$auditctl$;
comment on function auditctl_internal.has_row_types is 'Whether the columns of a row of nulls have the types of a digest, in their order or sorted; never raises';

create or replace function auditctl_internal.has_shape(p_relation oid, p_table regclass, p_row anyelement, p_digest text) returns boolean
language sql immutable
as $auditctl$
    select p_relation = p_table and auditctl_internal.has_row_types(row((case when false then p_row end).*), p_digest)
$auditctl$;
comment on function auditctl_internal.has_shape is
    'Whether a trigger fires for the table that its function was generated for, given a constant, and the columns of old or new have the types of a digest. Inlined, and the types are then compared when the expression is planned: the row itself is never read';

create or replace function auditctl_internal.has_shape_code(p_site auditctl.capture_site, p_row text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_relation text := 'tg_relid';
    v_oid oid := p_site.relation;
    v_types text[] := p_site.types;
begin
    -- After a restore the object id is another, and after the table became a partition itself its root is: then capture
    -- takes the careful path until apply.
    if p_site.kind = 'p' then
        v_relation := 'pg_partition_root(tg_relid)';
        v_oid := p_site.partition_root;
        v_types := array(select t.type from unnest(v_types) as t (type) order by t.type collate "C");
    end if;
    return format(
        'auditctl_internal.has_shape(%s, %L, %s, %L)', v_relation, v_oid, p_row, auditctl_internal.types_digest(v_types)
    );
end
$auditctl$;
comment on function auditctl_internal.has_shape_code is
    'The condition that a row, old or new, is one of the table as it was when the function was generated';
