#!/bin/sh
# restore-to.sh MOMENT NEW_DATA_DIRECTORY: makes a data directory that PostgreSQL, when it is started on it, brings to a moment.
# MOMENT: UTC as 2026-11-26T10:15:00Z, or `latest` for all that was archived. Nothing that exists is changed.
set -eu

moment=$1
data=$2
backups=${TURNO_BASE_BACKUPS:-/backup/base}
archive=${TURNO_WAL_ARCHIVE:-/backup/wal}

if [ -e "$data" ] && [ -n "$(ls -A "$data")" ]; then
    echo "restore-to: $data is not empty: name a new directory" >&2
    exit 1
fi
case $moment in
    latest) name=99999999T999999Z ;;
    ????-??-??T??:??:??*Z) name=$(echo "$moment" | sed 's/\.[0-9]*Z$/Z/; s/[-:]//g') ;;
    *) echo "restore-to: give the moment as 2026-11-26T10:15:00Z or latest" >&2; exit 1 ;;
esac
# the newest backup that was begun before the moment
chosen=$(ls "$backups" | sort | awk -v name="$name" '$0 < name' | tail -n 1)
if [ -z "$chosen" ]; then
    echo "restore-to: no backup in $backups is older than $moment" >&2
    exit 1
fi
mkdir -p "$data"
chmod 700 "$data"
cp -R --preserve=all "$backups/$chosen/." "$data"
# a server's own settings may be in its copy: recovery's go last and win
{
    echo "restore_command = 'cp \"$archive/%f\" \"%p\"'"
    # PostgreSQL reads no Z here
    [ "$moment" = latest ] || echo "recovery_target_time = '${moment%Z}+00'"
    echo "recovery_target_action = 'promote'"
} >>"$data/postgresql.auto.conf"
touch "$data/recovery.signal"
echo "restore ok backup=$chosen moment=$moment data=$data"
