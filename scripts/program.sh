#!/bin/sh
# Prints the path of a program that tests need beside Python; installs the distribution's package where there is none.
#   scripts/program.sh chromium | prometheus | promtool
#   CHROMIUM=PROGRAM   the browser to use
set -eu

fail() { printf '%s: %s\n' "$wanted" "$*" >&2; exit 1; }

wanted=${1:?which program}
case $wanted in
    chromium) package=chromium names=${CHROMIUM:-chromium chromium-browser google-chrome-stable google-chrome} ;;
    prometheus | promtool) package=prometheus names=$wanted ;;
    *) fail "no test needs it" ;;
esac

find_program() {
    for name in $names; do
        command -v "$name" && return
    done
    return 1
}

find_program && exit 0
exec 9<"$0"
flock 9  # tests run side by side: one of them installs
find_program && exit 0
[ "$wanted" != chromium ] || [ -z "${CHROMIUM:-}" ] || fail "CHROMIUM=$CHROMIUM is no program"
as_root=
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || fail "tests need it; ask for: apt-get install $package"
    as_root=sudo
fi
command -v apt-get >/dev/null || fail "tests need it; install $package"
$as_root apt-get update -qq >&2
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$package" >&2
find_program || fail "the package $package brought no such program"
