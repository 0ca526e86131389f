-- Restores the previous settings if this is still the transaction that changed them; returns whether it is.
select
    case
        when pg_catalog.now()::text = %(transaction)s
            then pg_catalog.set_config('auditctl.actor', %(actor)s, true) is not null
                and pg_catalog.set_config('auditctl.ip', %(ip)s, true) is not null
                and pg_catalog.set_config('auditctl.context', %(context)s, true) is not null
        else false
    end as is_same_transaction
