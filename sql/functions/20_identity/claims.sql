-- What names the actor: auditctl.actor, and further settings that install was given.

create or replace function auditctl_internal.claim(p_setting text, p_path text[]) returns text
language plpgsql stable
as $auditctl$
-- Called by capture only, whose search_path is pinned.
declare
    v_text text := nullif(current_setting(p_setting, true), '');
    v_value json;
begin
    if v_text is null then
        return null;
    end if;
    -- PostgreSQL does not check the encoding of settings passed at connection start.
    perform convert_to(v_text, 'UTF8');
    if p_path <> '{}' then
        if octet_length(v_text) > 16384 then
            return null;
        end if;
        v_value := v_text::json #> p_path;
        v_text := case when json_typeof(v_value) in ('string', 'number') then v_value #>> '{}' end;
    end if;
    return case when auditctl_internal.has_visible(v_text) then v_text end;
exception when others then
    return null;
end
$auditctl$;
comment on function auditctl_internal.claim is
    'The actor that a setting names: all of it, or the text or number at a path in its JSON of up to 16 kB; null for any other value; never raises';

create or replace function auditctl_internal.claimed_actor() returns text
language sql stable
as $auditctl$
    select coalesce(nullif(current_setting('auditctl.actor', true), ''))
$auditctl$;
comment on function auditctl_internal.claimed_actor is
    'The actor that the session names, null for none. Inlined; auditctl_internal.write_claimed_actor() adds the settings of auditctl.actor_source';

create or replace function auditctl_internal.write_claimed_actor() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
-- Generated, so that it costs nothing where there are no such settings. auditctl/store_code.py knows this form.
declare
    v_claims constant text := (
        select string_agg(format(', auditctl_internal.claim(%L, %L)', s.setting, s.path), '' order by s.position)
        from auditctl.actor_source as s
    );
begin
    if v_claims is not null then
        execute format(
            'create or replace function auditctl_internal.claimed_actor() returns text language sql stable as %L',
            format(E'\n    select coalesce(nullif(current_setting(''auditctl.actor'', true), '''')%s)\n', v_claims)
        );
    end if;
end
$auditctl$;
comment on function auditctl_internal.write_claimed_actor is
    'Adds the settings of auditctl.actor_source to auditctl_internal.claimed_actor(), after an install wrote it';

create or replace function auditctl_internal.set_actor_sources(p_sources jsonb) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    delete from auditctl.actor_source as s
    where not exists (select from jsonb_array_elements(p_sources) as n (source) where n.source ->> 'name' = s.name);
    insert into auditctl.actor_source as s (name, position, setting, path)
    select
        n.source ->> 'name', n.position, n.source ->> 'setting',
        array(select p.member from jsonb_array_elements_text(n.source -> 'path') with ordinality as p (member, position) order by p.position)
    from jsonb_array_elements(p_sources) with ordinality as n (source, position)
    on conflict (name) do update set position = excluded.position, set_by = excluded.set_by, set_at = excluded.set_at
    where s.position <> excluded.position;
end
$auditctl$;
comment on function auditctl_internal.set_actor_sources is
    'Replaces auditctl.actor_source: objects with name, setting and path, in order';
