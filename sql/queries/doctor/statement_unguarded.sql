-- What was stated about keeping events, holds and key changes, without a guard that always keeps them from being rewritten.
select
    guarded.relation as object,
    guarded.relation,
    string_agg(
        case when t.oid is null
                then format(
                    'create or replace trigger %s before %s execute function %s; ', guarded.trigger,
                    case guarded.bits
                        when 31 then format('insert or update or delete on %s for each row', guarded.relation)
                        when 27 then format('update or delete on %s for each row', guarded.relation)
                        else format('truncate on %s for each statement', guarded.relation)
                    end, guarded.calls
                )
            else ''
        end || format('alter table %s enable always trigger %s; ', guarded.relation, guarded.trigger),
        '' order by guarded.trigger
    ) as mends
from (
    -- BEFORE (31: INSERT OR) UPDATE OR DELETE, FOR EACH ROW; 34: BEFORE TRUNCATE, FOR EACH STATEMENT.
    values ('auditctl.retention', 'retention_guarded', 31, 'auditctl_internal.guard_retention()'),
    ('auditctl.retention', 'retention_guarded_statement', 34, 'auditctl_internal.guard_retention()'),
    ('auditctl.hold', 'hold_guarded', 31, 'auditctl_internal.guard_hold()'),
    ('auditctl.hold', 'hold_guarded_statement', 34, 'auditctl_internal.guard_hold()'),
    ('auditctl.key_change', 'key_change_write_once_row', 27, 'auditctl_internal.guard_key_change()'),
    ('auditctl.key_change', 'key_change_write_once_statement', 34, 'auditctl_internal.guard_key_change()')
) as guarded (relation, trigger, bits, calls)
left join pg_trigger as t
    on t.tgrelid = to_regclass(guarded.relation) and t.tgname = guarded.trigger and t.tgqual is null
        and t.tgtype = guarded.bits and t.tgfoid::regprocedure::text = guarded.calls
where t.tgenabled is distinct from 'A'
group by guarded.relation
order by guarded.relation
