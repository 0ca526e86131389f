-- Triggers that record every change to a rule, event type, accepted finding, source of actors, retention time or hold, if missing or not always firing.
select
    expected.relation as object,
    expected.trigger,
    case when t.oid is null
            then format(
                'create or replace trigger %s after %s on %s for each row execute function %s; ',
                expected.trigger, case expected.bits when 29 then 'insert or update or delete' else 'insert or update' end,
                expected.relation, expected.calls
            )
        else ''
    end as creates
from (
    -- AFTER INSERT OR UPDATE [OR DELETE], FOR EACH ROW.
    values ('auditctl.rule', 'rule_recorded', 29, 'auditctl_internal.record_rule()'),
    ('auditctl.event_type', 'event_type_recorded', 29, 'auditctl_internal.record_rule()'),
    ('auditctl.actor_source', 'actor_source_recorded', 29, 'auditctl_internal.record_rule()'),
    ('auditctl.accepted_finding', 'accepted_finding_recorded', 29, 'auditctl_internal.record_rule()'),
    ('auditctl.retention', 'retention_recorded', 21, 'auditctl_internal.record_statement(''target'')'),
    ('auditctl.hold', 'hold_recorded', 21, 'auditctl_internal.record_statement(''hold_id'')')
) as expected (relation, trigger, bits, calls)
left join pg_trigger as t
    on t.tgrelid = to_regclass(expected.relation) and t.tgname = expected.trigger and t.tgqual is null
        and t.tgtype = expected.bits
        and right(pg_get_triggerdef(t.oid), length(expected.calls)) = expected.calls
where t.tgenabled is distinct from 'A'
order by expected.relation
