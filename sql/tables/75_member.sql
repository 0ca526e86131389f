-- Whom auditctl itself made a member of its roles. Roles belong to the cluster: others are members too.

create table auditctl.member (
    role text not null,
    login text not null,
    since timestamptz not null default pg_catalog.now(),
    constraint member_pkey primary key (role, login)
);
comment on table auditctl.member is 'The members of auditctl''s roles that this database knows; doctor names all others';
comment on column auditctl.member.role is 'auditctl_owner, of which a login that installs is a member, or one that was granted';
comment on column auditctl.member.login is 'The login that installed, or that was granted the role here';
comment on column auditctl.member.since is 'When it installed first, or was granted the role';
