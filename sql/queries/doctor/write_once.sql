-- The log and partitions of it without a trigger that always refuses every change. The log comes before its partitions.
select
    part.relid::regclass::text as object,
    part.relid::regclass::text as relation,
    quote_literal(part.relid::regclass) as literal,
    string_agg(
        case when squatter.oid is not null then format('drop trigger if exists %I on %s; ', guard.name, part.relid::regclass) else '' end,
        '' order by guard.name
    ) as drops
from pg_partition_tree('auditctl.event') as part
-- BEFORE UPDATE OR DELETE, FOR EACH ROW; BEFORE UPDATE OR DELETE OR TRUNCATE, FOR EACH STATEMENT.
cross join (values ('event_write_once_row', 27), ('event_write_once_statement', 58)) as guard (name, bits)
left join pg_trigger as t
    on t.tgrelid = part.relid and t.tgname = guard.name and t.tgtype = guard.bits and t.tgqual is null
        and t.tgfoid::regprocedure::text = 'auditctl_internal.refuse_change()'
left join pg_trigger as squatter on squatter.tgrelid = part.relid and squatter.tgname = guard.name and t.oid is null
where t.tgenabled is distinct from 'A'
group by part.relid, part.level
order by part.level, part.relid::regclass::text
