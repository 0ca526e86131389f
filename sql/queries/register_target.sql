-- Enters an audited table, or brings its label and key up to date.
insert into audit.target as known (target, label, key_columns, renamed_from, renamed_at)
select
    %(target)s,
    %(label)s,
    %(key)s::text [],
    earlier.target,
    case when earlier.target is not null then pg_catalog.clock_timestamp() end
from (select) as one
left join audit.target as earlier on earlier.target = %(renamed_from)s
on conflict (target) do update
set
    label = excluded.label,
    key_columns = excluded.key_columns,
    renamed_from = coalesce(excluded.renamed_from, known.renamed_from),
    renamed_at = coalesce(excluded.renamed_at, known.renamed_at)
where
    (known.label, known.key_columns) is distinct from (excluded.label, excluded.key_columns)
    or excluded.renamed_from is not null
