#!/bin/sh
# Known vulnerabilities of what runs in production, by the advisory service that pip-audit asks.
# Exceptions are lines of scripts/audit-exceptions.txt: an advisory's id, the last day it is accepted, the reason.
# Where the service cannot be reached this says so, and is no failure.
set -eu

cd -- "$(dirname -- "$0")/.."
audit=${TURNO_STATE:-.turno}/venv/bin/pip-audit
today=$(date -u +%Y-%m-%d)
accepted=
while read -r id until reason; do
    case $id in '' | '#'*) continue ;; esac
    if expr "$until" '<' "$today" >/dev/null; then
        echo "audit: the exception for $id was until $until ($reason): update, or look at it again" >&2
        exit 1
    fi
    accepted="$accepted --ignore-vuln $id"
done <scripts/audit-exceptions.txt

said=$(mktemp)
trap 'rm -f "$said"' EXIT
for lock in requirements.txt webhook_receiver/requirements.txt; do
    # shellcheck disable=SC2086  # the exceptions are words
    if ! timeout 300 "$audit" --requirement "$lock" --require-hashes --disable-pip --progress-spinner off $accepted >"$said" 2>&1; then
        cat "$said" >&2
        if grep -qiE 'ConnectionError|ConnectTimeout|Max retries|Name or service|resolve|ServiceError|Forbidden|timed out' "$said"; then
            echo "audit: NOT CHECKED, the advisory service cannot be reached" >&2
            exit 0
        fi
        echo "audit: $lock has known vulnerabilities; update (scripts/lock.sh --upgrade) or write an exception with a date" >&2
        exit 1
    fi
    # an index without advisories answers too: what was not looked up is not in order, it is not known
    if grep -q 'could not be audited' "$said"; then
        echo "audit: NOT CHECKED, the service knows nothing of $(grep -c 'could not be audited' "$said") packages of $lock" >&2
        exit 0
    fi
done
echo "audit ok"
