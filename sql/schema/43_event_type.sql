-- The kinds of business events that somebody said something about: what people see of them, and which are switched off.

create table auditctl.event_type (
    name text not null,
    label text,
    enabled boolean not null default true,
    set_by text not null default session_user,
    set_at timestamptz not null default pg_catalog.now(),
    constraint event_type_pkey primary key (name),
    constraint event_type_name_is_not_empty check (name <> ''),
    constraint event_type_label_is_not_empty check (label <> ''),
    constraint event_type_label_is_of_one_type check (label is null or name !~ '[*?]')
);

comment on table auditctl.event_type is 'Business events that the configuration names; one that is not here is recorded under its own name';
comment on column auditctl.event_type.name is 'The target that auditctl.record_event is called with, or a glob: * stands for any characters, ? for one';
comment on column auditctl.event_type.label is 'What people see as the target; null for the name itself';
comment on column auditctl.event_type.enabled is 'Whether such events are recorded; of several that fit, the name itself counts, else the longest glob';
comment on column auditctl.event_type.set_by is 'The login that stated it';
comment on column auditctl.event_type.set_at is 'When it was stated';

grant select on auditctl.event_type to auditctl_reader;
alter table auditctl.event_type enable row level security;
create policy event_type_is_read_by_whoever_may on auditctl.event_type for select using (true);

create trigger event_type_recorded after insert or update or delete on auditctl.event_type
for each row execute function auditctl_internal.record_rule();
alter table auditctl.event_type enable always trigger event_type_recorded;

create function auditctl.deciding_type(p_target text) returns auditctl.event_type
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $auditctl$
declare
    v_type auditctl.event_type;
begin
    select t.* into v_type
    from auditctl.event_type as t
    where t.name = p_target
        or p_target like translate(regexp_replace(t.name, '([\\%_])', '\\\1', 'g'), '*?', '%_')
    order by t.name = p_target desc, length(t.name) desc, t.name collate "C"
    limit 1;
    return v_type;
end
$auditctl$;

revoke execute on function auditctl.deciding_type(text) from public;
grant execute on function auditctl.deciding_type(text) to auditctl_reader;
comment on function auditctl.deciding_type(text) is
    'The event type that says whether events of a target are recorded: of that very name, else the longest glob that fits; null where nothing is said';

create function auditctl.names_actor() returns boolean
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $auditctl$
    select auditctl_internal.holds_app_role()
$auditctl$;

revoke execute on function auditctl.names_actor() from public;
grant execute on function auditctl.names_actor() to auditctl_app, auditctl_admin;
comment on function auditctl.names_actor() is 'Whether the user that this session names is believed: whether its login was granted auditctl_app';
