-- The rows that the store cannot do without. A dump may have left them out.

do $auditctl$
begin
    if not exists (select from auditctl.capture_change) then
        insert into auditctl.capture_change default values;
    end if;
    if not exists (select from auditctl.import_horizon) then
        insert into auditctl.import_horizon (pruned_before) values ('-infinity');
    end if;
    if not exists (select from auditctl.maintenance) then
        insert into auditctl.maintenance default values;
    end if;
    -- Keeps everything until somebody sets another time.
    if not exists (select from auditctl.retention) then
        insert into auditctl.retention (target) values ('*');
        perform auditctl_internal.note_step('no retention was left: everything is kept until it is set again');
    end if;
    if not exists (select from auditctl.log_key) then
        insert into auditctl.log_key (inner_key, outer_key, mark_key)
        values (auditctl_internal.new_key(), auditctl_internal.new_key(), auditctl_internal.new_key());
        perform auditctl_internal.note_step('new key for lines in the server''s log');
    end if;
end
$auditctl$;
