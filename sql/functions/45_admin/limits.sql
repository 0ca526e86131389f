-- Which tables administrators may change capture of: all, or those of the section [admin] of the file.

create or replace function auditctl_internal.name_parts(p_name text) returns text[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select regexp_match(p_name, '^("(?:[^"]|"")+"|[^".]+)[.]("(?:[^"]|"")+"|[^".]+)$')
$auditctl$;
comment on function auditctl_internal.name_parts is 'Schema and table of a rule''s name or of a table''s, as written; null without a schema';

create or replace function auditctl_internal.part_covers(p_wide text, p_narrow text) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    -- One glob covers another if that begins with all that comes before its only wildcard, an asterisk at its end. Some
    -- that cover others are not recognized; none is that does not.
    select case
        when p_wide in ('*', p_narrow) then true
        when auditctl_internal.is_glob(p_narrow)
            then p_wide ~ '^[^"*?[]+[*]$' and (regexp_match(p_narrow, '^[^*?[]*'))[1] ^@ left(p_wide, -1)
        when auditctl_internal.is_glob(p_wide)
            then auditctl_internal.plain_part(p_narrow) collate "C" ~ auditctl_internal.glob_expression(p_wide)
        else auditctl_internal.plain_part(p_wide) = auditctl_internal.plain_part(p_narrow)
    end
$auditctl$;
comment on function auditctl_internal.part_covers is 'Whether one part of a name or glob matches all that another matches';

create or replace function auditctl_internal.plain_part(p_part text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select case when p_part like '"%' then replace(substr(p_part, 2, length(p_part) - 2), '""', '"') else p_part end
$auditctl$;
comment on function auditctl_internal.plain_part is 'A part of a name without its quotes';

create or replace function auditctl_internal.is_administrable(p_name text) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select auditctl_internal.name_parts(p_name) is not null and not exists (
        select
        from auditctl.administration as a
        where not exists (
            select
            from unnest(a.patterns) as pattern (name)
            cross join auditctl_internal.name_parts(pattern.name) as wide
            cross join auditctl_internal.name_parts(p_name) as narrow
            where auditctl_internal.part_covers(wide[1], narrow[1]) and auditctl_internal.part_covers(wide[2], narrow[2])
        )
        -- Whoever can act as the owner is not limited.
        and not pg_has_role(session_user, 'auditctl_owner', 'MEMBER')
    )
$auditctl$;
comment on function auditctl_internal.is_administrable is
    'Whether administrators may change capture of all tables that a rule''s name, or a table''s, means';

create or replace function auditctl.not_administrable(p_names text[]) returns setof text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select n.name from unnest(p_names) with ordinality as n (name, position) where not auditctl_internal.is_administrable(n.name) order by n.position
$auditctl$;
revoke execute on function auditctl.not_administrable from public;
grant execute on function auditctl.not_administrable to auditctl_reader;
comment on function auditctl.not_administrable is
    'Those of the names of rules and tables that administrators may not change, as the section [admin] of the file limits them';

create or replace function auditctl_internal.require_administrable(p_names text[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_name text;
begin
    foreach v_name in array p_names loop
        if auditctl_internal.is_administrable(v_name) is not true then
            raise exception '% is not among the tables that administrators may change', coalesce(v_name, 'null')
                using errcode = 'insufficient_privilege',
                    hint = 'The section [admin] of the file limits administrators. Use a superuser, or the login that ran `auditctl install`.';
        end if;
    end loop;
end
$auditctl$;
comment on function auditctl_internal.require_administrable is 'Raises 42501 for the first name that administrators may not change';
