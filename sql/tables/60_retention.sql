-- How long events are kept, and the legal holds that no retention run deletes.

create table auditctl.retention (
    retention_id bigint generated always as identity,
    target text not null,
    keep text,
    set_by text not null default session_user,
    since timestamptz not null default pg_catalog.now(),
    until timestamptz,
    ended_in xid8,
    noticed_at timestamptz,
    constraint retention_pkey primary key (retention_id),
    constraint retention_target_is_not_empty check (target <> ''),
    constraint retention_keep_is_a_time check (keep ~ '^[1-9][0-9]{0,5} (day|week|month|year)s?$'),
    constraint retention_ends_after_its_start check (until >= since),
    constraint retention_is_noticed_after_its_end check (noticed_at is null or until is not null)
);
comment on table auditctl.retention is 'How long events are kept: every time that was ever set; the longest that matches a target is in force';
comment on column auditctl.retention.retention_id is 'Identity';
comment on column auditctl.retention.target is 'A target or a glob over targets; * for every event';
comment on column auditctl.retention.keep is 'A time such as 400 days; null for forever';
comment on column auditctl.retention.set_by is 'The login that set it';
comment on column auditctl.retention.since is 'When it was set';
comment on column auditctl.retention.until is 'When it was replaced or removed; null while nobody has';
comment on column auditctl.retention.ended_in is 'The transaction that replaced or removed it';
comment on column auditctl.retention.noticed_at is 'When maintain first saw that it was replaced or removed: it counts until auditctl.retention_grace() later';

create unique index retention_target_idx on auditctl.retention (target) where until is null;


create table auditctl.hold (
    hold_id bigint generated always as identity,
    target text not null,
    target_id text,
    reason text not null,
    placed_by text not null default session_user,
    placed_at timestamptz not null default pg_catalog.now(),
    released_by text,
    released_at timestamptz,
    release_reason text,
    released_in xid8,
    noticed_at timestamptz,
    constraint hold_pkey primary key (hold_id),
    constraint hold_target_is_not_empty check (target <> ''),
    constraint hold_has_a_reason check (reason ~ '[^[:space:]]'),
    constraint hold_is_released_whole check (
        (released_at is null) = (released_by is null) and (released_at is null) = (release_reason is null)
    ),
    constraint hold_is_noticed_after_its_release check (noticed_at is null or released_at is not null),
    constraint hold_is_released_for_a_reason check (release_reason ~ '[^[:space:]]')
);
comment on table auditctl.hold is 'Legal holds: what is held, by whom and why, and when it was released';
comment on column auditctl.hold.hold_id is 'Identity';
comment on column auditctl.hold.target is 'A target, or a glob over targets; every name its table ever had is held with it';
comment on column auditctl.hold.target_id is 'The object, whose whole history is held; null for the whole target';
comment on column auditctl.hold.reason is 'Why, such as the case it is for';
comment on column auditctl.hold.placed_by is 'The login that placed it';
comment on column auditctl.hold.placed_at is 'When it was placed';
comment on column auditctl.hold.released_by is 'The login that released it; null while the hold is in force';
comment on column auditctl.hold.released_at is 'When it was released';
comment on column auditctl.hold.release_reason is 'Why it was released';
comment on column auditctl.hold.released_in is 'The transaction that released it';
comment on column auditctl.hold.noticed_at is 'When maintain first saw the release: the hold keeps events until auditctl.retention_grace() later';
