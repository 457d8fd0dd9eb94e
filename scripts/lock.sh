#!/bin/sh
# Locks the requirements with hashes, for every Python the project supports.
#   lock.sh            write the locks, keeping what is locked where it still fits
#   lock.sh --upgrade  the same with the newest of everything
#   lock.sh --check    compare only: status 1 when a lock does not follow from its .in file
set -eu

cd -- "$(dirname -- "$0")/.."
uv=${TURNO_STATE:-.turno}/boot/bin/uv
uv=$(realpath "$uv")
check=
upgrade=
case ${1:-} in
    --check) check=yes ;;
    --upgrade) upgrade=--upgrade ;;
esac
drafts=$(mktemp -d)
trap 'rm -rf "$drafts"' EXIT

# lock FOLDER NAME [OPTION...]
lock() {
    folder=$1 name=$2
    shift 2
    draft=$drafts/$name.txt
    [ -z "$upgrade" ] && cp "$folder/$name.txt" "$draft"
    if ! (cd "$folder" && "$uv" pip compile "$name.in" --quiet --universal --python-version 3.11 \
        --generate-hashes --no-header $upgrade "$@" --output-file "$draft") 2>"$drafts/said"; then
        cat "$drafts/said" >&2
        if [ -n "$check" ] && grep -qiE 'fetch|connect|dns|timed out|network' "$drafts/said"; then
            echo "lock-check: NOT CHECKED, the package index cannot be reached" >&2
            exit 0
        fi
        exit 1
    fi
    if [ -z "$check" ]; then
        cat "$draft" >"$folder/$name.txt"
    elif ! diff -u "$folder/$name.txt" "$draft" >"$drafts/difference"; then
        grep '^[-+]' "$drafts/difference" | head -n 20 >&2
        echo "lock-check: $folder/$name.txt does not follow from $name.in; run: make lock" >&2
        exit 1
    fi
}

lock . requirements
lock . requirements-local --constraints requirements.txt
lock webhook_receiver requirements
lock scripts requirements-bootstrap
lock benchmarks peers
[ -z "$check" ] || echo "lock-check ok"
