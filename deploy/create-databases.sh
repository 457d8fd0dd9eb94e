#!/bin/sh
# Run once by the PostgreSQL image on an empty data directory: two databases, and one role per program.
# What each role may do in the warehouse is granted by the migrations.
set -eu

psql --set=ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv owner_password TURNO_OWNER_PASSWORD
\getenv app_password TURNO_APP_PASSWORD
\getenv dbt_password TURNO_DBT_PASSWORD
\getenv receiver_password TURNO_RECEIVER_PASSWORD
create role airflow login password :'airflow_password';
create role turno_owner login password :'owner_password';
create role turno_app login password :'app_password';
create role turno_dbt login password :'dbt_password';
create role turno_receiver login password :'receiver_password';
create database airflow owner airflow;
create database warehouse owner turno_owner;
revoke connect on database airflow, warehouse from public;
grant connect on database warehouse to turno_app, turno_dbt, turno_receiver;
SQL
