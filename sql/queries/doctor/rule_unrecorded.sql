-- The trigger that records every change of a rule, where it is missing or does not fire always.
select
    'audit.rule' as object,
    case when t.oid is null
            then 'create or replace trigger rule_recorded after insert or update or delete on audit.rule '
                'for each row execute function audit.record_rule(); '
        else ''
    end as creates
from (select) as one
left join pg_trigger as t
    on t.tgrelid = to_regclass('audit.rule') and t.tgname = 'rule_recorded' and t.tgqual is null
        and t.tgfoid = to_regprocedure('audit.record_rule()')
        -- AFTER INSERT OR UPDATE OR DELETE, FOR EACH ROW.
        and t.tgtype = 29
where t.tgenabled is distinct from 'A'
