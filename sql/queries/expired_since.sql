-- The months of which upkeep deleted expired events, although they are newer than a time.
select e.new_values ->> 'month' as month
from auditctl.event as e
where e.action = 'EVENT' and e.target = 'auditctl.partition' and e.occurred_at >= %(since)s
    and e.new_values ->> 'step' = 'expire' and e.new_values @? '$.dropped ? (@ > 0)'
    and case
        when e.new_values ->> 'month' ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'
            then (to_date(e.new_values ->> 'month', 'YYYY-MM') + interval '1 month')::timestamp at time zone 'UTC' > %(since)s
    end
order by 1
