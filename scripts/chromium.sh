#!/bin/sh
# Prints the path of a Chromium for the browser tests; installs the distribution's where there is none.
#   CHROMIUM=PROGRAM   the browser to use
set -eu

find_chromium() {
    for name in ${CHROMIUM:-chromium chromium-browser google-chrome-stable google-chrome}; do
        command -v "$name" && return
    done
    return 1
}
fail() { printf 'chromium: %s\n' "$*" >&2; exit 1; }

find_chromium && exit 0
[ -z "${CHROMIUM:-}" ] || fail "CHROMIUM=$CHROMIUM is no program"
as_root=
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || fail "the browser tests need it; ask for: apt-get install chromium (or set CHROMIUM=/path)"
    as_root=sudo
fi
command -v apt-get >/dev/null || fail "the browser tests need it; install it, or set CHROMIUM=/path"
$as_root apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium >&2
find_chromium || fail "the package chromium brought no such program; set CHROMIUM=/path"
