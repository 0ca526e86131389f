-- Policies that let others than backup roles see the secret keys of read logging.
select
    quote_ident(p.polname) || ' on auditctl.log_key' as object,
    quote_ident(p.polname) as policy
from pg_policy as p
where p.polrelid = to_regclass('auditctl.log_key')
    and (p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[]::text, pg_get_expr(p.polqual, p.polrelid)) not in (
        ('log_key_is_secret', 'r', true, '{-}', 'auditctl.refuse_secret()'),
        ('log_key_is_dumped', 'r', true, '{auditctl_backup}', 'true')
    )
order by 1
