-- Creates what the store's own tables need once all functions exist: triggers, guards, and the keys for the server's log.

create or replace trigger event_type_named before insert or update on auditctl.event_type
for each row execute function auditctl_internal.name_event_type();
alter table auditctl.event_type enable always trigger event_type_named;

create or replace trigger event_type_recorded after insert or update or delete on auditctl.event_type
for each row execute function auditctl_internal.record_rule();
alter table auditctl.event_type enable always trigger event_type_recorded;

create or replace trigger rule_recorded after insert or update or delete on auditctl.rule
for each row execute function auditctl_internal.record_rule();
alter table auditctl.rule enable always trigger rule_recorded;

create or replace trigger administration_recorded after insert or update or delete on auditctl.administration
for each row execute function auditctl_internal.record_rule();
alter table auditctl.administration enable always trigger administration_recorded;

create or replace trigger archiving_recorded after insert or update or delete on auditctl.archiving
for each row execute function auditctl_internal.record_rule();
alter table auditctl.archiving enable always trigger archiving_recorded;

create or replace trigger accepted_finding_recorded after insert or update or delete on auditctl.accepted_finding
for each row execute function auditctl_internal.record_rule();
alter table auditctl.accepted_finding enable always trigger accepted_finding_recorded;

create or replace trigger actor_source_recorded after insert or update or delete on auditctl.actor_source
for each row execute function auditctl_internal.record_rule();
alter table auditctl.actor_source enable always trigger actor_source_recorded;

select auditctl_internal.guard_partition('auditctl.event');
select auditctl_internal.guard_partition('auditctl.event_default');

do $auditctl$
begin
    -- These statements block every update that changes a key, so they run only where they change something.
    if (
        select pg_catalog.count(*)
        from pg_catalog.pg_trigger as t
        where t.tgrelid = 'auditctl.key_change'::pg_catalog.regclass
            and t.tgfoid = 'auditctl_internal.guard_key_change()'::pg_catalog.regprocedure
            and (t.tgname, t.tgtype) in (('key_change_write_once_row', 27), ('key_change_write_once_statement', 34))
            and t.tgqual is null and t.tgenabled = 'A'
    ) < 2 then
        create or replace trigger key_change_write_once_row before update or delete on auditctl.key_change
        for each row execute function auditctl_internal.guard_key_change();
        create or replace trigger key_change_write_once_statement before truncate on auditctl.key_change
        for each statement execute function auditctl_internal.guard_key_change();
        alter table auditctl.key_change enable always trigger key_change_write_once_row, enable always trigger key_change_write_once_statement;
    end if;
end
$auditctl$;

select auditctl_internal.open_store_to_dumps();

create or replace trigger hold_guarded before insert or update or delete on auditctl.hold
for each row execute function auditctl_internal.guard_hold();
create or replace trigger hold_guarded_statement before truncate on auditctl.hold
for each statement execute function auditctl_internal.guard_hold();
create or replace trigger hold_recorded after insert or update on auditctl.hold
for each row execute function auditctl_internal.record_statement('hold_id');
alter table auditctl.hold enable always trigger hold_guarded;
alter table auditctl.hold enable always trigger hold_guarded_statement;
alter table auditctl.hold enable always trigger hold_recorded;

create or replace trigger retention_guarded before insert or update or delete on auditctl.retention
for each row execute function auditctl_internal.guard_retention();
create or replace trigger retention_guarded_statement before truncate on auditctl.retention
for each statement execute function auditctl_internal.guard_retention();
create or replace trigger retention_recorded after insert or update on auditctl.retention
for each row execute function auditctl_internal.record_statement('target');
alter table auditctl.retention enable always trigger retention_guarded;
alter table auditctl.retention enable always trigger retention_guarded_statement;
alter table auditctl.retention enable always trigger retention_recorded;

-- Whoever installs, again or to upgrade, can act as the owner and administers.
insert into auditctl.member (role, login)
select
    r.role,
    session_user as login
from (values ('auditctl_owner'), ('auditctl_admin')) as r (role)
on conflict do nothing;

create or replace trigger month_guarded before delete on auditctl.month
for each row execute function auditctl_internal.guard_month();
create or replace trigger month_guarded_statement before truncate on auditctl.month
for each statement execute function auditctl_internal.guard_month();
alter table auditctl.month enable always trigger month_guarded;
alter table auditctl.month enable always trigger month_guarded_statement;

create or replace trigger block_guarded before update or delete on auditctl.block
for each row execute function auditctl_internal.guard_block();
create or replace trigger block_guarded_statement before truncate on auditctl.block
for each statement execute function auditctl_internal.guard_block();
create or replace trigger node_guarded before update or delete on auditctl.node
for each row execute function auditctl_internal.guard_evidence();
create or replace trigger node_guarded_statement before truncate on auditctl.node
for each statement execute function auditctl_internal.guard_evidence();
create or replace trigger incarnation_guarded before update or delete on auditctl.incarnation
for each row execute function auditctl_internal.guard_evidence();
create or replace trigger incarnation_guarded_statement before truncate on auditctl.incarnation
for each statement execute function auditctl_internal.guard_evidence();
create or replace trigger checkpoint_guarded before update or delete on auditctl.checkpoint
for each row execute function auditctl_internal.guard_checkpoint();
create or replace trigger checkpoint_guarded_statement before truncate on auditctl.checkpoint
for each statement execute function auditctl_internal.guard_checkpoint();
alter table auditctl.block enable always trigger block_guarded, enable always trigger block_guarded_statement;
alter table auditctl.node enable always trigger node_guarded, enable always trigger node_guarded_statement;
alter table auditctl.incarnation enable always trigger incarnation_guarded, enable always trigger incarnation_guarded_statement;
alter table auditctl.checkpoint enable always trigger checkpoint_guarded, enable always trigger checkpoint_guarded_statement;

create or replace trigger erasure_guarded before insert or update or delete on auditctl.erasure
for each row execute function auditctl_internal.guard_erasure();
create or replace trigger erasure_punctured after insert on auditctl.erasure
for each statement execute function auditctl_internal.puncture_blocks();
alter table auditctl.erasure enable always trigger erasure_punctured;
create or replace trigger erasure_guarded_statement before truncate on auditctl.erasure
for each statement execute function auditctl_internal.guard_erasure();
alter table auditctl.erasure enable always trigger erasure_guarded;
alter table auditctl.erasure enable always trigger erasure_guarded_statement;

create or replace trigger pruned_guarded before insert or update or delete on auditctl.pruned
for each row execute function auditctl_internal.guard_pruned();
create or replace trigger pruned_guarded_statement before truncate on auditctl.pruned
for each statement execute function auditctl_internal.guard_pruned();
alter table auditctl.pruned enable always trigger pruned_guarded;
alter table auditctl.pruned enable always trigger pruned_guarded_statement;

create or replace trigger archived_month_guarded before update or delete on auditctl.archived_month
for each row execute function auditctl_internal.guard_archived_month();
create or replace trigger archived_month_guarded_statement before truncate on auditctl.archived_month
for each statement execute function auditctl_internal.guard_archived_month();
alter table auditctl.archived_month enable always trigger archived_month_guarded, enable always trigger archived_month_guarded_statement;
