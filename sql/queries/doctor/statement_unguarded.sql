-- Tables of retention times, holds, erasures, key changes and evidence without a trigger that always protects their rows.
select
    expected.relation as object,
    expected.relation,
    string_agg(
        case when t.oid is null
                then format(
                    'create or replace trigger %s before %s execute function %s; ', expected.trigger,
                    case expected.bits
                        when 31 then format('insert or update or delete on %s for each row', expected.relation)
                        when 27 then format('update or delete on %s for each row', expected.relation)
                        else format('truncate on %s for each statement', expected.relation)
                    end, expected.calls
                )
            else ''
        end || format('alter table %s enable always trigger %s; ', expected.relation, expected.trigger),
        '' order by expected.trigger
    ) as repairs
from (
    -- BEFORE (31: INSERT OR) UPDATE OR DELETE, FOR EACH ROW; 34: BEFORE TRUNCATE, FOR EACH STATEMENT.
    values ('auditctl.retention', 'retention_guarded', 31, 'auditctl_internal.guard_retention()'),
    ('auditctl.retention', 'retention_guarded_statement', 34, 'auditctl_internal.guard_retention()'),
    ('auditctl.hold', 'hold_guarded', 31, 'auditctl_internal.guard_hold()'),
    ('auditctl.hold', 'hold_guarded_statement', 34, 'auditctl_internal.guard_hold()'),
    ('auditctl.erasure', 'erasure_guarded', 31, 'auditctl_internal.guard_erasure()'),
    ('auditctl.erasure', 'erasure_guarded_statement', 34, 'auditctl_internal.guard_erasure()'),
    ('auditctl.pruned', 'pruned_guarded', 31, 'auditctl_internal.guard_pruned()'),
    ('auditctl.pruned', 'pruned_guarded_statement', 34, 'auditctl_internal.guard_pruned()'),
    ('auditctl.key_change', 'key_change_write_once_row', 27, 'auditctl_internal.guard_key_change()'),
    ('auditctl.key_change', 'key_change_write_once_statement', 34, 'auditctl_internal.guard_key_change()'),
    ('auditctl.block', 'block_guarded', 27, 'auditctl_internal.guard_block()'),
    ('auditctl.block', 'block_guarded_statement', 34, 'auditctl_internal.guard_block()'),
    ('auditctl.node', 'node_guarded', 27, 'auditctl_internal.guard_evidence()'),
    ('auditctl.node', 'node_guarded_statement', 34, 'auditctl_internal.guard_evidence()'),
    ('auditctl.incarnation', 'incarnation_guarded', 27, 'auditctl_internal.guard_evidence()'),
    ('auditctl.incarnation', 'incarnation_guarded_statement', 34, 'auditctl_internal.guard_evidence()'),
    ('auditctl.checkpoint', 'checkpoint_guarded', 27, 'auditctl_internal.guard_checkpoint()'),
    ('auditctl.checkpoint', 'checkpoint_guarded_statement', 34, 'auditctl_internal.guard_checkpoint()')
) as expected (relation, trigger, bits, calls)
left join pg_trigger as t
    on t.tgrelid = to_regclass(expected.relation) and t.tgname = expected.trigger and t.tgqual is null
        and t.tgtype = expected.bits and t.tgfoid::regprocedure::text = expected.calls
where t.tgenabled is distinct from 'A'
group by expected.relation
order by expected.relation
