#!/usr/bin/env bash
# Everything CI runs, one step after the other, with a summary at the end.
# A failed step does not hide the later ones; any failed step fails the whole.
# Every kind of test is required here: a server that cannot be had is a failure, not a skip.
set -euo pipefail
cd "$(dirname "$0")/.."

export HOLDFAST_REQUIRE_KINDS="${HOLDFAST_REQUIRE_KINDS-connected,mysql,stack,containers}"
state=$(mktemp -d)
export HOLDFAST_HOME="$state/holdfast" # the demo's data: never the developer's own stack
export PYTHONDONTWRITEBYTECODE=1

failed=0
summary=()

stop_stack() {
    if [ -x .venv/bin/holdfast ]; then .venv/bin/holdfast down --wipe >/dev/null 2>&1 || true; fi
    rm -rf "$state"
}
trap stop_stack EXIT

step() {
    local name=$1 begun=$SECONDS outcome=ok
    shift
    printf '\n=== %s: %s\n' "$name" "$*"
    "$@" </dev/null || { outcome=FAILED failed=1; }
    summary+=("$(printf '%-8s %-7s %4d s' "$name" "$outcome" $((SECONDS - begun)))")
}

run_demo() {
    make demo && .venv/bin/holdfast status && .venv/bin/holdfast down
}

step setup make setup
[ "$failed" = 0 ] || exit 1
step lint make lint
step types make types
step arch make arch
step packages make packages
step demo run_demo
step test make test PYTEST_ARGS="--durations=15 ${PYTEST_ARGS-}"

printf '\n=== summary (%d s)\n' "$SECONDS"
printf '  %s\n' "${summary[@]}"
exit "$failed"
