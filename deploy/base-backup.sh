#!/bin/sh
# A whole copy of the running server, checked, beside the archive of its write-ahead log; run daily (docs/runbooks/restore-to-a-moment.md).
# Keeps the newest TURNO_BACKUPS_KEPT copies (7) and what of the archive is needed from the oldest of them on.
set -eu

backups=${TURNO_BASE_BACKUPS:-/backup/base}
archive=${TURNO_WAL_ARCHIVE:-/backup/wal}
kept=${TURNO_BACKUPS_KEPT:-7}
name=$(date -u +%Y%m%dT%H%M%SZ)

mkdir -p "$backups"
rm -rf "$backups"/.*.part
pg_basebackup --username="${POSTGRES_USER:-postgres}" --pgdata="$backups/.$name.part" --checkpoint=fast \
    --wal-method=stream --label="$name" --no-password
pg_verifybackup --quiet "$backups/.$name.part"
mv "$backups/.$name.part" "$backups/$name"
sync "$backups"

for old in $(ls "$backups" | sort -r | tail -n "+$((kept + 1))"); do
    rm -rf "${backups:?}/$old"
done
oldest=$(ls "$backups" | sort | head -n 1)
first=$(sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]*\))$/\1/p' "$backups/$oldest/backup_label")
pg_archivecleanup "$archive" "$first"
echo "backup ok name=$name kept=$(ls "$backups" | wc -l) wal_from=$first"
