-- Matches the globs of rules with names as auditctl/globs.py does: * any characters, ? one, [abc], [a-c] and [!abc] one of a set.

create or replace function auditctl_internal.glob_expression(p_glob text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    c_special constant text := e'\\^.$|()[]{}*+?-';
    v_characters constant text[] := string_to_array(p_glob, null);
    v_length constant integer := length(p_glob);
    v_result text := '';
    v_items text;
    v_position integer := 1;
    v_first integer;
    v_end integer;
    v_last integer;
begin
    while v_position <= v_length loop
        v_first := v_position + case when v_characters[v_position + 1] = '!' then 2 else 1 end;
        -- A ] that comes first belongs to the set; a [ that no ] closes is an ordinary character.
        v_end := v_first + 1;
        while v_characters[v_position] = '[' and v_end <= v_length and v_characters[v_end] <> ']' loop
            v_end := v_end + 1;
        end loop;
        if v_characters[v_position] = '*' then
            v_result := v_result || '.*';
        elsif v_characters[v_position] = '?' then
            v_result := v_result || '.';
        elsif v_characters[v_position] = '[' and v_end <= v_length then
            v_items := '';
            v_last := v_first;
            while v_last < v_end loop
                v_first := v_last;
                if v_characters[v_first + 1] = '-' and v_first + 2 < v_end then
                    v_last := v_first + 2;
                end if;
                if v_characters[v_first] collate "C" <= v_characters[v_last] collate "C" then
                    v_items := v_items || case when strpos(c_special, v_characters[v_first]) > 0 then e'\\' else '' end || v_characters[v_first]
                        || '-' || case when strpos(c_special, v_characters[v_last]) > 0 then e'\\' else '' end || v_characters[v_last];
                end if;
                v_last := v_last + 1;
            end loop;
            v_result := v_result || case
                when v_characters[v_position + 1] = '!' then coalesce('[^' || nullif(v_items, '') || ']', '.')
                -- Nothing is in an empty set.
                else coalesce('[' || nullif(v_items, '') || ']', '(?!x)x')
            end;
            v_position := v_end;
        else
            v_result := v_result || case when strpos(c_special, v_characters[v_position]) > 0 then e'\\' else '' end || v_characters[v_position];
        end if;
        v_position := v_position + 1;
    end loop;
    return '^' || v_result || '$';
end
$auditctl$;
comment on function auditctl_internal.glob_expression is 'A glob as a regular expression of PostgreSQL that matches whole names';

create or replace function auditctl_internal.matching_globs(p_schema text, p_table text) returns setof auditctl.rule
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $auditctl$
declare
    v_name constant text := p_schema || '.' || p_table;
    v_beginnings constant text[] := array(select left(v_name, n.length) from generate_series(0, length(v_name)) as n (length));
begin
    return query
    select r.*
    from auditctl.rule as r
    cross join regexp_match(r.name, '^(?:("(?:[^"]|"")+"|[^".]+)[.])?("(?:[^"]|"")+"|[^".]+)$') as part (names)
    where r.name ~ '[*?[]'
        -- As the index rule_glob_prefix_idx has it.
        and case when r.name ~ '[.]' then substring(r.name from '^[^*?["]*') else '' end = any (v_beginnings)
        and regexp_replace(r.name, '"[^"]*"', '', 'g') ~ '[*?[]'
        and not exists (
            select
            from (values (part.names[1], p_schema), (part.names[2], p_table)) as one (glob, name)
            where not case
                when one.glob like '"%' then one.name = replace(substr(one.glob, 2, length(one.glob) - 2), '""', '"')
                when one.glob !~ '[*?[]' then one.name = one.glob
                when one.glob ~ '[[]' then one.name collate "C" ~ auditctl_internal.glob_expression(one.glob)
                -- LIKE is compiled for no glob, and most have no sets.
                else one.name collate "C" like replace(replace(replace(replace(replace(
                    one.glob, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%'), '?', '_') escape '!'
            end
        )
    order by r.position, r.name;
end
$auditctl$;
comment on function auditctl_internal.matching_globs is
    'The rules whose globs match a name, in their order: without a rule of its own, the first is in force for the table';

create or replace function auditctl_internal.rule_in_force(p_schema text, p_table text) returns auditctl.rule
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_rule auditctl.rule;
    v_result auditctl.rule;
    v_number integer := 0;
    v_exclude_at integer;
    v_mask_at integer;
begin
    for v_rule in
        select r.*
        from (
            select own.* from auditctl.rule as own where own.name = auditctl.qualified(p_schema, p_table)
            union all
            select g.* from auditctl_internal.matching_globs(p_schema, p_table) as g
        ) as r
        order by r.name <> auditctl.qualified(p_schema, p_table), r.position, r.name
    loop
        v_number := v_number + 1;
        if v_number = 1 then
            v_result := v_rule;
        end if;
        if v_exclude_at is null and v_rule.exclude is not null then
            v_exclude_at := v_number;
            v_result.exclude := v_rule.exclude;
        end if;
        if v_mask_at is null and v_rule.mask is not null then
            v_mask_at := v_number;
            v_result.mask := v_rule.mask;
        end if;
    end loop;
    -- Of a column that one rule excludes and another masks, the earlier rule decides.
    if v_exclude_at < v_mask_at then
        v_result.mask := auditctl_internal.pick_names(v_result.mask, v_result.exclude, false);
    elsif v_mask_at < v_exclude_at then
        v_result.exclude := auditctl_internal.pick_names(v_result.exclude, v_result.mask, false);
    end if;
    return v_result;
end
$auditctl$;
comment on function auditctl_internal.rule_in_force is
    'The first rule that matches a name, its own before globs, with the columns to exclude and to mask of the first that states them, as auditctl/capture/precedence.py decides it; null if no rule matches';
