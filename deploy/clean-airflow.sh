#!/bin/sh
# Removes what Airflow remembers of runs older than DAYS (90), and their logs. The warehouse keeps its own records (docs/retention.md).
set -eu

days=${1:-90}
airflow db clean --clean-before-timestamp "$(date -u -d "-$days days" +%Y-%m-%dT%H:%M:%S+00:00)" --skip-archive --yes
find "$AIRFLOW_HOME/logs" -type f -mtime "+$days" -delete
find "$AIRFLOW_HOME/logs" -mindepth 1 -type d -empty -delete
