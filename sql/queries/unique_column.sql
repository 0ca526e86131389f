-- For each audited table without a primary key: the columns of its smallest unique index over columns that are not null.
select distinct on (candidate.relation)
    candidate.relation,
    candidate.columns
from (
    select
        i.indrelid::bigint as relation,
        i.indexrelid,
        pg_catalog.array_agg(a.attname::text order by k.position) as columns,
        pg_catalog.bool_and(a.attnotnull) as is_certain
    from auditctl.capture as capture
    join pg_catalog.pg_index as i on i.indrelid = capture.relation
    cross join lateral pg_catalog.unnest(i.indkey) with ordinality as k (attnum, position)
    join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
        and k.position <= i.indnkeyatts
        and not exists (select from pg_catalog.pg_index as p where p.indrelid = i.indrelid and p.indisprimary)
    group by i.indrelid, i.indexrelid
) as candidate
where candidate.is_certain
order by candidate.relation, pg_catalog.cardinality(candidate.columns), candidate.indexrelid
