-- Saved views: each login lists, saves and drops its own, by functions alone. A login is its name and its object id, so that
-- neither a later login of the same name nor one that gets the same object id inherits what was saved.

create or replace function auditctl_internal.login_id() returns oid
language sql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
    select r.oid from pg_roles as r where r.rolname = session_user
$auditctl$;
comment on function auditctl_internal.login_id is 'The object id of the session''s login';

create or replace function auditctl_internal.prune_views() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $auditctl$
    delete from auditctl.saved_view as v
    where not exists (select from pg_roles as r where r.rolname = v.owner and r.oid = v.owner_id)
$auditctl$;
comment on function auditctl_internal.prune_views is 'Deletes the saved views of logins that were dropped or renamed; PostgreSQL fires no trigger then';

create or replace function auditctl.saved_views(p_person text default '')
returns table (name text, filters jsonb, saved_at timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select v.name, v.filters, v.saved_at
    from auditctl.saved_view as v
    where v.owner = session_user and v.owner_id = auditctl_internal.login_id() and v.person = p_person
    order by v.name collate "C"
$auditctl$;
revoke execute on function auditctl.saved_views from public;
grant execute on function auditctl.saved_views to auditctl_reader;
comment on function auditctl.saved_views is 'The views that the session''s login saved, by name; p_person is the visitor that a proxy named, empty for the login itself';

create or replace function auditctl.save_view(p_name text, p_filters jsonb, p_person text default '', p_replace boolean default false)
returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_owner_id constant oid := auditctl_internal.login_id();
    v_is_new boolean;
begin
    if octet_length(p_name) > 200 or not auditctl_internal.has_visible(p_name) or p_name ~ '[[:cntrl:]]' then
        raise exception 'the name of a view has 1 to 200 bytes, and no control characters'
            using errcode = 'invalid_parameter_value', hint = 'Name it after what it shows, such as "Deleted invoices".';
    end if;
    if octet_length(p_filters::text) > 8192 or octet_length(p_person) > 800 then
        raise exception 'the filters of a view are limited to 8 kB'
            using errcode = 'invalid_parameter_value', hint = 'Use a glob instead of many names.';
    end if;
    -- Of a dropped login of the same name.
    delete from auditctl.saved_view as v where v.owner = session_user and v.owner_id <> v_owner_id;
    insert into auditctl.saved_view (owner, owner_id, person, name, filters)
    values (session_user, v_owner_id, p_person, p_name, p_filters)
    on conflict do nothing;
    v_is_new := found;
    if not v_is_new and not p_replace and not exists (
        select from auditctl.saved_view as v
        where v.owner = session_user and v.person = p_person and v.name = p_name and v.filters = p_filters
    ) then
        raise exception 'the view % already exists', to_json(p_name)
            using errcode = 'duplicate_object', hint = 'Choose another name, or replace it.';
    end if;
    if not v_is_new then
        update auditctl.saved_view as v set filters = p_filters, saved_at = now()
        where v.owner = session_user and v.person = p_person and v.name = p_name;
    elsif (select count(*) filter (where v.person = p_person) > 100 or count(*) > 10000 from auditctl.saved_view as v where v.owner = session_user) then
        raise exception 'a login may have at most 100 views'
            using errcode = 'invalid_parameter_value', hint = 'Drop one that is no longer needed.';
    end if;
    return v_is_new;
end
$auditctl$;
revoke execute on function auditctl.save_view from public;
grant execute on function auditctl.save_view to auditctl_reader;
comment on function auditctl.save_view is 'Saves filters under a name for the session''s login; returns whether the name is new; raises for one that is not, unless p_replace';

create or replace function auditctl.drop_view(p_name text, p_person text default '') returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
begin
    delete from auditctl.saved_view as v
    where v.owner = session_user and v.owner_id = auditctl_internal.login_id() and v.person = p_person and v.name = p_name;
    if not found then
        raise exception 'the view % does not exist', to_json(p_name)
            using errcode = 'undefined_object', hint = 'Each login has views of its own.';
    end if;
end
$auditctl$;
revoke execute on function auditctl.drop_view from public;
grant execute on function auditctl.drop_view to auditctl_reader;
comment on function auditctl.drop_view is 'Drops a view that the session''s login saved';
