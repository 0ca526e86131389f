-- Where months are archived, and which ones stay in the database: what [archive] in the file states.

create or replace function auditctl.set_archiving(p_location text, p_keep_hot text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_keep constant text := auditctl_internal.time_to_keep(p_keep_hot);
    v_current auditctl.archiving;
begin
    if p_keep_hot is not null and v_keep is null then
        raise exception 'forever would archive nothing'
            using errcode = 'invalid_parameter_value', hint = 'Write days, weeks, months or years, such as 6 months; null archives every month that is over.';
    end if;
    lock table auditctl.archiving in share row exclusive mode;
    select a.* into v_current from auditctl.archiving as a;
    if (v_current.location, v_current.keep_hot) is not distinct from (p_location, v_keep) then
        return false;
    end if;
    if p_location is null and v_keep is null then
        delete from auditctl.archiving;
    else
        insert into auditctl.archiving (location, keep_hot) values (p_location, v_keep)
        on conflict (name) do update
        set (location, keep_hot, set_by, set_at) = row(excluded.location, excluded.keep_hot, session_user, now());
    end if;
    return true;
exception when check_violation then
    raise exception 'not the path of an archive: %', to_json(left(p_location, 200))
        using errcode = 'invalid_parameter_value',
            hint = 'Name a folder by its absolute path, or s3://BUCKET/PREFIX without credentials; those come from the environment of the command.';
end
$auditctl$;
revoke execute on function auditctl.set_archiving from public;
grant execute on function auditctl.set_archiving to auditctl_admin;
comment on function auditctl.set_archiving is
    'Sets where months are archived and which ones stay, such as 6 months; null states nothing about it. Returns whether anything changed';
