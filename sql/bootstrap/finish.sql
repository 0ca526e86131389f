-- Runs after the functions, as auditctl_owner: drops objects that this version no longer has, rewrites the capture
-- functions that called them, and restricts auditctl_internal to its owner.

select auditctl_internal.drop_former(null);
select auditctl_internal.require_no_dependents(null);
select auditctl_internal.renew_callers();

do $auditctl$
declare
    v_function regprocedure;
begin
    -- Withholding USAGE on the schema is not enough: pg_read_all_data and pg_write_all_data have it on every schema.
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
