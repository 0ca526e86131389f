-- The settings that capture takes the actor from, where they are not those that auditctl.actor_source lists.
select 'auditctl_internal.claimed_actor()' as object
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
cross join (
    select string_agg(format(', auditctl_internal.claim(%L, %L)', s.setting, s.path), '' order by s.position) as claims
    from auditctl.actor_source as s
) as listed
where n.nspname = 'auditctl_internal' and p.proname = 'claimed_actor'
    and p.prosrc <> format(E'\n    select coalesce(nullif(current_setting(''auditctl.actor'', true), '''')%s)\n', listed.claims)
