-- The triggers that record every change of a rule and of an event type, where one is missing or does not fire always.
select
    recorded.relation as object,
    recorded.trigger,
    case when t.oid is null
            then format(
                'create or replace trigger %s after insert or update or delete on %s for each row execute function audit.record_rule(); ',
                recorded.trigger, recorded.relation
            )
        else ''
    end as creates
from (values ('audit.rule', 'rule_recorded'), ('audit.event_type', 'event_type_recorded')) as recorded (relation, trigger)
left join pg_trigger as t
    on t.tgrelid = to_regclass(recorded.relation) and t.tgname = recorded.trigger and t.tgqual is null
        and t.tgfoid = to_regprocedure('audit.record_rule()')
        -- AFTER INSERT OR UPDATE OR DELETE, FOR EACH ROW.
        and t.tgtype = 29
where t.tgenabled is distinct from 'A'
order by recorded.relation
