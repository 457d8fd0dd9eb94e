#!/bin/sh
# PostgreSQL's archive_command: archive-wal.sh PATH NAME copies a finished piece of the write-ahead log to the archive.
# Says yes only when the copy is on the disk under its name; another file of that name is never written over.
set -eu

archive=${TURNO_WAL_ARCHIVE:-/backup/wal}
if [ -e "$archive/$2" ]; then
    cmp -s "$1" "$archive/$2" && exit 0
    echo "archive-wal: $archive/$2 is there with other content: another server uses this archive" >&2
    exit 1
fi
cp "$1" "$archive/.$2.part"
sync "$archive/.$2.part"
mv "$archive/.$2.part" "$archive/$2"
sync "$archive"
