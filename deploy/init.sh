#!/bin/sh
# Before every start of a new version, once: databases, pools, lenders, roles and accounts. Safe to run again.
set -eu

airflow db migrate
airflow pools import /opt/turno/deploy/pools.json
turno warehouse migrate
turno lenders apply
turno los apply
turno access apply
