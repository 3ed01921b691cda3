#!/usr/bin/env bash
# Everything CI runs, one step after the other, with a summary at the end.
# A failed step does not hide the later ones; any failed step fails the whole.
# Every kind of test is required: a server or engine that cannot be had is a failure, not a skip.
#
#   lint, types, arch   the rules
#   demo                the demo itself, from nothing, on real MariaDB and Apache Kafka
#   test                all tests but the containers', on MariaDB, MySQL and Kafka as processes
#   containers          the testcontainers road: a Docker engine (installed and started here when
#                       none answers) with stand-in images, because official ones may be out of reach
set -euo pipefail
cd "$(dirname "$0")/.."

state=$(mktemp -d)
export HOLDFAST_HOME="$state/holdfast" # the demo's data: never the developer's own stack
export PYTHONDONTWRITEBYTECODE=1

failed=0
summary=()

clean_up() {
    if [ -x .venv/bin/holdfast ]; then .venv/bin/holdfast down --wipe >/dev/null 2>&1 || true; fi
    if [ -f "$state/started-engine" ]; then tools/docker-engine.sh stop >/dev/null 2>&1 || true; fi
    rm -rf "$state"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# Runs `name: command...`; output also goes to $state/<name>.log for the summary.
step() {
    local name=$1 begun=$SECONDS outcome=ok
    shift
    printf '\n=== %s\n' "$name"
    "$@" </dev/null 2>&1 | tee "$state/$name.log" || { outcome=FAILED failed=1; }
    summary+=("$(printf '%-10s %-6s %4d s' "$name" "$outcome" $((SECONDS - begun)))")
}

run_demo() {
    make demo && .venv/bin/holdfast status && .venv/bin/holdfast down
}

run_tests() {
    HOLDFAST_TEST_BACKEND=processes HOLDFAST_REQUIRE_KINDS=connected,mysql,stack \
        .venv/bin/python -m pytest -m "not containers" --durations=10 "$@"
}

run_container_tests() {
    # Only an engine that this run started is stopped by it.
    tools/docker-engine.sh status >/dev/null 2>&1 || touch "$state/started-engine"
    tools/docker-engine.sh start && tools/stand-in-images.sh || return 1
    eval "$(tools/stand-in-images.sh --settings)"
    HOLDFAST_REQUIRE_KINDS=containers .venv/bin/python -m pytest -m containers --durations=5
}

step setup make setup
if [ "$failed" = 0 ]; then
    step lint make lint
    step types make types
    step arch make arch
    step packages make packages
    step demo run_demo
    step test run_tests
    step containers run_container_tests
fi

printf '\n=== summary\n'
for log in "$state"/test.log "$state"/containers.log; do
    if [ -f "$log" ]; then
        grep -E '^(FAILED|ERROR) ' "$log" | head -n 40 || true
        printf '%s: %s\n' "$(basename "$log" .log)" "$(tail -n 1 "$log")"
    fi
done
printf '  %s\n' "${summary[@]}"
printf '  %-10s %-6s %4d s\n' total "$([ "$failed" = 0 ] && echo ok || echo FAILED)" "$SECONDS"
exit "$failed"
