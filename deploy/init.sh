#!/bin/sh
# Before every start of a new version, once: databases, pools, lenders, logins. Safe to run again.
set -eu

airflow db migrate
airflow pools import /opt/turno/deploy/pools.json
turno warehouse migrate
turno lenders apply
turno los apply

# the simple auth manager reads its passwords from a file; only the containers of Airflow see this volume
umask 077
python - <<'PYTHON'
import json, os, pathlib

passwords = {"admin": os.environ["TURNO_ADMIN_PASSWORD"], os.environ["TURNO_AIRFLOW_USER"]: os.environ["TURNO_AIRFLOW_PASSWORD"]}
pathlib.Path("/opt/airflow/auth/passwords.json").write_text(json.dumps(passwords), encoding="utf-8")
PYTHON
