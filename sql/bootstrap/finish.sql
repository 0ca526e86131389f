-- After the functions: drops what this version no longer has, renews the capture functions that called it, and keeps
-- auditctl_internal to its owner. Runs as auditctl_owner.

select auditctl_internal.drop_former(null);
select auditctl_internal.require_no_dependents(null);
select auditctl_internal.renew_callers();

do $auditctl$
declare
    v_function regprocedure;
begin
    -- That nobody has USAGE on the schema is not enough: pg_read_all_data and pg_write_all_data bring it for every schema.
    for v_function in
        select p.oid
        from pg_catalog.pg_proc as p
        cross join lateral pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) as a
        where p.pronamespace = 'auditctl_internal'::pg_catalog.regnamespace
            and p.proowner = 'auditctl_owner'::pg_catalog.regrole and a.grantee = 0
    loop
        execute pg_catalog.format('revoke execute on routine %s from public', v_function);
    end loop;
end
$auditctl$;
