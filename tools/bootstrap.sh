#!/bin/sh
# Makes .venv ready for every other command: `make setup`, `make demo`, `make test` start here.
#
# Needs: git, make, python3 (3.11 or newer). Everything else is fetched: python3-venv from the
# system's packages when it is missing, then uv and all libraries with their hashes checked.
# PIP_* variables and pip.conf (mirror, certificates, find-links) are honoured, for uv as well.
# PYTHON=/path/to/python3.12 chooses an interpreter. A second run with nothing changed is instant.
set -eu
cd "$(dirname "$0")/.."

say() { printf '[setup] %s\n' "$*"; }
die() {
    printf '[setup] cannot go on: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '        %s\n' "$line" >&2; done
    exit 1
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null 2>&1 || die "PYTHON=$PYTHON is not a command."
        is_new_enough "$PYTHON" || die "PYTHON=$PYTHON is $("$PYTHON" -V 2>&1); 3.11 or newer is needed."
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 && is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    found=$(python3 -V 2>&1 || true)
    die "Python 3.11 or newer is needed; this machine has: ${found:-none}." \
        "Debian 12 and Ubuntu 24.04 bring it: apt-get install python3" \
        "Elsewhere install one and name it: make PYTHON=/path/to/python3.12 setup"
}

# Runs a command as root: directly, or through sudo (without a prompt when nobody can answer it).
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        if [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
    else
        return 1
    fi
}

install_venv_package() {
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    command -v apt-get >/dev/null 2>&1 ||
        die "this Python has no venv module, and there is no apt-get to install it with." \
            "Install your system's package for 'python3-venv', then run this again."
    say "python3-venv is missing: installing it with apt-get"
    log=$(mktemp)
    (as_root apt-get -q update &&
        { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
            "python$version-venv" ||
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
                python3-venv; }) </dev/null >"$log" 2>&1 || {
        tail -n 15 "$log" >&2
        rm -f "$log"
        die "python3-venv could not be installed (root or sudo is needed for it)." \
            "Run as root: apt-get update && apt-get install -y python3-venv" \
            "then run the same make command again."
    }
    rm -f "$log"
}

# uv reads UV_*, not PIP_*: what the machine's owner told pip holds for uv too.
pass_pip_settings_to_uv() {
    pip_value() { .venv/bin/python -m pip config get "$1" 2>/dev/null || true; }
    index=${PIP_INDEX_URL:-$(pip_value global.index-url)}
    extra=${PIP_EXTRA_INDEX_URL:-$(pip_value global.extra-index-url)}
    links=${PIP_FIND_LINKS:-$(pip_value global.find-links)}
    cert=${PIP_CERT:-$(pip_value global.cert)}
    trusted=${PIP_TRUSTED_HOST:-$(pip_value global.trusted-host)}
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"; fi
    if [ -n "$extra" ]; then export UV_INDEX="${UV_INDEX:-$extra}"; fi
    if [ -n "$links" ]; then
        export UV_FIND_LINKS="${UV_FIND_LINKS:-$(echo "$links" | tr -s ' \n' ',,')}"
    fi
    if [ -n "$cert" ]; then export SSL_CERT_FILE="${SSL_CERT_FILE:-$cert}"; fi
    if [ -n "$trusted" ]; then export UV_INSECURE_HOST="${UV_INSECURE_HOST:-$trusted}"; fi
    if [ -n "${PIP_NO_INDEX:-}" ]; then export UV_NO_INDEX="${UV_NO_INDEX:-1}"; fi
    export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-${PIP_DEFAULT_TIMEOUT:-120}}"
}

fingerprint() {
    {
        "$python" -c 'import sys; print(sys.version_info[:3], sys.executable)'
        pwd
        cat requirements/bootstrap.txt requirements/dev.txt libs/*/pyproject.toml \
            services/*/pyproject.toml tools/bootstrap.sh
    } | sha256sum | cut -d' ' -f1
}

python=$(find_python)
stamp=.venv/.setup-stamp
wanted=$(fingerprint)
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] &&
    .venv/bin/python -c '' 2>/dev/null; then
    [ "${1:-}" = --quiet ] || say "nothing changed, .venv is ready"
    exit 0
fi

begun=$(date +%s)
say "Python: $("$python" -V 2>&1) ($(command -v "$python"))"

if [ -x .venv/bin/python ] && ! { .venv/bin/python -m pip --version >/dev/null 2>&1 &&
    is_new_enough .venv/bin/python; }; then
    say ".venv is broken or of an older Python: making it anew"
    rm -rf .venv
fi
if [ ! -x .venv/bin/python ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_venv_package
    say "making .venv"
    rm -rf .venv
    "$python" -m venv .venv || die "'$python -m venv .venv' failed; its message is above."
fi
rm -f "$stamp"

say "installing uv (hashes checked)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
    --requirement requirements/bootstrap.txt ||
    die "uv could not be installed; pip's message is above." \
        "No network? A mirror is named with PIP_INDEX_URL, its certificate with PIP_CERT."

pass_pip_settings_to_uv
say "installing $(grep -c '^[a-z].*==' requirements/dev.txt) libraries (hashes checked)"
.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements/dev.txt ||
    die "the libraries could not be installed; uv's message is above." \
        "No network? A mirror is named with PIP_INDEX_URL, its certificate with PIP_CERT."

say "installing Holdfast's own packages, editable"
set --
for member in libs/* services/*; do
    if [ -f "$member/pyproject.toml" ]; then set -- "$@" --editable "./$member"; fi
done
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation "$@" ||
    die "Holdfast's own packages could not be installed; uv's message is above."

printf '%s\n' "$wanted" >"$stamp"
say "done in $(($(date +%s) - begun)) s"
