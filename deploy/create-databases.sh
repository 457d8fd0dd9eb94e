#!/bin/sh
# Two databases, and one role per program. The PostgreSQL image runs it once, on an empty data directory; run again, it
# gives every role the password that its variable holds now (docs/runbooks/rotate-secrets.md) and makes roles that are new.
# What each role may do in the warehouse is granted by the migrations (docs/database-roles.md).
set -eu

psql --set=ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv owner_password TURNO_OWNER_PASSWORD
\getenv ingestion_password TURNO_INGESTION_PASSWORD
\getenv reconciler_password TURNO_RECONCILER_PASSWORD
\getenv poster_password TURNO_POSTER_PASSWORD
\getenv console_password TURNO_CONSOLE_PASSWORD
\getenv dbt_password TURNO_DBT_PASSWORD
\getenv receiver_password TURNO_RECEIVER_PASSWORD
\getenv finance_password TURNO_FINANCE_PASSWORD
-- turno_app is what earlier migrations name; it may not log in
select format('create role %I', name)
from unnest(array[
    'airflow', 'turno_owner', 'turno_app', 'turno_ingestion', 'turno_reconciler', 'turno_poster', 'turno_console',
    'turno_dbt', 'turno_receiver', 'turno_finance'
]) as name
where not exists (select from pg_roles where rolname = name) \gexec
alter role turno_app nologin password null;
alter role airflow login password :'airflow_password';
alter role turno_owner login password :'owner_password';
alter role turno_ingestion login password :'ingestion_password';
alter role turno_reconciler login password :'reconciler_password';
alter role turno_poster login password :'poster_password';
alter role turno_console login password :'console_password';
alter role turno_dbt login password :'dbt_password';
alter role turno_receiver login password :'receiver_password';
alter role turno_finance login password :'finance_password';
select format('create database %I owner %I', name, owner)
from (values ('airflow', 'airflow'), ('warehouse', 'turno_owner')) as wanted (name, owner)
where not exists (select from pg_database where datname = name) \gexec
revoke connect on database airflow, warehouse from public;
grant connect on database warehouse
to turno_ingestion, turno_reconciler, turno_poster, turno_console, turno_dbt, turno_receiver, turno_finance;
SQL
