#!/bin/sh
# Installs the locked environments: .turno/venv (Airflow, dbt, the local stack) and .turno/receiver-venv.
# Needs Python 3.11 to 3.13 and a package index; anything else it brings itself. A second run has nothing to do.
#   TURNO_STATE=DIR   somewhere else than .turno
#   PYTHON=PROGRAM    the interpreter to use
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
state=${TURNO_STATE:-$root/.turno}
boot=$state/boot
began=$(date +%s)

say() { printf '[%3d s] %s\n' $(($(date +%s) - began)) "$*" >&2; }
fail() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

# what an environment was made of: any change makes it again, a move of the checkout too
stamp_of() { (cd "$root" && printf '%s\n' "$root" "$state" | cat - scripts/bootstrap.sh "$@" | sha256sum); }
is_current() { [ -x "$1/bin/python" ] && [ "$(cat "$1/.made-of" 2>/dev/null)" = "$2" ]; }

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
makes_venvs() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

find_python() {
    for test in makes_venvs supported; do
        for name in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
            if supported "$name" && $test "$name"; then echo "$name"; return; fi
        done
    done
    fail "Python 3.11, 3.12 or 3.13 is needed; none was found (set PYTHON=/path/to/python)"
}

# Debian and Ubuntu keep what makes virtual environments in a package of its own
install_venv_support() {
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    as_root=
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || fail "$1 cannot make virtual environments; ask for: apt-get install $package"
        as_root=sudo
    fi
    command -v apt-get >/dev/null || fail "$1 cannot make virtual environments; install its venv and ensurepip modules"
    say "installing $package"
    $as_root apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "$package" >&2
}

# uv reads no pip configuration: where pip is told of another index or certificate, uv is told the same
pip_setting() { "$boot/bin/pip" config list 2>/dev/null | sed -n "s/^[^=]*[.]$1='\(.*\)'\$/\1/p" | tail -n 1; }

install_uv() {
    wanted=$(stamp_of scripts/requirements-bootstrap.txt)
    if ! is_current "$boot" "$wanted"; then
        say "installing uv"
        makes_venvs "$python" || install_venv_support "$python"
        "$python" -m venv --clear "$boot"
        "$boot/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --require-hashes \
            -r "$root/scripts/requirements-bootstrap.txt"
        echo "$wanted" >"$boot/.made-of"
    fi
    index=$(pip_setting index-url)
    certificate=$(pip_setting cert)
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -z "$certificate" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificate}"
    [ -w "${HOME:-/}" ] || export UV_CACHE_DIR="${UV_CACHE_DIR:-$state/cache}"
}

uv() { "$boot/bin/uv" --quiet --no-config "$@"; }

# make ENVIRONMENT LOCK: exactly what the lock lists, compiled
make_environment() {
    say "installing $(grep -c '^[a-z]' "$root/$2") packages of $2"
    "$1/bin/python" -c '' 2>/dev/null || uv venv --clear --no-python-downloads --python "$("$python" -c 'import sys; print(sys.executable)')" "$1"
    uv pip sync --compile-bytecode --require-hashes --python "$1/bin/python" "$root/$2"
}

venv=$state/venv
receiver=$state/receiver-venv
venv_stamp=$(stamp_of requirements-local.txt requirements.in pyproject.toml)
receiver_stamp=$(stamp_of webhook_receiver/requirements.txt)
if is_current "$venv" "$venv_stamp" && is_current "$receiver" "$receiver_stamp"; then exit 0; fi

mkdir -p "$state"
exec 9>"$state/bootstrap.lock"
flock 9 # two runs at once take turns

python=$(find_python)
install_uv
if ! is_current "$venv" "$venv_stamp"; then
    make_environment "$venv" requirements-local.txt
    uv pip install --no-deps --no-build-isolation --python "$venv/bin/python" --editable "$root"
    echo "$venv_stamp" >"$venv/.made-of"
fi
if ! is_current "$receiver" "$receiver_stamp"; then
    make_environment "$receiver" webhook_receiver/requirements.txt
    echo "$receiver_stamp" >"$receiver/.made-of"
fi
say "ready"
