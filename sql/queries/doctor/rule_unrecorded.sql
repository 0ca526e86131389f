-- The triggers that record every change of a rule, of an event type, of how long events are kept and of a hold, where one
-- is missing or does not fire always.
select
    recorded.relation as object,
    recorded.trigger,
    case when t.oid is null
            then format(
                'create or replace trigger %s after %s on %s for each row execute function %s; ',
                recorded.trigger, case recorded.bits when 29 then 'insert or update or delete' else 'insert or update' end,
                recorded.relation, recorded.calls
            )
        else ''
    end as creates
from (
    -- AFTER INSERT OR UPDATE [OR DELETE], FOR EACH ROW.
    values ('auditctl.rule', 'rule_recorded', 29, 'auditctl_internal.record_rule()'),
    ('auditctl.event_type', 'event_type_recorded', 29, 'auditctl_internal.record_rule()'),
    ('auditctl.retention', 'retention_recorded', 21, 'auditctl_internal.record_statement(''target'')'),
    ('auditctl.hold', 'hold_recorded', 21, 'auditctl_internal.record_statement(''hold_id'')')
) as recorded (relation, trigger, bits, calls)
left join pg_trigger as t
    on t.tgrelid = to_regclass(recorded.relation) and t.tgname = recorded.trigger and t.tgqual is null
        and t.tgtype = recorded.bits
        and right(pg_get_triggerdef(t.oid), length(recorded.calls)) = recorded.calls
where t.tgenabled is distinct from 'A'
order by recorded.relation
