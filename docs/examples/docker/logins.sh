#!/bin/sh
# Makes the logins of the auditor and of the upkeep. PostgreSQL's image runs it once, when it makes the database.
set -eu

# psql reads the passwords itself: the arguments of a program are in every list of processes.
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\set auditor `cat /run/secrets/auditor_password`
\set upkeep `cat /run/secrets/upkeep_password`
create role auditor login password :'auditor';
create role upkeep login password :'upkeep';
SQL
